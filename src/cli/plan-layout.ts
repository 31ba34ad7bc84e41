/** A plan as a person reads it: where rows come from, what the table becomes, how the load runs and why, and everything that is wrong. */
import type { LoadPlan, PlannedColumn } from '../load/options.ts';
import { formatBytes, formatCount, formatCountOf } from './quantity.ts';
import { layoutTable } from './table.ts';
import type { Colors } from './terminal.ts';
import { flattenText, padText } from './text-width.ts';

export interface PlanLayoutOptions {
  /** Cells of the terminal; undefined off a terminal. */
  readonly width: number | undefined;
  readonly colors: Colors;
}

const labelWidth = 12;
const maxSamplesShown = 3;

/** The plan's lines. Problems come last, where the eye is when the command ends. */
export function layoutPlan(plan: LoadPlan, options: PlanLayoutOptions): readonly string[] {
  const { colors } = options;
  return [
    ...layoutSource(plan),
    ...section('columns', layoutColumns(plan, options), colors),
    ...layoutIgnored(plan),
    ...layoutTablePlan(plan, colors),
    ...section('how', layoutWays(plan, colors), colors),
    ...section('warnings', plan.warnings.map((warning) => `${colors.yellow('!')} ${warning}`), colors),
    ...layoutVerdict(plan, colors),
  ];
}

function section(title: string, lines: readonly string[], colors: Colors): readonly string[] {
  return lines.length === 0 ? [] : [colors.bold(title), ...lines.map((line) => `  ${line}`)];
}

function item(name: string, text: string): string {
  return `${padText(name, labelWidth)} ${text}`;
}

function layoutSource({ source, target, table, earlier }: LoadPlan): readonly string[] {
  const { name, format, bytes, estimatedRows, shards } = source;
  const facts = [
    format,
    bytes === undefined ? 'size unknown' : formatBytes(bytes),
    ...(estimatedRows === undefined ? [] : [`about ${formatCountOf(Math.round(estimatedRows), 'row')}`]),
    shards === undefined ? 'one stream' : formatCountOf(shards, 'shard'),
  ];
  const state = table.isNew ? 'new' : 'exists';
  return [
    item('source', `${name} (${facts.join(', ')})`),
    item('target', `${target}, table ${table.table} (${state}), mode ${table.mode}${table.key.length > 0 ? `, key ${table.key.join(', ')}` : ''}`),
    ...(earlier ? [item('earlier', `load ${earlier.load} is ${earlier.state}: ${earlierMeanings[earlier.what]}`)] : []),
  ];
}

const earlierMeanings: Readonly<Record<NonNullable<LoadPlan['earlier']>['what'], string>> = {
  nothing_to_do: 'nothing is left to do; --again loads it once more',
  resumes: 'this load would go on with it',
  refused: 'this load would be refused',
};

function layoutColumns({ columns, embed }: LoadPlan, { width, colors }: PlanLayoutOptions): readonly string[] {
  return layoutTable({
    columns: [{ title: 'column' }, { title: 'type' }, { title: 'from' }, { title: 'samples' }, { title: 'why' }],
    rows: columns.map((column) => [
      column.name,
      describeType(column),
      column.isEmbedded ? `embedding of ${embed?.column ?? column.field}` : column.field,
      column.samples.slice(0, maxSamplesShown).map(flattenText).join(' · '),
      column.why,
    ]),
    width: width === undefined ? undefined : width - 2,
    styleTitle: colors.dim,
  });
}

function describeType({ type, dimensions, isNullable }: PlannedColumn): string {
  return `${dimensions === undefined ? type : `${type}(${dimensions})`}${isNullable ? '' : ' not null'}`;
}

function layoutIgnored({ ignoredFields }: LoadPlan): readonly string[] {
  return ignoredFields.length === 0 ? [] : [`  left out: ${ignoredFields.map(flattenText).join(', ')}`];
}

function layoutTablePlan({ table }: LoadPlan, colors: Colors): readonly string[] {
  return [
    ...section('statements', table.ddl.flatMap((statement) => `${statement};`.split('\n')), colors),
    ...section('indexes dropped for the load, and made again after it', table.deferredIndexes.map(({ name, ddl }) => item(name, ddl)), colors),
  ];
}

function layoutWays(plan: LoadPlan, colors: Colors): readonly string[] {
  const { embed, index, lanes, maxBatchBytes, maxBatchRows, shardBytes } = plan;
  const decisions = [...plan.table.decisions, ...plan.decisions];
  // The driver's decisions may already stand among the load's.
  const unique = decisions.filter((each, at) => decisions.findIndex((other) => other.what === each.what && other.choice === each.choice) === at);
  return [
    item('lanes', `${lanes}, shards of ${formatBytes(shardBytes)}`),
    item('batches', `up to ${formatBytes(maxBatchBytes)} or ${formatCountOf(maxBatchRows, 'row')}`),
    ...(embed ? [item('embedding', `${embed.column} → ${embed.into}, ${formatCount(embed.dimensions)} dimensions, by ${embed.with}`)] : []),
    ...(index ? [item('index', `${index.kind}, ${index.metric} ${colors.dim(`(${index.why})`)}`)] : []),
    ...unique.map(({ what, choice, why }) => item(what, `${choice} ${colors.dim(`(${why})`)}`)),
    item('guarantee', plan.guarantee),
  ];
}

function layoutVerdict({ problems }: LoadPlan, colors: Colors): readonly string[] {
  if (problems.length === 0) return [colors.green('✓ nothing stands in the way; nothing was written')];
  return [
    colors.red(colors.bold(`${formatCountOf(problems.length, 'problem')}; this load would be refused, nothing was written`)),
    ...problems.map((problem) => `  ${colors.red('✗')} ${problem}`),
  ];
}
