/** Sets rows of a batch beside those of the server's table: SQLite's own comparison, asked in pieces of a bounded size. Reads only. */
import { SluiceError } from '../../errors.ts';
import { pickColumns } from '../../rows/batch-keys.ts';
import type { CompareRequest, RowComparison } from '../driver.ts';
import { planCompare, readDifferences } from '../sqlite/compare.ts';
import { readRows } from './answer.ts';
import { createRowEncoder, type RowEncoder } from './encode.ts';
import type { RqliteLink } from './link.ts';
import { describeRemoteTable } from './shadow.ts';

/** Rows and bytes of one question: its rows are read like any other, and an answer holds only what differs. */
const maxRows = 1000;
const maxBytes = 1024 * 1024;

/** @throws SLUICE_TABLE_UNKNOWN */
export async function compareRqlite(link: RqliteLink, request: CompareRequest): Promise<RowComparison> {
  const { table, key, compared, filled = [] } = request;
  const description = await describeRemoteTable(link, table);
  if (description === undefined)
    throw new SluiceError('SLUICE_TABLE_UNKNOWN', `There is no table ${table} in ${link.address.label}.`, {
      hint: 'Check the name of the table.',
    });
  const batch = pickColumns(request.batch, [...key, ...compared]);
  const declaredTypes = batch.columns.map(({ name }) => description.columns.find((column) => column.name === name)?.declaredType ?? '');
  const encoder = createRowEncoder(batch, declaredTypes);
  const states = new Uint8Array(batch.rowCount).fill(2);
  const differing = new Map<number, readonly string[]>();
  const width = batch.columns.length;
  for (let from = 0; from < batch.rowCount;) {
    const rows = cutRows(encoder, from, batch.rowCount);
    // A row that can't be sent is refused when it is written, whatever the table holds.
    const sent = rows.filter((row) => !encoder.refused.has(row));
    for (const row of rows) if (encoder.refused.has(row)) states[row] = 1;
    if (sent.length > 0) {
      const { sql, size, names } = planCompare({ table, key, compared, filled }, sent.length);
      for (let at = 0; at < sent.length; at += size) {
        const part = sent.slice(at, at + size);
        const text = part.length === size ? sql : planCompare({ table, key, compared, filled }, part.length).sql;
        const { values } = await readRows(link, writeQuestion(text, { encoder, rows: part, width }), { signal: request.signal });
        takeAnswer(values, part, { states, differing, names });
      }
    }
    from += rows.length;
  }
  return { states, differing };
}

function cutRows(encoder: RowEncoder, from: number, rowCount: number): readonly number[] {
  const rows: number[] = [];
  for (let row = from, bytes = 0; row < rowCount && rows.length < maxRows; row++) {
    bytes += encoder.refused.has(row) ? 0 : encoder.writeValues(row).length;
    if (rows.length > 0 && bytes > maxBytes) break;
    rows.push(row);
  }
  return rows;
}

interface Question {
  readonly encoder: RowEncoder;
  readonly rows: readonly number[];
  readonly width: number;
}

/** Texts that look like blobs take a detour, and then their tuple is another one. */
function writeQuestion(sql: string, { encoder, rows, width }: Question): string {
  const plain = Array<string>(width).fill('?').join(',');
  const text = !encoder.hasDetours
    ? sql
    : rows.reduce((all, row, at) => {
        const detour = encoder.writeDetour(row);
        return detour === undefined ? all : all.replace(`(${at},${plain})`, `(${at},${detour.slice(1)}`);
      }, sql);
  return `[${JSON.stringify(text)},${rows.map((row) => encoder.writeValues(row)).join(',')}]`;
}

/** The statement's ordinals count the rows that were sent. */
function takeAnswer(
  values: readonly (readonly unknown[])[],
  rows: readonly number[],
  answer: { readonly states: Uint8Array; readonly differing: Map<number, readonly string[]>; readonly names: readonly string[] },
): void {
  const placed = values.map(([ordinal, ...rest]) => [rows[Number(ordinal)] ?? -1, ...rest]);
  readDifferences(
    placed.filter(([row]) => Number(row) >= 0),
    { ...answer, from: 0 },
  );
}
