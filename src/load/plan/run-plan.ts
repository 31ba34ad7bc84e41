/** What a lane needs to run shards of a load: plain data, kept in the ledger as JSON so that a resume does what was planned, and sent to worker threads. */
import { SluiceError } from '../../errors.ts';
import type { EmbedSpec, EmbedderIdentity, EmptyTextPolicy } from '../../embed/embedder.ts';
import type { SourceDescriptor, SourceOptions } from '../../source/source.ts';
import type { Decision, Metric, RejectKeeping, TablePlan } from '../../target/driver.ts';
import type { CacheOptions } from '../options.ts';
import type { TurnPolicy } from '../lane/turn.ts';

/** How a load embeds. */
export interface EmbedPlan {
  readonly spec: EmbedSpec;
  readonly identity: EmbedderIdentity;
  /** Indexes of the text column and the vector column among the plan's columns. */
  readonly from: number;
  readonly into: number;
  readonly emptyText: EmptyTextPolicy;
}

/** The vector index that a load ends with. */
export interface IndexPlan {
  readonly column: string;
  readonly metric: Metric;
  readonly build: 'auto' | 'always' | 'none';
}

export interface RunPlan {
  readonly schema: 1;
  readonly sourceName: string;
  readonly format: string;
  /** How another thread opens the source; undefined for a stream. */
  readonly source: SourceDescriptor | undefined;
  readonly sourceOptions: SourceOptions;
  /** Field names of the source, in its order: what a refused row of a file with a header line needs to be read again. */
  readonly fields: readonly string[];
  readonly totalBytes: number | undefined;
  readonly table: TablePlan;
  readonly embed: EmbedPlan | undefined;
  /** Further columns of texts; a plan of an older sluice has none. */
  readonly moreEmbeds?: readonly EmbedPlan[] | undefined;
  readonly index: IndexPlan | undefined;
  /** Of further vector columns. */
  readonly moreIndexes?: readonly IndexPlan[] | undefined;
  readonly cache: CacheOptions | false;
  readonly lanes: number;
  readonly shardBytes: number;
  readonly maxBatchBytes: number;
  readonly maxBatchRows: number;
  /** A number, or a share such as `1%`. */
  readonly maxRejects: number | `${number}%`;
  /** Mode sync: a number, or a share of the table's rows; see FinishOptions. */
  readonly maxDeletes?: number | `${number}%` | undefined;
  readonly keeping: RejectKeeping;
  /** Rows with a field that is neither among `fields` nor taken by a column are refused; otherwise the field is left out, with a warning. */
  readonly refusesNewFields?: boolean | undefined;
  /** Commits follow the order of the input. */
  readonly isOrdered: boolean;
  readonly turns: TurnPolicy;
  /** Each lane has a thread that reads for it, see lane/read-ahead.ts. */
  readonly readsAhead?: boolean | undefined;
  readonly decisions: readonly Decision[];
  readonly guarantee: string;
  /** Of a retry of mended rows: the fingerprint of their file, which is not loaded twice. */
  readonly mended?: string | undefined;
  /** Of a load that was undone: the label that it gave up, by which it is found while no other load has it. */
  readonly undoneLabel?: string | undefined;
}

/** All embeddings of a load, in the order of their columns. */
export function listEmbeds({ embed, moreEmbeds }: Pick<RunPlan, 'embed' | 'moreEmbeds'>): readonly EmbedPlan[] {
  return embed === undefined ? [] : [embed, ...(moreEmbeds ?? [])];
}

/** All vector indexes of a load. */
export function listIndexPlans({ index, moreIndexes }: Pick<RunPlan, 'index' | 'moreIndexes'>): readonly IndexPlan[] {
  return index === undefined ? [] : [index, ...(moreIndexes ?? [])];
}

/** A source's descriptor as the ledger may keep it: what one session's readers share, a password perhaps, is not for others. */
export function keepDescriptor(descriptor: SourceDescriptor | undefined): SourceDescriptor | undefined {
  return descriptor === undefined ? undefined : { ...descriptor, shared: undefined };
}

/** The plan that a load's ledger row holds. */
export function parseRunPlan(text: string, load: string): RunPlan {
  const plan: unknown = JSON.parse(text);
  if (typeof plan === 'object' && plan !== null && 'schema' in plan && plan.schema === 1) return plan as RunPlan;
  throw new SluiceError('SLUICE_LEDGER_VERSION', `The plan of load ${load} was written by another version of sluice.`, {
    hint: 'Use that version, or load again with --again.',
  });
}
