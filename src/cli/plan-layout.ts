/** A plan as a person reads it: where rows come from, what the table becomes, how the load runs and why, and everything that is wrong. */
import type { LoadPlan, PlannedColumn } from '../load/options.ts';
import { formatBytes, formatCount, formatCountOf } from './quantity.ts';
import { describeDecisions, layoutItems, omitDecided } from './item-list.ts';
import type { Item } from './item-list.ts';
import { layoutTable } from './table.ts';
import type { Colors } from './terminal.ts';
import { flattenText } from './text-width.ts';

interface PlanLayoutOptions {
  /** Cells of the terminal; undefined off a terminal. */
  readonly width: number | undefined;
  readonly colors: Colors;
}

/** Enough to see a mistaken column, few enough for one line. */
const maxSamplesShown = 3;

/** The plan's lines. Problems come last, where the eye is when the command ends. */
export function layoutPlan(plan: LoadPlan, options: PlanLayoutOptions): readonly string[] {
  const { colors } = options;
  const { ddl, deferredIndexes } = plan.table;
  const statements = ddl.flatMap((statement) => `${statement};`.split('\n'));
  return [
    ...layoutItems(describeSource(plan)),
    ...section('columns', indent(layoutColumns(plan, options)), colors),
    ...section('left out', indent(plan.ignoredFields.map(flattenText)), colors),
    ...section('statements', indent(statements), colors),
    ...section(titleDeferred(plan.table), layoutItems(deferredIndexes.map(toItem)), colors),
    ...section('how', layoutItems(describeWays(plan, colors)), colors),
    ...section('warnings', indent(plan.warnings), colors),
    ...layoutVerdict(plan, colors),
  ];
}

function section(title: string, lines: readonly string[], colors: Colors): readonly string[] {
  return lines.length === 0 ? [] : [colors.bold(title), ...lines];
}

function indent(lines: readonly string[]): readonly string[] {
  return lines.map((line) => `  ${line}`);
}

/** A table that the load makes, or builds beside the one it replaces, has nothing that could be dropped. */
function titleDeferred({ isNew, writesTo, table }: LoadPlan['table']): string {
  return isNew || writesTo !== table ? 'made after the rows' : 'indexes dropped for the load, and made again after it';
}

/** The whole statement: a dropped index must be restorable by hand from what was printed. */
function toItem({ name, ddl }: LoadPlan['table']['deferredIndexes'][number]): Item {
  return [name, ddl];
}

function describeSource({ source, target, table, earlier }: LoadPlan): readonly Item[] {
  const { name, format, bytes, estimatedRows, shards } = source;
  const facts = [
    format,
    bytes === undefined ? 'size unknown' : formatBytes(bytes),
    ...(estimatedRows === undefined ? [] : [`about ${formatCountOf(Math.round(estimatedRows), 'row')}`]),
    shards === undefined ? 'one stream' : formatCountOf(shards, 'shard'),
  ];
  const key = table.key.length > 0 ? `, key ${table.key.join(', ')}` : '';
  const items: Item[] = [
    ['source', `${name} (${facts.join(', ')})`],
    ['target', `${target}, table ${table.table} (${table.isNew ? 'new' : 'exists'}), mode ${table.mode}${key}`],
  ];
  if (earlier) items.push(['earlier', `load ${earlier.load} is ${earlier.state}: ${earlierMeanings[earlier.what]}`]);
  return items;
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

/** As it would be written after `--column`. */
function describeType({ type, dimensions, isNullable }: PlannedColumn): string {
  return `${dimensions === undefined ? type : `${type}(${dimensions})`}${isNullable ? '' : ' not null'}`;
}

/** The driver's decisions, then the load's; one that stands in both is told once. */
function describeWays(plan: LoadPlan, colors: Colors): readonly Item[] {
  const { embed, index, lanes, maxBatchBytes, maxBatchRows, shardBytes } = plan;
  const all = [...plan.table.decisions, ...plan.decisions];
  const decisions = all.filter((each, at) => all.findIndex((other) => other.what === each.what && other.choice === each.choice) === at);
  const facts: Item[] = [
    ['lanes', formatCount(lanes)],
    ['shards', `of about ${formatBytes(shardBytes)}`],
    ['batch', `at most ${formatBytes(maxBatchBytes)} or ${formatCountOf(maxBatchRows, 'row')}`],
  ];
  if (embed) facts.push(['embedding', `${embed.column} → ${embed.into}, ${formatCount(embed.dimensions)} dimensions, by ${embed.with}`]);
  if (index) facts.push(['index', `${index.kind}, ${index.metric} ${colors.dim(`(${index.why})`)}`]);
  return [...omitDecided(facts, decisions), ...describeDecisions(decisions, colors), ['guarantee', plan.guarantee]];
}

function layoutVerdict({ problems }: LoadPlan, colors: Colors): readonly string[] {
  if (problems.length === 0) return [colors.green('✓ nothing stands in the way; nothing was written')];
  return [
    colors.red(colors.bold(`${formatCountOf(problems.length, 'problem')}; this load would be refused, nothing was written`)),
    ...problems.map((problem) => `  ${colors.red('✗')} ${problem}`),
  ];
}
