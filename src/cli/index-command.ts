/** `sluice index`: vector indexes made, made again, dropped and listed. */
import type { IndexEntry, IndexReport } from '../collection/options.ts';
import { readIndexRequest, type IndexRequest } from './collection-request.ts';
import { watchInterrupts } from './interruption.ts';
import type { Invocation } from './invocation.ts';
import { toJsonLine } from './json-line.ts';
import { openLibrary } from './library.ts';
import { createProgressLine } from './progress-line.ts';
import { formatBytes, formatCount, formatCountOf, formatElapsed, formatShare } from './quantity.ts';
import { layoutTable } from './table.ts';
import { writeAll } from './terminal.ts';
import type { Colors } from './terminal.ts';

/** Runs the command. @throws SLUICE_USAGE for options that can't be used, SLUICE_CANCELLED after Ctrl-C, and what the library throws. */
export async function runIndex(invocation: Invocation): Promise<number> {
  const { stdout } = invocation.terminal;
  const request = readIndexRequest(invocation);
  if (request.action === 'list') {
    const { listIndexes } = await openLibrary();
    const entries = await listIndexes(request.options);
    invocation.ready();
    const lines = request.isJson
      ? [toJsonLine({ schema: 1, indexes: entries })]
      : layoutEntries(entries, stdout.width(), stdout.colors.dim).map((line) => `${line}\n`);
    await writeAll(stdout, lines);
    return 0;
  }
  const report = await runChange(invocation, request);
  const lines = request.isJson ? [toJsonLine(report)] : layoutReport(report, stdout.colors).map((line) => `${line}\n`);
  await writeAll(stdout, lines);
  return 0;
}

async function runChange(invocation: Invocation, request: Exclude<IndexRequest, { action: 'list' }>): Promise<IndexReport> {
  const { stderr } = invocation.terminal;
  const { createIndex, dropIndex, rebuildIndex } = await openLibrary();
  const line = createProgressLine(stderr, invocation.ready);
  const watch = watchInterrupts(() => {
    line.end();
    stderr.write('stopping; what stood before stays; press Ctrl-C again to stop at once\n');
  }, line.end);
  const onProgress = ({ done, total }: { readonly done: number; readonly total: number }): void =>
    line.show(
      () => `indexing ${formatCount(done)} of ${formatCountOf(total, 'row')}${total > 0 ? ` (${formatShare(done / total)})` : ''} …`,
    );
  const { signal } = watch;
  try {
    if (request.action === 'drop') return await dropIndex({ ...request.options, signal });
    const options = { ...request.options, onProgress, signal };
    return await (request.action === 'create' ? createIndex(options) : rebuildIndex(options));
  } finally {
    line.end();
    invocation.ready();
    watch.release();
  }
}

/** A line for each vector column and index. */
export function layoutEntries(entries: readonly IndexEntry[], width: number | undefined, dim: (text: string) => string): readonly string[] {
  if (entries.length === 0) return ['no vector columns'];
  const columns = ['table', 'column', 'vectors', 'index', 'kind', 'metric', 'state'].map((title) => ({ title }));
  const right = ['rows', 'size'].map((title) => ({ title, align: 'right' }) as const);
  return layoutTable({
    columns: [...columns, ...right, { title: 'built' }, { title: 'settings' }],
    rows: entries.map(({ table, column, dimensions, backend, metric, index }) => [
      table,
      column,
      formatCount(dimensions),
      index?.name ?? '-',
      backend,
      metric,
      index === undefined ? 'absent' : describeState(index),
      index?.rows === undefined ? '' : formatCount(index.rows),
      index?.byteCount === undefined ? '' : formatBytes(index.byteCount),
      index?.builtAt === undefined ? '' : index.builtAt.slice(0, 16).replace('T', ' '),
      index === undefined ? '' : describeSettings(index.settings),
    ]),
    width,
    styleTitle: dim,
  });
}

/** `fresh`, `stale by 12`, `unusable: its file is missing`. */
export function describeState({ state, staleRows, why }: NonNullable<IndexEntry['index']>): string {
  if (state === 'stale' && staleRows !== undefined) return `stale by ${formatCount(staleRows)}`;
  return state === 'unusable' && why !== undefined ? `unusable: ${why}` : state;
}

export function describeSettings(settings: Readonly<Record<string, string | number>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name} ${String(value)}`)
    .join(', ');
}

const verbs = { built: 'built', extended: 'extended', nothing: 'was current', dropped: 'dropped' } as const;

function layoutReport(report: IndexReport, colors: Colors): readonly string[] {
  const of = `${report.table}.${report.column}`;
  const took = colors.dim(`(${formatElapsed(report.elapsedMs)})`);
  if (report.index === undefined) {
    const gone = report.dropped.length === 0 ? 'no index was there' : `dropped ${report.dropped.join(', ')}`;
    const way = report.backend === 'exact' ? `; searches scan, by ${report.metric}` : '';
    return [`${colors.green('✓')} ${of}: ${gone}${way} ${took}`];
  }
  const { index } = report;
  const size = index.byteCount === undefined ? '' : `, ${formatBytes(index.byteCount)}`;
  const rows = index.rows === undefined ? '' : `, ${formatCountOf(index.rows, 'row')}`;
  return [
    `${colors.green('✓')} ${of}: ${index.name} ${verbs[report.did]}${rows}${size} ${took}`,
    `  ${index.method}, ${index.metric}, ${describeSettings(index.settings)}; ${describeState(index)}`,
  ];
}
