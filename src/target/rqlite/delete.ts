/** Deletes rows in one request, which rqlite runs as one transaction: what is counted first is guarded there, so another writer in between makes it start again. */
import { SluiceError, isSluiceError } from '../../errors.ts';
import type { Scalar } from '../../rows/schema.ts';
import { checkAllowed } from '../delete-allowance.ts';
import type { Connection, DeleteOutcome, DeleteRequest, Statement } from '../driver.ts';
import { quoteIdentifier } from '../sql-text.ts';

/** Another writer may change the same rows each time; after this many it is the caller's to choose a quieter moment. */
const maxTries = 5;

type Room = Pick<Connection, 'query' | 'transact' | 'countRows' | 'missingKeys'>;

/** The digest of the keys is not known here: they never come to this side. */
export async function deleteRows(room: Room, request: DeleteRequest): Promise<DeleteOutcome> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await tryDelete(room, request);
    } catch (error) {
      if (attempt >= maxTries || !isSluiceError(error, 'SLUICE_FENCED')) throw error;
    }
  }
}

async function tryDelete(room: Room, request: DeleteRequest): Promise<DeleteOutcome> {
  const { rows, signal, table } = request;
  if (signal?.aborted === true) throw new SluiceError('SLUICE_CANCELLED', `Deleting rows of ${table} was stopped; none was deleted.`);
  const quoted = quoteIdentifier(table);
  const total = await room.countRows(table);
  if ('where' in rows) {
    const [row] = await room.query({ sql: `SELECT count(*) AS n FROM ${quoted} WHERE (\n${rows.where}\n)`, parameters: [] });
    const count = Number(row?.['n'] ?? 0);
    checkAllowed(request, count, total);
    await run(room, request, [{ sql: `DELETE FROM ${quoted} WHERE (\n${rows.where}\n)`, parameters: [], mustChange: count }]);
    return { deleted: count, missing: [] };
  }
  const missing = await room.missingKeys(table, request.key, rows.keys);
  const absent = new Set(missing);
  const present = rows.keys.filter((_, index) => !absent.has(index));
  checkAllowed(request, present.length, total);
  const match = request.key.map((name) => `${quoteIdentifier(name)} = ?`).join(' AND ');
  const statements = present.map((key): Statement => ({
    sql: `DELETE FROM ${quoted} WHERE ${match}`,
    parameters: key.map(bindValue),
    mustChange: 1,
  }));
  await run(room, request, statements);
  return { deleted: present.length, missing };
}

async function run(room: Room, request: DeleteRequest, statements: readonly Statement[]): Promise<void> {
  const count = statements.reduce((sum, { mustChange = 0 }) => sum + mustChange, 0);
  if (count === 0) return;
  await room.transact([...statements, ...request.record({ count, digest: undefined })], { signal: request.signal });
}

function bindValue(value: Scalar): Exclude<Scalar, boolean> {
  return typeof value === 'boolean' ? Number(value) : value;
}
