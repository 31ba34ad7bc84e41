/** A table that was loaded or indexed before keeps the metric of each vector column, unless the caller names one: another would make an index beside it that nobody asked for. */
import type { Column } from '../../rows/schema.ts';
import type { Connection, Metric, TableDescription } from '../../target/driver.ts';
import type { ColumnPlan } from './column-plan.ts';
import type { LoadOptions } from '../options.ts';
import type { IndexPlan } from './run-plan.ts';

/** The plan with the metrics that the ledger has for the columns of the table. */
export async function keepMetrics(
  plan: ColumnPlan,
  { index, mode }: Pick<LoadOptions, 'index' | 'mode'>,
  {
    connection,
    description,
  }: { readonly connection: Pick<Connection, 'describe' | 'query'>; readonly description: TableDescription | undefined },
): Promise<ColumnPlan> {
  if (plan.index === undefined || description === undefined || mode === 'replace' || index?.metric !== undefined) return plan;
  const metrics = await readMetrics(connection, description.name);
  if (metrics.size === 0) return plan;
  const adapt = (each: IndexPlan): IndexPlan => ({ ...each, metric: metrics.get(each.column) ?? each.metric });
  const norm = <Kind extends Column>(column: Kind): Kind => {
    const metric = metrics.get(column.name);
    return column.type !== 'vector' || metric === undefined ? column : { ...column, needsNorm: metric === 'cosine' };
  };
  return {
    ...plan,
    columns: plan.columns.map(norm),
    planned: plan.planned.map(norm),
    index: adapt(plan.index),
    moreIndexes: plan.moreIndexes.map(adapt),
  };
}

async function readMetrics(connection: Pick<Connection, 'describe' | 'query'>, table: string): Promise<ReadonlyMap<string, Metric>> {
  if ((await connection.describe('sluice_vectors')) === undefined) return new Map();
  const rows = await connection.query({ sql: 'SELECT column_name, metric FROM sluice_vectors WHERE table_name = ?', parameters: [table] });
  return new Map(rows.map((row) => [String(row['column_name']), String(row['metric']) as Metric]));
}
