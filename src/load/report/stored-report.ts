/** The account of a load as its ledger has it: counts, plan and rejects, and the report of every session that could leave one. Reads only. */
import { SluiceError } from '../../errors.ts';
import { refuseUnknownOptions, type NamesOf } from '../../option-names.ts';
import { readLoads, type LedgerLoad } from '../../ledger/reading.ts';
import { readRejectCauses } from '../../ledger/rejects.ts';
import { readRejectSamples, readSessionCount, readSessions } from '../../ledger/sessions.ts';
import type { Connection } from '../../target/driver.ts';
import { hideSecrets } from '../../secret-text.ts';
import { writeBatchResume } from '../control/command-text.ts';
import type { LoadReport, ReportedPlan, RejectSample, SessionReport, StoredReport } from '../options.ts';
import { parseRunPlan, type RunPlan } from '../plan/run-plan.ts';
import { chooseLoad } from '../session/session.ts';
import { isAlive, ledgerNames, openLedger, toStatus, type LedgerOptions } from '../control/status.ts';

/** Options of {@link report}. */
export interface ReportOptions extends LedgerOptions {
  /** `false`: samples of refused rows come with their places and without their text; `true` by default. */
  readonly rows?: boolean | undefined;
}

const reportNames: NamesOf<ReportOptions> = { ...ledgerNames, rows: true };

/** A screen of samples per cause says what is wrong; 200 of them with 300 characters each keep a page below 1 MB. */
const sampleLimits = { perCause: 3, rows: 200, rawCharacters: 300 } as const;

/**
 * Reads the report of a load, by default the newest. A session that was killed has left none; its rows are counted all the same.
 * @throws SLUICE_LOAD_UNKNOWN; SLUICE_USAGE for a batch of statements
 */
export async function report(options: ReportOptions): Promise<StoredReport> {
  refuseUnknownOptions('report', options, reportNames);
  const connection = await openLedger(options.in);
  try {
    const load = await findReported(connection, options);
    const run = parseRunPlan(load.plan, load.load);
    const { counts } = load;
    return {
      schema: 1,
      status: toStatus(load, hideSecrets(options.in), await isAlive(connection, load)),
      target: hideSecrets(options.in),
      isBalanced: counts.read === counts.written + counts.skipped + counts.rejected,
      failure: load.failure,
      plan: describePlan(run),
      rejectsByCause: await readRejectCauses(connection, load.load),
      samples: counts.rejected === 0 ? [] : await readSamples(connection, { load, run, hasRows: options.rows !== false }),
      sessionCount: await readSessionCount(connection, load.load),
      sessions: (await readSessions(connection, load.load)).map(parseSession),
    };
  } finally {
    await connection.close();
  }
}

async function findReported(connection: Connection, { in: target, load: name }: ReportOptions): Promise<LedgerLoad> {
  const newest =
    name === undefined ? (await readLoads(connection)).findLast((load) => load.mode !== 'batch' && load.mode !== 'delete') : undefined;
  const found = newest ?? (await chooseLoad(connection, name));
  if (found.mode !== 'batch') return found;
  throw new SluiceError('SLUICE_USAGE', `${found.load} is a batch of statements (${found.source}); a report is of a load of rows.`, {
    hint: `sluice status shows its counts. Its command: ${writeBatchResume(found, target)}`,
  });
}

function parseSession({ session, report: text }: { readonly session: number; readonly report: string }): SessionReport {
  return { session, report: JSON.parse(text) as LoadReport };
}

interface Sampled {
  readonly load: LedgerLoad;
  readonly run: RunPlan;
  readonly hasRows: boolean;
}

async function readSamples(connection: Connection, { load, run, hasRows }: Sampled): Promise<readonly RejectSample[]> {
  const files = run.source?.files ?? [];
  const samples = await readRejectSamples(connection, load.load, sampleLimits);
  return samples.map(({ file, raw, ...sample }) => ({ ...sample, file: files[file] ?? load.source, raw: hasRows ? raw : undefined }));
}

function describePlan(run: RunPlan): ReportedPlan {
  const { table } = run;
  return {
    format: run.format,
    columns: table.columns.map(({ name, type, dimensions, field, isEmbedded }) => ({
      name,
      type: type === 'vector' ? `vector(${String(dimensions ?? 0)})` : type,
      field,
      isKey: table.key.includes(name),
      isEmbedded: isEmbedded === true,
    })),
    ddl: table.ddl,
    deferredIndexes: table.deferredIndexes.map(({ name }) => name),
    decisions: run.decisions,
    guarantee: run.guarantee,
    lanes: run.lanes,
    shardBytes: run.shardBytes,
    maxBatchBytes: run.maxBatchBytes,
    maxBatchRows: run.maxBatchRows,
    maxRejects: run.maxRejects,
  };
}

/** What is known of a load whose ledger can't be read any more: the one report at hand. */
export function toStoredReport(single: LoadReport): StoredReport {
  const { load, label, state, table, mode, source, counts, shards, session, next, startedAt, endedAt, failure } = single;
  return {
    schema: 1,
    status: {
      load,
      label,
      state: state === 'nothing_to_do' ? 'done' : state,
      table,
      mode,
      source,
      counts,
      shards: { total: shards, done: 0 },
      bytes: session.bytes,
      totalBytes: undefined,
      openRejects: counts.rejected,
      startedAt,
      updatedAt: endedAt,
      next,
    },
    target: single.target,
    isBalanced: single.isBalanced,
    failure: failure === undefined ? undefined : `${failure.code}: ${failure.message}`,
    plan: undefined,
    rejectsByCause: single.rejectsByCause,
    samples: [],
    sessionCount: 1,
    sessions: [{ session: 1, report: single }],
  };
}
