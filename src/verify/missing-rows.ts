/** Finds the first rows of a source that a table lacks, by reading the source again; only asked for when the counts or digests differ. */
import { createBatchBuilder } from '../rows/builder.ts';
import type { Scalar } from '../rows/schema.ts';
import { isSluiceError } from '../errors.ts';
import type { LedgerLoad } from '../ledger/reading.ts';
import { isRejected, readShards } from '../ledger/reading.ts';
import { parseRunPlan, type RunPlan } from '../load/run-plan.ts';
import { reopenSource } from '../source/open.ts';
import type { Source } from '../source/source.ts';
import type { Connection } from '../target/driver.ts';

const maxDifferences = 10;

/** Names of rows that the loads' sources have and the table has not, at most ten; a sentence for each source that can't be read any more. */
export async function findMissingRows(connection: Connection, loads: readonly LedgerLoad[]): Promise<readonly string[]> {
  const differences: string[] = [];
  for (const load of loads) {
    if (differences.length >= maxDifferences) break;
    differences.push(...(await compareLoad(connection, load, maxDifferences - differences.length)));
  }
  return differences;
}

async function compareLoad(connection: Connection, load: LedgerLoad, limit: number): Promise<readonly string[]> {
  const run = parseRunPlan(load.plan, load.load);
  if (run.table.key.length === 0) return [];
  if (run.source === undefined) return [`${load.load}: its source was a stream, so single rows can't be compared`];
  try {
    const source = await reopenSource(run.source);
    try {
      return await compareSource({ connection, load, run, source }, limit);
    } finally {
      await source.close();
    }
  } catch (error) {
    if (!isSluiceError(error)) throw error;
    return [`${load.load}: its source can't be read again, so single rows can't be compared (${error.message})`];
  }
}

interface Comparison {
  readonly connection: Connection;
  readonly load: LedgerLoad;
  readonly run: RunPlan;
  readonly source: Source;
}

async function compareSource({ connection, load, run, source }: Comparison, limit: number): Promise<readonly string[]> {
  const columns = run.table.columns.filter((column) => run.table.key.includes(column.name));
  const key = columns.map((column) => column.name);
  const shards = await readShards(connection, load.load);
  const changed = await source.changed(shards.map((shard) => shard.shard));
  if (changed.length > 0) return [`${load.load}: ${source.name} has changed since, so single rows can't be compared`];
  const differences: string[] = [];
  for (const { shard } of shards) {
    for await (const records of source.read(shard, { offset: shard.start, row: 0, line: 0 }, { columns })) {
      const builder = createBatchBuilder(columns);
      builder.add(records);
      const { values, rowCount, places } = builder.take();
      const keys = Array.from({ length: rowCount }, (_, row) => values.map((data): Scalar => (data.kind === 'scalar' ? (data.values[row] ?? null) : null)));
      for (const row of await connection.missingKeys(run.table.table, key, keys)) {
        if (await isRejected(connection, load.load, { shard: shard.ordinal, shardRow: places.rows[row] ?? 0 })) continue;
        differences.push(`${load.load}: the row at byte ${String(places.offsets[row])} of ${source.name} is not in ${run.table.table}`);
        if (differences.length >= limit) return differences;
      }
    }
  }
  return differences;
}
