/** `sluice stats`: a table in numbers. */
import type { TableStats, VectorStats } from '../collection/options.ts';
import { readStatsRequest } from './collection-request.ts';
import { describeSettings, describeState } from './index-command.ts';
import type { Invocation } from './invocation.ts';
import { layoutItems, type Item } from './item-list.ts';
import { toJsonLine } from './json-line.ts';
import { openLibrary } from './library.ts';
import { formatBytes, formatCount, formatCountOf, formatElapsed, formatShare } from './quantity.ts';
import { layoutTable } from './table.ts';
import { writeAll } from './terminal.ts';
import type { Colors } from './terminal.ts';

/** Runs the command. @throws SLUICE_USAGE for options that can't be used, and what the library throws. */
export async function runStats(invocation: Invocation): Promise<number> {
  const { stdout } = invocation.terminal;
  const { options, isJson } = readStatsRequest(invocation);
  const { stats } = await openLibrary();
  const found = await stats(options);
  invocation.ready();
  const lines = isJson ? [toJsonLine(found)] : layoutStats(found, stdout.width(), stdout.colors).map((line) => `${line}\n`);
  await writeAll(stdout, lines);
  return 0;
}

export function layoutStats(found: TableStats, width: number | undefined, colors: Colors): readonly string[] {
  const room = found.bytes === undefined ? [] : [['on disk', formatBytes(found.bytes)] as const];
  const side = found.indexBytes === 0 ? [] : [['side indexes', formatBytes(found.indexBytes)] as const];
  const items: readonly Item[] = [
    ['rows', formatCount(found.rows)],
    ['columns', formatCount(found.columns)],
    ['key', found.key.length === 0 ? 'none' : found.key.join(', ')],
    ...room,
    ...side,
  ];
  return [
    colors.bold(found.table),
    ...layoutItems(items),
    ...found.vectors.flatMap((vectors) => ['', ...layoutVectors(vectors, colors)]),
    ...(found.loads.length === 0 ? [] : ['', ...layoutLoads(found, width, colors)]),
    ...(found.lastSearches.length === 0 ? [] : ['', describeSearches(found.lastSearches)]),
  ];
}

function layoutVectors(vectors: VectorStats, colors: Colors): readonly string[] {
  const made =
    vectors.embedder === undefined
      ? 'came with the rows'
      : `${vectors.embedder}${vectors.textColumn === undefined ? '' : ` from ${vectors.textColumn}`}`;
  const indexes: readonly Item[] = vectors.indexes.map((index) => [
    'index',
    [
      `${index.name}: ${describeState(index)}`,
      index.method,
      index.metric,
      ...(index.rows === undefined ? [] : [formatCountOf(index.rows, 'row')]),
      ...(index.byteCount === undefined ? [] : [formatBytes(index.byteCount)]),
      describeSettings(index.settings),
    ].join(', '),
  ]);
  return [
    `${colors.bold(vectors.column)} vector(${formatCount(vectors.dimensions)})`,
    ...layoutItems([
      ['vectors', `${formatCount(vectors.present)} (${formatShare(vectors.coverage)} of the rows)`],
      ['metric', vectors.metric],
      ['made by', made],
      ...(indexes.length === 0 ? [['index', 'none: searches scan'] as const] : indexes),
    ]),
  ];
}

/** Of the last ones: how long, by which way, when. */
function describeSearches(notes: TableStats['lastSearches']): string {
  const shown = notes.slice(0, 5).map(({ tookMs, way }) => `${formatElapsed(tookMs)} (${way})`);
  return `last searches, newest first: ${shown.join(', ')}; the newest ${notes[0]?.at.slice(0, 16).replace('T', ' ') ?? ''}`;
}

function layoutLoads({ loadCount, loads }: TableStats, width: number | undefined, colors: Colors): readonly string[] {
  const more = loadCount > loads.length ? [`… and ${formatCount(loadCount - loads.length)} older`] : [];
  const table = layoutTable({
    columns: [{ title: 'load' }, { title: 'mode' }, { title: 'state' }, { title: 'written', align: 'right' }, { title: 'started' }],
    rows: loads.map((load) => [
      load.label ?? load.load,
      load.mode,
      load.state,
      formatCount(load.written),
      load.startedAt.slice(0, 16).replace('T', ' '),
    ]),
    width,
    styleTitle: colors.dim,
  });
  return [...table, ...more];
}
