/** The vector index at the end of a load: built when the table is large enough for it to pay, extended when there is one. */
import type { Connection, IndexResult } from '../../target/driver.ts';
import type { LoadReport } from '../options.ts';
import type { ProgressMeter } from '../report/progress-meter.ts';
import { listIndexPlans, type IndexPlan } from '../plan/run-plan.ts';
import type { Session } from './session.ts';
import { formatCount } from '../../count-text.ts';

type IndexReport = LoadReport['index'];

/** Builds or extends the indexes of the load's vector columns, one after another; says why where it does not. */
export async function buildLoadIndex(session: Session, meter: ProgressMeter): Promise<IndexReport> {
  const plans = listIndexPlans(session.run);
  if (plans.length === 0) return undefined;
  const rows = plans.every(({ build }) => build === 'none') ? 0 : await session.connection.countRows(session.run.table.table);
  const built: { readonly column: string; readonly report: ColumnIndex }[] = [];
  for (const index of plans) built.push({ column: index.column, report: await buildColumnIndex(session, meter, { index, rows }) });
  const reports = built.map(({ report }) => report);
  const [first] = built;
  if (first === undefined || built.length === 1) return first?.report;
  return {
    kind: reports.some(({ kind }) => kind === 'hnsw') ? 'hnsw' : 'none',
    rows: Math.max(...reports.map((report) => report.rows)),
    buildMs: reports.reduce((sum, report) => sum + report.buildMs, 0),
    why: built.map(({ column, report }) => `${column}: ${report.why}`).join('; '),
  };
}

type ColumnIndex = NonNullable<IndexReport>;

async function buildColumnIndex(
  { connection, run, signal }: Session,
  meter: ProgressMeter,
  { index, rows }: { readonly index: IndexPlan; readonly rows: number },
): Promise<ColumnIndex> {
  if (index.build === 'none') return { kind: 'none', rows: 0, buildMs: 0, why: 'not asked for' };
  const { column, metric } = index;
  const { table } = run.table;
  if (index.build === 'auto') {
    const dimensions = run.table.columns.find((each) => each.name === column)?.dimensions ?? 0;
    const why = findReasonAgainst(connection, { rows, dimensions });
    if (why !== undefined) return { kind: 'none', rows, buildMs: 0, why };
  }
  const onProgress = (done: number, total: number): void => meter.observe({ kind: 'indexed', done, total }, performance.now());
  const result = await connection.buildIndex({ table, column, metric, how: 'update', rows, onProgress, signal });
  return { kind: 'hnsw', rows: result.rows, buildMs: result.buildMs, why: describeWork(result) };
}

/** Why a column has no index unasked; undefined when it is to have one. */
function findReasonAgainst(
  { capabilities }: Connection,
  { rows, dimensions }: { readonly rows: number; readonly dimensions: number },
): string | undefined {
  const { minIndexedFloats } = capabilities;
  if (minIndexedFloats === undefined) return 'not asked for; --index hnsw builds one';
  if (rows * dimensions >= minIndexedFloats) return undefined;
  const least = Math.ceil(minIndexedFloats / Math.max(1, dimensions));
  return `${formatCount(rows)} rows are searched exactly; an index pays from ${formatCount(least)}`;
}

function describeWork(result: IndexResult): string {
  if (result.did === 'nothing') return 'the index was current';
  return result.did === 'built' ? 'built over all rows' : 'extended by the changed rows';
}
