/** What a check found, as a person reads it: the columns first, what is wrong last, where the eye is when the command ends. */
import type { CauseFound, CheckReport, ColumnFound, EmbeddingForecast, RowPlace } from '../check/options.ts';
import { layoutItems } from './item-list.ts';
import type { Item } from './item-list.ts';
import { describeCause } from './progress-block.ts';
import { formatBytes, formatCount, formatCountOf, formatElapsed } from './quantity.ts';
import { layoutTable } from './table.ts';
import type { Colors } from './terminal.ts';
import { flattenText } from './text-width.ts';

/** Above this counts are estimates, see ColumnFound. */
const maxExactDistinct = 1_024;

interface CheckLayoutOptions {
  /** Cells of the terminal; undefined off a terminal. */
  readonly width: number | undefined;
  readonly colors: Colors;
}

export function layoutCheck(report: CheckReport, options: CheckLayoutOptions): readonly string[] {
  const { colors } = options;
  return [
    ...layoutItems(describeReading(report)),
    ...section('columns', layoutColumns(report.columns, options), colors),
    ...section('embedding', describeEmbeddings(report), colors),
    ...section('notes', [...report.plan.warnings, ...report.notes], colors),
    ...section('wrong', layoutWrong(report, colors), colors),
    layoutVerdict(report, colors),
  ];
}

function section(title: string, lines: readonly string[], colors: Colors): readonly string[] {
  return lines.length === 0 ? [] : [colors.bold(title), ...lines.map((line) => `  ${line}`)];
}

function describeReading({ source, counts, bytes, elapsedMs, lanes, plan }: CheckReport): readonly Item[] {
  const speed = `${formatCount(Math.round((counts.read / Math.max(1, elapsedMs)) * 1000))} rows/s`;
  return [
    ['source', `${source} (${plan.source.format}, ${formatBytes(bytes)})`],
    [
      'target',
      `${plan.target === '' ? 'none, as a new table would have it' : `${plan.target}, table ${plan.table.table}`}, mode ${plan.table.mode}; nothing was written`,
    ],
    ['read', `${formatCountOf(counts.read, 'row')} in ${formatElapsed(elapsedMs)}, ${speed}, ${formatCountOf(lanes, 'lane')}`],
  ];
}

function layoutColumns(columns: readonly ColumnFound[], { width, colors }: CheckLayoutOptions): readonly string[] {
  if (columns.length === 0) return [];
  return layoutTable({
    columns: [
      { title: 'column' },
      { title: 'type' },
      { title: 'nulls', align: 'right' },
      { title: 'distinct', align: 'right' },
      { title: 'least' },
      { title: 'greatest' },
      { title: 'length' },
    ],
    rows: columns.map((column) => [
      column.name,
      column.vectors === undefined ? column.type : `vector(${String(column.vectors.dimensions)})`,
      formatCount(column.nulls),
      column.distinct === undefined ? '' : describeDistinct(column),
      flattenText(column.min ?? ''),
      flattenText(column.max ?? ''),
      describeSpread(column),
    ]),
    width: width === undefined ? undefined : width - 2,
    styleTitle: colors.dim,
  });
}

function describeDistinct({ distinct = 0 }: Pick<ColumnFound, 'distinct'>): string {
  return distinct <= maxExactDistinct ? formatCount(distinct) : `about ${formatCount(Number(distinct.toPrecision(2)))}`;
}

function describeSpread({ booleans, length, vectors }: ColumnFound): string {
  if (booleans !== undefined) return `${formatCount(booleans.trues)} true, ${formatCount(booleans.falses)} false`;
  if (vectors !== undefined) {
    const zeros = vectors.zeros === 0 ? '' : `, ${formatCount(vectors.zeros)} zero`;
    return `norm ${vectors.minNorm.toPrecision(3)} to ${vectors.maxNorm.toPrecision(3)}${zeros}`;
  }
  if (length === undefined) return '';
  const mean = Math.round(length.mean);
  return length.min === length.max
    ? formatCount(length.min)
    : `${formatCount(length.min)} to ${formatCount(length.max)}, mean ${formatCount(mean)}`;
}

function describeEmbeddings({ embedding, lanes, moreEmbeddings = [] }: CheckReport): readonly string[] {
  return embedding === undefined ? [] : [embedding, ...moreEmbeddings].flatMap((forecast) => describeEmbedding(forecast, lanes));
}

function describeEmbedding(embedding: EmbeddingForecast, lanes: number): readonly string[] {
  const { cachedShare, column, cost, embedder, ms, texts, tokens } = embedding;
  const facts = [
    `${column}: ${formatCountOf(texts, 'text')}, ${describeDistinct(embedding)} different, by ${embedder}`,
    `about ${formatCount(Number(tokens.toPrecision(2)))} tokens, at four characters each`,
  ];
  if (cachedShare !== undefined) facts.push(`about ${Math.round(cachedShare * 100)} % of them are in the cache (of a sample)`);
  if (cost !== undefined) facts.push(`about ${cost.toPrecision(2)} at the price given`);
  if (ms !== undefined) facts.push(`about ${formatElapsed(ms)} on ${formatCountOf(lanes, 'lane')}, as a sample took`);
  return facts;
}

function layoutWrong(report: CheckReport, colors: Colors): readonly string[] {
  const { duplicates, plan } = report;
  const lines = plan.problems.map((problem) => `${colors.red('✗')} ${problem}`);
  for (const cause of report.causes)
    lines.push(`${colors.red('✗')} ${formatCount(cause.count)} × ${describeCause(cause)}`, `    ${listPlaces(cause)}`);
  if (duplicates === undefined || duplicates.count === 0) return lines;
  const pairs = duplicates.places.map(
    ({ first, again }) => `row ${formatCount(again.row)}${fileOf(again, first)} as row ${formatCount(first.row)}`,
  );
  const more = duplicates.count > pairs.length ? ' …' : '';
  const rows = formatCountOf(duplicates.count, 'row');
  return [
    ...lines,
    `${colors.red('✗')} ${rows} with a key (${duplicates.key.join(', ')}) that an earlier row has`,
    `    ${pairs.join(', ')}${more}`,
  ];
}

/** A name only where two files meet. */
function fileOf(again: RowPlace, first: RowPlace): string {
  return again.file === first.file ? '' : ` of ${again.file} (first in ${first.file})`;
}

function listPlaces({ count, places }: CauseFound): string {
  const files = new Set(places.map(({ file }) => file));
  const told = places.map(({ file, line, row }) => {
    const place = line === undefined ? `row ${formatCount(row)}` : `line ${formatCount(line)}`;
    return files.size > 1 ? `${file} ${place}` : place;
  });
  return `${told.join(', ')}${count > places.length ? ' …' : ''}`;
}

function layoutVerdict(report: CheckReport, colors: Colors): string {
  const { counts, duplicates, isPartial } = report;
  const read = `${formatCountOf(counts.read, 'row')} read`;
  if (isPartial) return colors.yellow(`stopped: ${read}, ${formatCount(counts.rejected)} of them bad so far`);
  if (!hasBadRows(report)) {
    const known =
      (duplicates?.count ?? 0) > 0
        ? `; ${formatCountOf(duplicates?.count ?? 0, 'row')} with a known key, as mode ${report.plan.table.mode} takes them`
        : '';
    return colors.green(`✓ ${read}, all of them fit${known}; nothing was written`);
  }
  return colors.red(
    colors.bold(
      `${read}: ${formatCount(counts.rejected)} bad, ${formatCount(counts.duplicates)} with a key that came before; nothing was written`,
    ),
  );
}

/** Rows with a known key are bad only where the mode has no rule for them. */
export function hasBadRows({ counts, plan }: CheckReport): boolean {
  const refusesKnown = plan.table.mode !== 'upsert' && plan.table.mode !== 'skip';
  return counts.rejected > 0 || (refusesKnown && counts.duplicates > 0);
}
