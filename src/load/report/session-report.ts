/** What stays of a session: its report in the ledger, also where it failed. A report that can't be kept never makes a load fail; it says so itself. */
import type { SluiceError } from '../../errors.ts';
import { findLoad, type LedgerLoad } from '../../ledger/reading.ts';
import { readRejectCauses } from '../../ledger/rejects.ts';
import { insertSession } from '../../ledger/sessions.ts';
import { describeEnvironment } from './environment.ts';
import type { LoadReport } from '../options.ts';
import { makeReport, type Ending } from './report.ts';
import type { Session } from '../session/session.ts';
import { readSyncCounts } from '../session/sync.ts';
import type { Tally } from './tally.ts';

/** Reports of loads that failed, by the error that told so: an error is thrown, and its report goes with it. */
const failureReports = new WeakMap<SluiceError, LoadReport>();

/** The report of the load that failed with this error; undefined for errors before a session began. */
export function findFailureReport(error: unknown): LoadReport | undefined {
  return failureReports.get(error as SluiceError);
}

/** Writes the report into the ledger. The one returned says so where that could not be. */
export async function keepReport(session: Session, report: LoadReport): Promise<LoadReport> {
  const text = JSON.stringify(report, (_, value: unknown) => (typeof value === 'bigint' ? Number(value) : value));
  const records = insertSession(session.load, text, report.endedAt);
  try {
    await session.connection.transact(records);
    return report;
  } catch {
    return keepAfterAnother(session, report, records);
  }
}

/** A session that ended at the same moment took its number; the next one is free. */
async function keepAfterAnother(session: Session, report: LoadReport, records: ReturnType<typeof insertSession>): Promise<LoadReport> {
  try {
    await session.connection.transact(records);
    return report;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const note = { what: 'warning', choice: 'this report could not be kept in the ledger', why };
    return { ...report, decisions: [...report.decisions, note] };
  }
}

/** What a session had gathered when it failed. */
export interface Failing {
  readonly session: Session;
  readonly tally: Tally;
  readonly startedMs: number;
  readonly cpu: NodeJS.CpuUsage;
  /** Whether the target took the failure: else it is not asked again. */
  readonly isReachable: boolean;
}

/** Makes and keeps the report of a failed session, to be had by {@link findFailureReport}. */
export async function reportFailure(failing: Failing, error: SluiceError): Promise<void> {
  const { session, tally, startedMs } = failing;
  const found = failing.isReachable ? await readBack(session) : undefined;
  const spent = { ms: performance.now() - startedMs, cpu: process.cpuUsage(failing.cpu) };
  const ending: Ending = {
    session,
    tally,
    end: 'cancelled',
    index: undefined,
    verification: undefined,
    restored: [],
    after: found?.load ?? estimateLoad(session.before, tally),
    causes: found?.causes ?? session.causesBefore,
    loaded: spent,
    elapsedMs: spent.ms,
    cpu: spent.cpu,
    environment: found?.environment,
    sync: found?.sync,
  };
  const failure = { code: error.code, message: error.message, hint: error.hint };
  const report: LoadReport = { ...makeReport(ending), state: 'failed', failure };
  failureReports.set(error, found === undefined ? report : await keepReport(session, report));
}

interface Found {
  readonly load: LedgerLoad | undefined;
  readonly causes: LoadReport['rejectsByCause'];
  readonly environment: LoadReport['environment'];
  readonly sync: LoadReport['sync'];
}

async function readBack({ connection, load }: Session): Promise<Found | undefined> {
  try {
    const after = await findLoad(connection, load);
    return {
      load: after,
      sync: after === undefined ? undefined : await readSyncCounts(connection, after),
      causes: await readRejectCauses(connection, load),
      environment: await describeEnvironment(connection),
    };
  } catch {
    // The target went away meanwhile: the report is made of what this session counted, and the load's own error is the one that is told.
    return undefined;
  }
}

function estimateLoad(before: LedgerLoad, tally: Tally): LedgerLoad {
  const { counts } = before;
  return {
    ...before,
    state: 'failed',
    counts: {
      read: counts.read + tally.read,
      written: counts.written + tally.written,
      skipped: counts.skipped + tally.skipped,
      rejected: counts.rejected + tally.rejected,
    },
  };
}
