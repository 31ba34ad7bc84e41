/** The columns of a load: from the table where there is one, else inferred from the sample; the vector column of an embedding beside them. */
import type { Embedder, EmbedSpec } from '../../embed/embedder.ts';
import { createEmbedder } from '../../embed/registry.ts';
import { inferSchema, type SchemaProposal } from '../../rows/inference.ts';
import type { Column } from '../../rows/schema.ts';
import type { SchemaOverrides } from '../../rows/selection.ts';
import type { Sample } from '../../source/source.ts';
import type { Capabilities, Metric, TableDescription } from '../../target/driver.ts';
import type { EmbedOptions, LoadOptions, PlannedColumn } from '../options.ts';
import type { EmbedPlan, IndexPlan } from './run-plan.ts';
import { fitContract } from './schema-contract.ts';

export interface ColumnPlan {
  readonly columns: readonly Column[];
  readonly planned: readonly PlannedColumn[];
  readonly ignoredFields: readonly string[];
  readonly embed: EmbedPlan | undefined;
  readonly moreEmbeds: readonly EmbedPlan[];
  readonly index: IndexPlan | undefined;
  readonly moreIndexes: readonly IndexPlan[];
  readonly warnings: readonly string[];
  readonly problems: readonly string[];
}

const defaultMetric: Metric = 'cosine';

/** The column for the vectors of an embedding: as asked, else `vector`, else after its text column when that name is taken by the source. */
function nameVector(embed: EmbedOptions, sample: Sample, isOnly: boolean): string {
  if (embed.into !== undefined) return embed.into;
  if (!isOnly) return `${embed.column}_vector`;
  return sample.fields.includes('vector') ? `${embed.column}_vector` : 'vector';
}

/** Embeddings as they were asked for: none, one or several. */
export function listAsked(embed: LoadOptions['embed']): readonly EmbedOptions[] {
  if (embed === undefined) return [];
  return isSeveral(embed) ? embed : [embed];
}

function isSeveral(embed: NonNullable<LoadOptions['embed']>): embed is readonly EmbedOptions[] {
  return Array.isArray(embed);
}

function readOverrides(options: LoadOptions, metric: Metric, into: readonly string[]): SchemaOverrides {
  return {
    types: options.types,
    map: options.map,
    skipColumns: options.skipColumns,
    key: options.key,
    needsNorm: metric === 'cosine',
    filledColumns: into.length === 0 ? undefined : into,
  };
}

/**
 * Fields that a type is given for though no sampled row has them. Objects may hold them further on; the header line of delimited text would name them.
 */
function listUnsampled({ types = {}, map = {} }: LoadOptions, { fields, stretches }: Sample): readonly string[] {
  if (stretches.length === 0 || stretches.some(({ kind }) => kind !== 'values')) return [];
  return Object.keys(types).filter((name) => !fields.includes(name) && !Object.hasOwn(map, name));
}

function describeIgnored(fields: readonly string[]): readonly string[] {
  return fields.length > 0 ? [`Fields that no column takes: ${fields.join(', ')}.`] : [];
}

function describeUnsampled(fields: readonly string[]): readonly string[] {
  return fields.length > 0
    ? [`Fields that no sampled row has; they are columns because a type is given for them: ${fields.join(', ')}.`]
    : [];
}

/** The table as this sample's kind of records fills it. */
function readFor({ stretches }: Sample, description: TableDescription): TableDescription {
  if (stretches.length === 0 || stretches.some(({ kind }) => kind !== 'text')) return description;
  return { ...description, columns: description.columns.map((column) => ({ ...column, type: column.textType ?? column.type })) };
}

/** What a load meets: its table, where there is one. */
export interface MetTable {
  readonly description: TableDescription | undefined;
  readonly capabilities: Pick<Capabilities, 'widensIntegersTo'>;
}

/** Plans the columns. Problems are collected, not thrown. @throws SLUICE_EMBEDDER_UNKNOWN */
export async function planColumns(options: LoadOptions, sampled: Sample, { description, capabilities }: MetTable): Promise<ColumnPlan> {
  const metric = options.index?.metric ?? defaultMetric;
  const asked = listAsked(options.embed);
  const into = asked.map((embed) => nameVector(embed, sampled, asked.length === 1));
  const unsampled = listUnsampled(options, sampled).filter((name) => !into.includes(name));
  const sample: Sample = { ...sampled, fields: [...sampled.fields, ...unsampled] };
  const overrides = readOverrides(options, metric, into);
  const { widensIntegersTo } = capabilities;
  const proposal =
    description === undefined
      ? inferSchema(sample, overrides)
      : fitContract({ options, description: readFor(sample, description), sample, overrides, widensIntegersTo });
  const embedded: PlannedEmbedding[] = [];
  for (const [at, embed] of asked.entries())
    embedded.push(
      await planEmbedding({ embed, into: into[at] ?? '', at, metric, mayAdd: options.onNewColumn === 'add' }, proposal, description),
    );
  const columns = [...proposal.columns, ...embedded.map(({ column }) => column)];
  const [embed, ...moreEmbeds] = embedded.map(({ plan }) => plan);
  // The embedded column first: it is the one that is searched by text.
  const vectors = [...embedded.map(({ column }) => column), ...proposal.columns.filter((column) => column.type === 'vector')];
  const [index, ...moreIndexes] = vectors.map(({ name }) => ({ column: name, metric, build: options.index?.build ?? 'auto' }));
  return {
    columns,
    planned: [
      ...proposal.columns.map((column, at) => ({
        ...column,
        samples: proposal.notes[at]?.samples ?? [],
        why: proposal.notes[at]?.why ?? '',
      })),
      ...embedded.map(({ column, plan }, at) => ({
        ...column,
        samples: [],
        why: `embedded from ${asked[at]?.column ?? ''} with ${plan.identity.model}`,
      })),
    ],
    ignoredFields: proposal.ignoredFields,
    embed,
    moreEmbeds,
    index,
    moreIndexes,
    warnings: [...describeIgnored(proposal.ignoredFields), ...describeUnsampled(unsampled)],
    problems: [...proposal.problems, ...embedded.flatMap(({ problems }) => problems), ...findSharedColumns(into)],
  };
}

function findSharedColumns(into: readonly string[]): readonly string[] {
  const names = into.map((name) => name.toLowerCase());
  const shared = into.filter((_, at) => names.indexOf(names[at] ?? '') < at);
  return shared.map((name) => `Two embeddings would go into the column ${name}; give each its own: --embed COLUMN:INTO.`);
}

interface Embedding {
  readonly embed: EmbedOptions;
  readonly into: string;
  /** Place among the load's embeddings. */
  readonly at: number;
  readonly metric: Metric;
  /** A table that lacks the column gets it. */
  readonly mayAdd: boolean;
}

interface PlannedEmbedding {
  readonly column: Column;
  readonly plan: EmbedPlan;
  readonly problems: readonly string[];
}

function toSpec(embed: EmbedOptions): EmbedSpec {
  const { with: name, dimensions, seed, documentPrefix, queryPrefix } = embed;
  return { with: name, dimensions, seed, documentPrefix, queryPrefix };
}

async function planEmbedding(
  { at, embed, into, metric, mayAdd }: Embedding,
  proposal: SchemaProposal,
  description: TableDescription | undefined,
): Promise<PlannedEmbedding> {
  const embedder: Embedder = await createEmbedder(toSpec(embed));
  const { identity } = embedder;
  await embedder.close?.();
  const problems: string[] = [];
  const from = proposal.columns.findIndex((column) => column.name === embed.column);
  const text = proposal.columns[from];
  if (text === undefined)
    problems.push(
      `The column ${embed.column} to embed is not among the columns: ${proposal.columns.map((column) => column.name).join(', ')}.`,
    );
  else if (text.type !== 'text') problems.push(`The column ${embed.column} to embed is ${text.type}, not text; give it the type text.`);
  if (proposal.columns.some((column) => column.name.toLowerCase() === into.toLowerCase())) {
    problems.push(`The vectors would go into the column ${into}, which the source fills already; choose another with --into.`);
  }
  const isAdded = mayAdd && description?.columns.every(({ name }) => name !== into) === true;
  if (!isAdded) problems.push(...findTableProblems(into, identity.dimensions, description));
  const emptyText = embed.emptyText ?? 'reject';
  const column: Column = {
    name: into,
    field: '',
    type: 'vector',
    dimensions: identity.dimensions,
    isNullable: emptyText === 'null',
    isEmbedded: true,
    needsNorm: metric === 'cosine',
  };
  return { column, problems, plan: { spec: toSpec(embed), identity, from, into: proposal.columns.length + at, emptyText } };
}

function findTableProblems(into: string, dimensions: number, description: TableDescription | undefined): readonly string[] {
  if (description === undefined) return [];
  const column = description.columns.find((found) => found.name === into);
  if (column === undefined)
    return [
      `The table ${description.name} has no column ${into} for the vectors; add it (--on-new-column add, or ALTER TABLE … ADD COLUMN ${into} F32_BLOB(${String(dimensions)})) or name another with --into.`,
    ];
  if (column.dimensions !== undefined && column.dimensions !== dimensions) {
    return [
      `The column ${into} of ${description.name} takes vectors of ${String(column.dimensions)} numbers; the embedder makes ${String(dimensions)}.`,
    ];
  }
  return [];
}
