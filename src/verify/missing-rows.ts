/** Finds the first rows of a source that a table lacks, by reading the source again; only asked for when the counts or digests differ. */
import { createBatchBuilder } from '../rows/builder.ts';
import { locatePlace } from '../rows/joined-place.ts';
import type { Column, Scalar } from '../rows/schema.ts';
import { isSluiceError } from '../errors.ts';
import type { LedgerLoad } from '../ledger/reading.ts';
import { readShards } from '../ledger/reading.ts';
import { isRejected } from '../ledger/rejects.ts';
import { parseRunPlan, type RunPlan } from '../load/plan/run-plan.ts';
import { reopenSource } from '../source/open.ts';
import type { Records, Shard, Source } from '../source/source.ts';
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
  const shards = await readShards(connection, load.load);
  const changed = await source.changed(shards.map((shard) => shard.shard));
  if (changed.length > 0) return [`${load.load}: ${source.name} has changed since, so single rows can't be compared`];
  const differences: string[] = [];
  for (const { shard } of shards) {
    for await (const records of source.read(shard, { offset: shard.start, row: 0, line: 0 }, { columns })) {
      const places = await findMissingPlaces({ connection, load, run, source }, { columns, records, shard });
      differences.push(...places.map((place) => `${load.load}: the row at ${place} is not in ${run.table.table}`));
      if (differences.length >= limit) return differences.slice(0, limit);
    }
  }
  return differences;
}

interface Stretch {
  readonly columns: readonly Column[];
  readonly records: Records;
  readonly shard: Shard;
}

/** Where the rows of a stretch begin that are neither in the table nor among the refused. */
async function findMissingPlaces(
  { connection, load, run, source }: Comparison,
  { columns, records, shard }: Stretch,
): Promise<readonly string[]> {
  const builder = createBatchBuilder(columns);
  builder.add(records);
  const { values, rowCount, places } = builder.take();
  const keys = Array.from({ length: rowCount }, (_, row) =>
    values.map((data): Scalar => (data.kind === 'scalar' ? (data.values[row] ?? null) : null)),
  );
  const missing: string[] = [];
  for (const row of await connection.missingKeys(
    run.table.table,
    columns.map((column) => column.name),
    keys,
  )) {
    if (await isRejected(connection, load.load, { shard: shard.ordinal, shardRow: places.rows[row] ?? 0 })) continue;
    const place = { offset: places.offsets[row] ?? 0, row: places.rows[row] ?? 0, line: places.lines[row] ?? 0 };
    const { file, offset } = locatePlace(shard, place);
    const files = source.descriptor?.files ?? [];
    missing.push(`byte ${String(offset)} of ${files.length > 1 ? (files[file] ?? source.name) : source.name}`);
    // Each question is a query; a table that lacks everything need not answer all of them.
    if (missing.length === maxDifferences) break;
  }
  return missing;
}
