/** What the promises about mode sync share. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { LoadOptions, LoadReport } from '../load/options.ts';
import { load } from '../load/load.ts';
import { verify } from '../verify/verify.ts';
import type { ConformanceOptions } from './contract.ts';
import { loadOf, streamLines, withDatabase, type TestDatabase } from './database.ts';

export type Row = Readonly<Record<string, unknown>>;

export const sync = (rows: readonly Row[], url: string, more: Partial<LoadOptions> = {}): Promise<LoadReport> =>
  load(loadOf(rows, url, { mode: 'sync', maxDeletes: '100%', ...more }));

export const syncLines = (lines: readonly string[], url: string, more: Partial<LoadOptions> = {}): Promise<LoadReport> =>
  load({ ...loadOf([], url, { mode: 'sync', maxDeletes: '100%', ...more }), from: streamLines(lines), format: 'jsonl' });

/** Runs `work` where the target can mirror; the reason is printed where it can't. */
export function promise(options: ConformanceOptions, name: string, work: (database: TestDatabase) => Promise<void>): void {
  it(name, async (context) => {
    await withDatabase(options, async (database) => {
      if (database.connection.capabilities.supportsSync === true) await work(database);
      else context.skip(`${options.name} has no mode sync (capability supportsSync)`);
    });
  });
}

export const run = (connection: TestDatabase['connection'], sql: string): Promise<unknown> =>
  connection.transact([{ sql, parameters: [] }]);

export async function assertVerified(url: string): Promise<void> {
  const verified = await verify({ in: url, table: 'items' });
  assert.deepEqual(
    verified.checks.filter((check) => !check.isOk),
    [],
  );
}
