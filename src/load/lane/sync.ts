/** What a lane of mode sync compares, and how it reads the keys of rows that did not fit: the key of every refused row is spared, so that none is deleted as vanished. */
import type { Batch, Reject } from '../../rows/batch.ts';
import { keepRows } from '../../rows/batch-keys.ts';
import { createBatchBuilder } from '../../rows/builder.ts';
import type { Records } from '../../source/source.ts';
import type { LaneSync } from './lane.ts';
import { listEmbeds, type RunPlan } from '../plan/run-plan.ts';

/** Columns that say where a row came from; they differ between two loads of the same row. */
const provenanceNames = ['sluice_load', 'sluice_file', 'sluice_line'];

/** Whether the load mirrors a table that was there before: a new one is filled like any other. */
export function isMirroring({ table }: Pick<RunPlan, 'table'>): boolean {
  return table.mode === 'sync' && !table.isNew;
}

/** What the lane of a load needs to compare its rows. */
export function planLaneSync(run: Pick<RunPlan, 'table' | 'embed' | 'moreEmbeds'>): LaneSync | undefined {
  const { table } = run;
  if (!isMirroring({ table })) return undefined;
  const filled = listEmbeds(run).map(({ into }) => table.columns[into]?.name ?? '');
  const passed = new Set([...table.key, ...filled, ...provenanceNames]);
  return {
    table: table.table,
    key: table.key,
    compared: table.columns.map((column) => column.name).filter((name) => !passed.has(name)),
    filled,
    keys: createBatchBuilder(table.columns.filter((column) => table.key.includes(column.name))),
  };
}

/** The keys of the rows of a stretch that did not fit. A reject whose key did not fit either blames the key: then nobody knows which row of the table it is. */
export function spareUnfit(
  sync: LaneSync,
  records: Records,
  unfit: readonly Reject[],
): { readonly spared: Batch; readonly rejects: readonly Reject[] } {
  const rows = new Set(unfit.map((reject) => reject.row));
  const keyless = new Map(sync.keys.add(records).map((reject) => [reject.row, reject]));
  const all = sync.keys.take();
  const spared = keepRows(all, (row) => rows.has(all.places.rows[row] ?? -1));
  return { spared, rejects: unfit.map((reject) => keyless.get(reject.row) ?? reject) };
}
