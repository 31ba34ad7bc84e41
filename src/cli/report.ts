/** `sluice report`: the account of a load that ran before, from its ledger: on the terminal, as JSON, or as a page. */
import type { LoadReport, SessionReport, StoredReport } from '../load/options.ts';
import type { Invocation } from './invocation.ts';
import { toJsonLine } from './json-line.ts';
import { openLibrary } from './library.ts';
import { describeCause } from './progress-block.ts';
import { layoutSummary } from './load-summary.ts';
import { formatCount, formatCountOf, formatElapsed, formatRate } from './quantity.ts';
import { checkFilePath, writeNamedFile } from './report-file.ts';
import { readReportRequest } from './report-request.ts';
import { layoutLoads } from './status.ts';
import { layoutTable } from './table.ts';
import { writeAll, type Colors } from './terminal.ts';

/** Runs the command. @throws SLUICE_USAGE for options that can't be used, and what the ledger throws. */
export async function runReport(invocation: Invocation): Promise<number> {
  const { stdout, stderr } = invocation.terminal;
  const { options, isJson, html } = readReportRequest(invocation);
  checkFilePath(html, '--html');
  const { report, renderReport } = await openLibrary();
  const stored = await report(options);
  invocation.ready();
  if (html !== undefined) {
    await writeNamedFile(html, renderReport(stored), 'name a file that can be written');
    stderr.write(`wrote ${html}\n`);
  }
  if (isJson) await writeAll(stdout, [toJsonLine(stored)]);
  else if (html === undefined)
    await writeAll(
      stdout,
      layoutStored(stored, stdout.width(), stdout.colors).map((line) => `${line}\n`),
    );
  return 0;
}

/** The last session's summary with the counts of the whole load; where there is none, what the ledger says. */
export function layoutStored(stored: StoredReport, width: number | undefined, colors: Colors): readonly string[] {
  const { sessions, sessionCount, status } = stored;
  const last = sessions.at(-1)?.report;
  const table = sessionCount > 1 ? ['', ...layoutSessions(stored, width, colors)] : [];
  if (last !== undefined) return [...layoutSummary({ ...last, counts: status.counts, next: status.next }, colors), ...table];
  const why =
    status.state === 'running' ? 'the load is running: a session leaves its report when it ends' : 'no session of this load left a report';
  const causes = stored.rejectsByCause.map((cause) => `  ${formatCount(cause.count)} × ${describeCause(cause)}`);
  const titled = causes.length === 0 ? [] : [colors.yellow('rejected rows by cause'), ...causes];
  return [why, ...layoutLoads([status], width, colors.dim), ...titled];
}

function layoutSessions({ sessions, sessionCount }: StoredReport, width: number | undefined, colors: Colors): readonly string[] {
  const titles = ['session', 'ended', 'begun', 'read', 'rows/s', 'time', 'lanes'];
  const table = layoutTable({
    columns: titles.map((title, index) => ({ title, align: index === 0 || index > 2 ? 'right' : 'left' })),
    rows: sessions.map(describeSession),
    width,
    styleTitle: colors.dim,
  });
  const lost = sessionCount - sessions.length;
  return lost > 0 ? [...table, colors.dim(`${formatCountOf(lost, 'session')} left no report: killed, or still running`)] : table;
}

function describeSession({ session, report }: SessionReport): readonly string[] {
  const { session: own, state, startedAt, lanes }: LoadReport = report;
  const numbers = [formatCount(own.read), formatRate(own.rowsPerSecond), formatElapsed(own.elapsedMs), formatCount(lanes)];
  return [String(session), state.replaceAll('_', ' '), startedAt, ...numbers];
}
