/** The keys that a sync has seen, on rqlite: which are repeated is asked before a batch is sent, since nothing can be looked at half-way through a request. */
import { DatabaseSync } from 'node:sqlite';
import type { Batch } from '../../rows/batch.ts';
import { pickColumns } from '../../rows/batch-keys.ts';
import type { CommitUnit, Mark } from '../driver.ts';
import { quoteIdentifier } from '../sql-text.ts';
import type { Refusal } from '../sqlite/errors.ts';
import { nameSeen, repeatedKey } from '../sqlite/seen.ts';
import { seenLost } from '../sync-end.ts';
import { readRows } from './answer.ts';
import { toSqlValue } from './encode.ts';
import type { SqlValue } from './json.ts';
import { countKeysPerStatement, findKnown } from './keys.ts';
import type { RqliteLink } from './link.ts';
import { writeBound } from './transaction.ts';

/** Where a load that mirrors its source notes keys. */
export interface Mirror {
  readonly link: RqliteLink;
  /** The table of keys. */
  readonly seen: string;
  readonly key: readonly string[];
  /** The statement that made the table of keys: in memory it tells which keys of a batch the server takes for equal. */
  readonly ddl: string;
}

/** @throws SLUICE_TARGET_FAILED when the keys seen are gone */
export async function openMirror(
  link: RqliteLink,
  load: string,
  plan: { readonly table: string; readonly key: readonly string[] },
): Promise<Mirror> {
  const seen = nameSeen(load);
  const { values } = await readRows(link, writeBound(`SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?`, [seen]));
  const ddl = values[0]?.[0];
  if (typeof ddl !== 'string') throw seenLost(plan.table);
  return { link, seen, key: plan.key, ddl };
}

/** What is known of the keys of one batch. */
export interface MirrorRun {
  readonly mirror: Mirror;
  /** Rows of the batch, and of the kept rows, whose key came before. */
  readonly repeated: ReadonlyMap<number, Refusal>;
  readonly repeatedKept: ReadonlyMap<number, Refusal>;
  /** The other keys, each with the row of the shard that it came from, in that order. */
  readonly fresh: readonly FreshKey[];
}

interface FreshKey {
  readonly row: number;
  readonly key: readonly SqlValue[];
}

interface NotedRow extends FreshKey {
  readonly batch: Batch;
  readonly index: number;
}

/** By batch, which is committed again as it is after a broken link: by then some of its own keys may stand among those seen. */
const runs = new WeakMap<Batch, MirrorRun>();

/** Which keys of a commit are repeated. Only the lane whose turn it is writes keys, so the answer holds until its commit ends. */
export async function openMirrorRun(mirror: Mirror, unit: CommitUnit): Promise<MirrorRun> {
  const known = runs.get(unit.batch);
  if (known !== undefined) return known;
  const rows = listKeys(mirror, unit);
  const isRepeated = markRepeats(mirror, rows);
  const asked = rows.filter((_, at) => isRepeated[at] !== true);
  const seen = await findKnown(
    mirror.link,
    { table: mirror.seen, key: mirror.key.map((_, index) => `k${index}`) },
    asked.map(({ key }) => key),
  );
  const fresh = asked.filter((_, at) => !seen.has(at));
  const isFresh = new Set(fresh);
  const refuse = (of: Batch | undefined): ReadonlyMap<number, Refusal> =>
    new Map(rows.filter((row) => row.batch === of && !isFresh.has(row)).map(({ index }) => [index, repeatedKey]));
  const run = { mirror, repeated: refuse(unit.batch), repeatedKept: refuse(unit.kept), fresh };
  runs.set(unit.batch, run);
  return run;
}

/** The batch is committed, or another's. */
export function forgetMirrorRun(batch: Batch): void {
  runs.delete(batch);
}

/** All keys in the order of the input. Half of a surrogate pair can't be sent, so no row of the server has it in its key; such rows are refused for it. */
function listKeys({ key }: Mirror, { batch, kept, spared = [] }: CommitUnit): readonly NotedRow[] {
  const rows = [batch, ...(kept === undefined ? [] : [kept]), ...spared].flatMap((of) => {
    const columns = pickColumns(of, key).values.map((data) => (data.kind === 'scalar' ? data.values : []));
    return Array.from({ length: of.rowCount }, (_, index): NotedRow => {
      return { batch: of, index, row: of.places.rows[index] ?? 0, key: columns.map((values) => toSqlValue(values[index])) };
    });
  });
  return rows.filter((row) => row.key.every((value) => typeof value !== 'string' || value.isWellFormed())).sort((a, b) => a.row - b.row);
}

function markRepeats({ ddl, seen, key }: Mirror, rows: readonly NotedRow[]): readonly boolean[] {
  const db = new DatabaseSync(':memory:');
  try {
    db.exec(ddl);
    const insert = db.prepare(`INSERT OR IGNORE INTO ${quoteIdentifier(seen)} VALUES (${key.map(() => '?').join(', ')})`);
    db.exec('BEGIN');
    return rows.map(
      (row) => Number(insert.run(...row.key.map((value) => (typeof value === 'boolean' ? Number(value) : value))).changes) === 0,
    );
  } finally {
    db.close();
  }
}

/** The statements that note the keys of a request's part of the batch. */
export function noteKeys({ mirror, fresh }: MirrorRun, mark: Mark, isLastOfBatch: boolean): readonly string[] {
  const keys = fresh.filter(({ row }) => row >= mark.from.row && (isLastOfBatch || row < mark.to.row));
  const width = mirror.key.length;
  const size = countKeysPerStatement(width);
  const columns = mirror.key.map((_, index) => `k${index}`).join(', ');
  const statements: string[] = [];
  for (let from = 0; from < keys.length; from += size) {
    const part = keys.slice(from, from + size);
    const tuples = Array<string>(part.length)
      .fill(`(${Array<string>(width).fill('?').join(',')})`)
      .join(',');
    statements.push(
      writeBound(
        `INSERT INTO ${quoteIdentifier(mirror.seen)} (${columns}) VALUES ${tuples}`,
        part.flatMap(({ key }) => key),
      ),
    );
  }
  return statements;
}

/** The kept rows that belong to a mark: how many stay as they are, and which are refused because their key came before. */
export function pickKept(
  kept: Batch | undefined,
  run: MirrorRun | undefined,
  { mark, isLastOfBatch }: { readonly mark: Mark; readonly isLastOfBatch: boolean },
): { readonly count: number; readonly refused: readonly (readonly [Batch, number, Refusal])[] } {
  const refused: (readonly [Batch, number, Refusal])[] = [];
  let count = 0;
  for (let row = 0; kept !== undefined && row < kept.rowCount; row++) {
    const place = kept.places.rows[row] ?? 0;
    if (place < mark.from.row || !(isLastOfBatch || place < mark.to.row)) continue;
    const refusal = run?.repeatedKept.get(row);
    if (refusal === undefined) count++;
    else refused.push([kept, row, refusal]);
  }
  return { count, refused };
}
