/** What the promises share: a database for the time of one test, and ways to look into it that every SQL target understands. */
import { connect } from '../target/registry.ts';
import { quoteIdentifier, quoteList } from '../target/sql-text.ts';
import type { Connection, ResultRow } from '../target/driver.ts';
import type { LoadOptions } from '../load/options.ts';
import type { ConformanceOptions } from './contract.ts';

/** An open database of one test. */
export interface TestDatabase {
  readonly url: string;
  readonly connection: Connection;
  /** Rows of a table as lists of values, ordered by the first column named. */
  readonly rows: (table: string, columns: readonly string[]) => Promise<readonly (readonly ResultRow[string][])[]>;
}

/** Runs `work` with a new database, and removes it whatever happens. */
export async function withDatabase(options: ConformanceOptions, work: (database: TestDatabase) => Promise<void>): Promise<void> {
  const target = await options.createTarget();
  try {
    const connection = await connect(target.url);
    try {
      await work({ url: target.url, connection, rows: (table, columns) => readRows(connection, table, columns) });
    } finally {
      await connection.close();
    }
  } finally {
    await target.dispose();
  }
}

async function readRows(
  connection: Connection,
  table: string,
  columns: readonly string[],
): Promise<readonly (readonly ResultRow[string][])[]> {
  const order = quoteIdentifier(columns[0] ?? '');
  const rows = await connection.query({
    sql: `SELECT ${quoteList(columns)} FROM ${quoteIdentifier(table)} ORDER BY ${order}`,
    parameters: [],
  });
  return rows.map((row) => columns.map((name) => row[name] ?? null));
}

/** Options of a small load of objects. */
export function loadOf(rows: readonly Readonly<Record<string, unknown>>[], to: string, more: Partial<LoadOptions> = {}): LoadOptions {
  return { from: rows, to, table: 'items', key: ['id'], cache: false, ...more };
}

/** Text as a stream of JSON lines. */
export async function* streamLines(lines: readonly string[]): AsyncGenerator<string> {
  for (const line of lines) yield `${line}\n`;
}
