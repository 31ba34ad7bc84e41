/** Makes the plan of a load: opens the source and the target for reading, decides everything, finds all problems at once. Writes nothing. */
import { randomBytes } from 'node:crypto';
import { SluiceError } from '../../errors.ts';
import type { Column } from '../../rows/schema.ts';
import { refuseUnknownOptions } from '../../option-names.ts';
import { isJsonFormat } from '../../source/formats.ts';
import { openSource } from '../../source/open.ts';
import type { Source } from '../../source/source.ts';
import type { Capabilities, Connection, TablePlan } from '../../target/driver.ts';
import { connect, findDriver } from '../../target/registry.ts';
import { hideSecrets } from '../../secret-text.ts';
import { askLedger } from './ledger-answer.ts';
import { planColumns, type ColumnPlan } from './column-plan.ts';
import type { Earlier } from './earlier.ts';
import { fingerprintLoad } from './fingerprint.ts';
import { describeHold } from './hold-plan.ts';
import { forecastIndex, willIndex } from './index-forecast.ts';
import { chooseSizes, countShards, describeFiles, minThreadBytes, type Sizes } from './lane-size.ts';
import { stockThreads, type ThreadStock } from '../lane/threads.ts';
import { checkOptions } from '../option-check.ts';
import { loadNames } from '../option-names.ts';
import type { LoadOptions, LoadPlan } from '../options.ts';
import { tellIgnored } from './ignored-options.ts';
import { keepMetrics } from './recorded-metric.ts';
import { addProvenance, withoutProvenance } from './provenance.ts';
import { describeEmbeds } from './planned-embeds.ts';
import { keepDescriptor, type RunPlan } from './run-plan.ts';
import { describeChange, listChanges } from './schema-contract.ts';
import { addSync } from '../session/sync.ts';

/** Bytes that the ledger keeps of one refused row. */
const maxRejectRawBytes = 64 * 1024;

/** Rejects that the ledger takes before a load stops, unless the caller says otherwise: it must not grow with the input. */
const defaultMaxRejects = 100_000;

/** What was opened to make a plan, beside the source, and serves the load that follows it. */
export interface Kept {
  readonly threads: ThreadStock | undefined;
  /** The connection that planned, where the target lets it load; the caller closes it. Undefined when there is none, or it was taken. */
  takeConnection(): Connection | undefined;
}

/** A plan with what was opened to make it; whoever asked for it closes it. */
export interface Prepared {
  readonly load: string;
  readonly plan: LoadPlan;
  readonly run: RunPlan;
  readonly source: Source;
  readonly fingerprint: string;
  /** Loads with the same fingerprint that the ledger held when the plan was made. */
  readonly earlierCount: number;
  readonly earlier: Earlier | undefined;
  readonly kept: Kept;
  /** Closes the source, and of what was kept all that was not taken. */
  close(): Promise<void>;
}

/** A name for a new load: sortable by time, and different for two that start in the same second. */
export function nameLoad(): string {
  const at = new Date().toISOString().replace(/[-:]/gu, '').replace('T', '-').slice(0, 15);
  return `${at}-${randomBytes(3).toString('hex')}`;
}

/**
 * What `load` with the same options would do. Nothing is written; `problems` holds everything that stands in the way.
 * @throws SLUICE_USAGE, SLUICE_SCHEME_UNKNOWN, SLUICE_SOURCE_… when there is nothing to plan with
 */
export async function plan(options: LoadOptions): Promise<LoadPlan> {
  refuseUnknownOptions('plan', options, loadNames);
  const prepared = await prepareLoad(options, 'plan');
  await prepared.close();
  return prepared.plan;
}

/** Makes the plan and keeps what was opened for it. Of a load that follows at once, threads are started meanwhile. */
export async function prepareLoad(options: LoadOptions, what: 'plan' | 'load'): Promise<Prepared> {
  const problems = checkOptions(options);
  if (problems.length > 0) throw new SluiceError('SLUICE_USAGE', problems.join(' '), { problems });
  const { capabilities } = await findDriver(options.to);
  const source = await openSource(options.from, options);
  const threads = what === 'load' ? startThreads(options, source, capabilities) : undefined;
  let connection: Connection | undefined;
  const close = async (): Promise<void> => {
    await connection?.close();
    await threads?.close();
    await source.close();
  };
  const takeConnection = (): Connection | undefined => {
    const taken = connection?.capabilities.plansInSession === true ? connection : undefined;
    if (taken !== undefined) connection = undefined;
    return taken;
  };
  try {
    connection = await connect(options.to, {
      isPlanning: true,
      signal: options.signal,
      ...(options.lockTimeoutMs === undefined ? {} : { lockTimeoutMs: options.lockTimeoutMs }),
    });
    const made = await prepareWith(options, source, connection);
    if (what === 'plan' || connection.capabilities.plansInSession !== true) {
      await connection.close();
      connection = undefined;
    }
    return { ...made, kept: { threads, takeConnection }, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** For files that will need them; what the plan then wants is another matter. */
function startThreads(options: LoadOptions, source: Source, { usesThreads }: Capabilities): ThreadStock | undefined {
  const isLarge = source.descriptor !== undefined && source.hasOneReader !== true && (source.byteCount ?? 0) >= minThreadBytes;
  return isLarge && usesThreads !== false ? stockThreads(options.to, options.lanes) : undefined;
}

async function prepareWith(options: LoadOptions, source: Source, connection: Connection): Promise<Omit<Prepared, 'kept' | 'close'>> {
  const load = nameLoad();
  const description = await connection.describe(options.table);
  const sample = await source.sample(options.signal);
  const { capabilities } = connection;
  const proposed = await planColumns(withoutProvenance(options, sample), sample, { description, capabilities });
  const kept = addProvenance(await keepMetrics(proposed, options, { connection, description }), options, description);
  const columns = tellIgnored(kept, options, source);
  const sizes = chooseSizes({
    columns: columns.columns,
    meanRowBytes: sample.meanRowBytes,
    isMirroring: options.mode === 'sync' && description !== undefined,
    ...describeFiles(source),
    isSeekable: source.isSeekable && source.descriptor !== undefined,
    isInMemory: source.isSeekable && source.descriptor === undefined,
    hasOneReader: source.hasOneReader,
    canReadAhead: isReadAhead(source, columns.columns),
    mode: options.mode,
    capabilities: connection.capabilities,
    advice: await connection.adviseLanes?.(),
    lanes: options.lanes,
    maxBatchBytes: options.maxBatchBytes,
    maxBatchRows: options.maxBatchRows,
    shardBytes: options.shardBytes,
  });
  const changes = listChanges(columns.columns, { description, sample, options });
  const told = await connection.planTable({
    load,
    table: options.table,
    columns: columns.columns,
    key: options.key ?? [],
    mode: options.mode ?? 'insert',
    expectedRows: sizes.estimatedRows ?? sample.estimatedRows,
    expectedBytes: source.byteCount,
    options: options.target,
    isRereadable:
      source.isSeekable && source.descriptor !== undefined && source.descriptor.identity === undefined && options.provenance !== true,
    isEmbedded: columns.embed !== undefined,
    index: willIndex(columns.index, connection.capabilities) ? columns.index : undefined,
    changes,
  });
  const planned = { ...told, decisions: [...told.decisions, ...changes.map(describeChange)] };
  const table = addSync(planned, { options, capabilities: connection.capabilities, isEmbedded: columns.embed !== undefined });
  const fingerprint = await fingerprintLoad(options, source.descriptor, load);
  const known = await askLedger({ options, source, connection, fingerprint, columns, table, description });
  const parts = { options, source, columns: known.columns, sizes, table, capabilities: connection.capabilities };
  const run = toRunPlan(parts, sample.fields);
  return {
    load,
    run,
    source,
    fingerprint,
    earlierCount: known.count,
    earlier: known.earlier,
    plan: toLoadPlan({ ...parts, rowsAhead: known.rowsAhead }, run, known.earlier),
  };
}

/**
 * Whether reading takes so much longer than handing rows from thread to thread that a thread of its own is worth it: true of JSON that is parsed whole (3 × 10⁶ rows from
 * gzip: 25 % faster), not of delimited text (10 % slower) nor of JSON with vectors, whose numbers are read where they stand and whose text is as large as all else.
 */
function isReadAhead({ format, descriptor }: Source, columns: readonly Column[]): boolean {
  const hasVectors = columns.some(({ isEmbedded, type }) => type === 'vector' && isEmbedded !== true);
  return descriptor !== undefined && descriptor.options.zip === undefined && isJsonFormat(format) && !hasVectors;
}

interface Parts {
  readonly options: LoadOptions;
  readonly source: Source;
  readonly columns: ColumnPlan;
  readonly sizes: Sizes;
  readonly table: TablePlan;
  readonly capabilities: Capabilities;
}

function toRunPlan({ options, source, columns, sizes, table }: Parts, fields: readonly string[]): RunPlan {
  const { format, columns: names, delimiter, quote, nullText, maxRowBytes, compression, zip, vectorField } = options;
  return {
    schema: 1,
    sourceName: source.name,
    format: source.format,
    source: keepDescriptor(source.descriptor),
    sourceOptions: {
      format: format ?? source.format,
      columns: names,
      delimiter,
      quote,
      nullText,
      maxRowBytes,
      compression,
      zip,
      vectorField,
    },
    fields,
    totalBytes: source.byteCount,
    table,
    embed: columns.embed,
    moreEmbeds: columns.moreEmbeds,
    index: columns.index,
    moreIndexes: columns.moreIndexes,
    cache: options.cache ?? {},
    lanes: sizes.lanes,
    shardBytes: sizes.shardBytes,
    maxBatchBytes: sizes.maxBatchBytes,
    maxBatchRows: sizes.maxBatchRows,
    maxRejects: options.maxRejects ?? defaultMaxRejects,
    maxDeletes: options.maxDeletes,
    keeping: { keepsRows: options.rejectsWithoutRows !== true, maxBytes: maxRejectRawBytes },
    refusesNewFields: options.onNewColumn === 'refuse' ? true : undefined,
    isOrdered: sizes.isOrdered,
    turns: sizes.turns,
    ...(sizes.readsAhead ? { readsAhead: true } : {}),
    decisions: [
      ...(source.decisions ?? []),
      ...table.decisions,
      ...sizes.decisions,
      ...columns.warnings.map((choice) => ({ what: 'warning', choice, why: '' })),
    ],
    guarantee: describeGuarantee(source, options),
  };
}

function describeGuarantee(source: Source, options: LoadOptions): string {
  const once = 'exactly once: rows and ledger commit in one transaction';
  if (source.guarantee !== undefined) return `${once}; ${source.guarantee}`;
  if (source.descriptor !== undefined) return once;
  return options.label === undefined
    ? `${once}; a stream without a label has no identity, so loading it again is another load`
    : `${once}; a resume reads the stream again from its start and passes over what was committed`;
}

function toLoadPlan(parts: Parts & { readonly rowsAhead: number }, run: RunPlan, earlier: Earlier | undefined): LoadPlan {
  const { options, source, columns, sizes, table, capabilities } = parts;
  const shards = countShards(describeFiles(source), sizes.shardBytes);
  return {
    schema: 1,
    source: { name: source.name, format: source.format, bytes: source.byteCount, estimatedRows: sizes.estimatedRows, shards },
    target: hideSecrets(options.to),
    table,
    columns: columns.planned,
    ignoredFields: columns.ignoredFields,
    ...describeEmbeds(options, run),
    index: forecastIndex(run.index, capabilities),
    lanes: sizes.lanes,
    shardBytes: sizes.shardBytes,
    maxBatchBytes: sizes.maxBatchBytes,
    maxBatchRows: sizes.maxBatchRows,
    isOrdered: sizes.isOrdered,
    decisions: [...(source.decisions ?? []), ...table.decisions, ...sizes.decisions, ...describeHold(options, parts.rowsAhead)],
    warnings: columns.warnings,
    // Without a column the target's problems are only that there is none.
    problems: [
      ...columns.problems,
      ...(columns.planned.length === 0 ? [] : table.problems),
      ...(earlier?.what === 'refused' ? [earlier.why] : []),
    ],
    earlier: earlier === undefined ? undefined : { load: earlier.load.load, state: earlier.load.state, what: earlier.what },
    guarantee: run.guarantee,
  };
}

/** @throws SLUICE_PLAN_REFUSED with all problems at once */
export function refuseProblems({ problems }: Pick<LoadPlan, 'problems'>): void {
  if (problems.length === 0) return;
  throw new SluiceError(
    'SLUICE_PLAN_REFUSED',
    problems.length === 1 ? (problems[0] ?? '') : `The load can't be done as asked: ${String(problems.length)} problems.`,
    {
      problems,
      hint: 'Nothing was written. "sluice plan …" with the same arguments shows what would be done.',
    },
  );
}
