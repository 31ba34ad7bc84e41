/** The vector index at the end of a load: built when the table is large enough for it to pay, extended when there is one. */
import type { IndexResult } from '../target/driver.ts';
import type { LoadReport } from './options.ts';
import type { ProgressMeter } from './progress-meter.ts';
import type { Session } from './session.ts';
import { formatCount } from '../count-text.ts';

type IndexReport = LoadReport['index'];

/** Builds or extends the index of the load's vector column; says why where it does not. */
export async function buildLoadIndex(session: Session, meter: ProgressMeter): Promise<IndexReport> {
  const { run, connection } = session;
  if (run.index === undefined) return undefined;
  if (run.index.build === 'none') return { kind: 'none', rows: 0, buildMs: 0, why: 'not asked for' };
  const rows = await connection.countRows(run.table.table);
  const { column, metric } = run.index;
  const dimensions = run.table.columns.find((each) => each.name === column)?.dimensions ?? 0;
  if (run.index.build === 'auto') {
    const { minIndexedFloats } = connection.capabilities;
    if (minIndexedFloats === undefined) return { kind: 'none', rows, buildMs: 0, why: 'not asked for; --index hnsw builds one' };
    if (rows * dimensions < minIndexedFloats) {
      const least = Math.ceil(minIndexedFloats / Math.max(1, dimensions));
      const why = `${formatCount(rows)} rows are searched exactly; an index pays from ${formatCount(least)}`;
      return { kind: 'none', rows, buildMs: 0, why };
    }
  }
  const result = await connection.buildIndex({
    table: run.table.table,
    column,
    metric,
    how: 'update',
    rows,
    onProgress: (done, total) => meter.observe({ kind: 'indexed', done, total }, performance.now()),
    signal: session.signal,
  });
  return { kind: 'hnsw', rows: result.rows, buildMs: result.buildMs, why: describeWork(result) };
}

function describeWork(result: IndexResult): string {
  if (result.did === 'nothing') return 'the index was current';
  return result.did === 'built' ? 'built over all rows' : 'extended by the changed rows';
}
