/** The page of a load: its account first, then what happened in its sessions, what was refused, what was planned, and where it ran. Takes data and returns text. */
import type { Environment, LoadReport, SessionReport, StoredReport } from '../load/report/report-contract.ts';
import { formatBytes, formatCount, formatCountOf, formatElapsed, formatRate, formatShare } from '../quantity-text.ts';
import { writeBars } from './bar-table.ts';
import { writeTable } from './chart.ts';
import { describeState, formatMoment, writeHeadline } from './headline.ts';
import { markup, type Markup } from './markup.ts';
import { writeFacts, writePage, writeSection } from './page.ts';
import { writePlan, writeWarnings } from './plan-section.ts';
import { writeRejects } from './reject-section.ts';
import { tidy } from './safe-text.ts';
import { writeSession } from './session-section.ts';

/** Sessions drawn with all their charts; older ones are lines of a table. */
const drawnSessions = 3;
const maxChecks = 40;

/** Writes the page: one file of HTML, at most some hundred kilobytes, that fetches nothing and needs no script. */
export function renderReport(stored: StoredReport): string {
  const { status, sessions } = stored;
  const last = sessions.at(-1)?.report;
  const content = [
    writeHeadline(stored),
    writeSection('Warnings', writeWarnings(stored)),
    writeSection('Sessions', writeSessionTable(stored)),
    writeSection(sessions.length > 1 ? `Session ${String(sessions.at(-1)?.session)}` : 'How it went', writeLast(stored)),
    writeSection('Rejected rows', writeRejects(stored)),
    writeSection('Rows by what became of them', last === undefined ? undefined : writeSync(last)),
    writeSection('Embedding', last === undefined ? undefined : writeEmbedding(last)),
    writeSection('Vector index', last === undefined ? undefined : writeIndex(last)),
    writeSection('Verification', last === undefined ? undefined : writeVerification(last)),
    writeSection('Plan', writePlan(stored)),
    writeSection('Environment', writeEnvironment(last?.environment, last)),
  ];
  const version = last?.environment?.sluice;
  const footer = `Made by sluice${version === undefined ? '' : ` ${version}`}. Everything is in this file; it fetches nothing.`;
  return writePage({ title: `${tidy(status.source, 100)} → ${tidy(status.table, 100)}, load ${status.load}`, content, footer });
}

function writeLast({ sessions, status }: StoredReport): Markup {
  const last = sessions.at(-1);
  if (last === undefined) {
    const why =
      status.state === 'running'
        ? 'A session leaves its report when it ends.'
        : 'No session of this load left a report: it was killed, or run by an older version.';
    return markup`<p>${why} The counts above are the ledger’s.</p>`;
  }
  const earlier = sessions.slice(-drawnSessions, -1).toReversed();
  const others = earlier.map(({ session, report }) => {
    return markup`<details class="session"><summary>Session ${session}: ${formatCountOf(report.session.read, 'row')}, ${formatRate(report.session.rowsPerSecond)} rows/s</summary>${writeSession(report, `s${String(session)}`)}</details>\n`;
  });
  return markup`${writeSession(last.report, `s${String(last.session)}`)}${others}`;
}

function writeSessionTable({ sessions, sessionCount }: StoredReport): Markup | undefined {
  const lost = Math.max(0, sessionCount - sessions.length);
  if (sessions.length < 2 && lost === 0) return undefined;
  const lines = sessions.map(({ session, report }: SessionReport) => {
    const { session: own, startedAt, lanes } = report;
    const cells = [formatCount(own.read), formatRate(own.rowsPerSecond), formatElapsed(own.elapsedMs), formatCount(lanes)];
    return markup`<tr><th scope="row">${session}</th><td class="text">${describeState(report.state)}</td><td class="number">${formatMoment(startedAt)}</td>${cells.map((cell) => markup`<td class="number">${cell}</td>`)}</tr>\n`;
  });
  const note =
    lost === 0
      ? undefined
      : markup`<p class="soft">${formatCountOf(lost, 'session')} left no report: killed, still running, or more than a hundred ago.</p>`;
  const numbers = ['rows read', 'rows/s', 'time', 'lanes'].map((title) => markup`<th scope="col" class="number">${title}</th>`);
  return markup`<div class="scroll" tabindex="0" role="region" aria-label="Sessions"><table><thead><tr><th scope="col">session</th><th scope="col">ended</th><th scope="col" class="number">begun</th>${numbers}</tr></thead><tbody>\n${lines}</tbody></table></div>${note}`;
}

function writeSync({ sync }: LoadReport): Markup | undefined {
  if (sync === undefined) return undefined;
  const tones = { inserted: 'tone-good', updated: 'tone-main', unchanged: 'tone-wait', deleted: 'tone-bad' } as const;
  const rows = (['inserted', 'updated', 'unchanged', 'deleted'] as const).map((name) => ({
    label: name,
    value: sync[name],
    tone: tones[name],
    cells: [formatCount(sync[name])],
  }));
  return writeBars({ caption: 'Rows by what mode sync did', columns: ['what', 'rows'], rows });
}

function writeEmbedding({ embedding }: LoadReport): Markup | undefined {
  if (embedding === undefined) return undefined;
  const { texts, distinct, cached, embedded, embedder } = embedding;
  const rows = [
    { label: 'texts', value: texts, cells: [formatCount(texts), ''], tone: 'tone-wait' },
    { label: 'different', value: distinct, cells: [formatCount(distinct), ''], tone: 'tone-wait' },
    {
      label: 'from the cache',
      value: cached,
      cells: [formatCount(cached), formatShare(distinct > 0 ? cached / distinct : 0)],
      tone: 'tone-good',
    },
    {
      label: 'embedded',
      value: embedded,
      cells: [formatCount(embedded), formatShare(distinct > 0 ? embedded / distinct : 0)],
      tone: 'tone-embed',
    },
  ];
  return markup`<p>By ${tidy(embedder)}; of the whole load.</p>${writeBars({ caption: 'Texts', columns: ['texts', 'count', 'of the different ones'], rows })}`;
}

function writeIndex({ index }: LoadReport): Markup | undefined {
  if (index === undefined) return undefined;
  const { kind, rows, buildMs, why } = index;
  const text = kind === 'none' ? 'None was built' : `${kind} over ${formatCountOf(rows, 'row')}, built in ${formatElapsed(buildMs)}`;
  return markup`<p>${text}: ${tidy(why)}</p>`;
}

function writeVerification({ verification }: LoadReport): Markup | undefined {
  if (verification === undefined) return undefined;
  const rows = verification.checks.slice(0, maxChecks).map(({ name, isOk, expected, found }) => {
    return [`${isOk ? '✓' : '✗ failed:'} ${tidy(name, 200)}`, tidy(expected, 100), tidy(found, 100)];
  });
  const verdict = verification.isOk ? 'The table holds what the ledger says.' : 'The table does not hold what the ledger says.';
  const tone = verification.isOk ? 'good' : 'bad';
  return markup`<p class="verdict ${tone}">${verification.isOk ? '✓' : '✗'} ${verdict}</p>${writeTable({ columns: ['check', 'expected', 'found'], rows }, 'Checks')}`;
}

function writeEnvironment(environment: Environment | undefined, last: LoadReport | undefined): Markup | undefined {
  if (environment === undefined) return undefined;
  const { sluice, node, platform, cpu, cores, memoryBytes, target, targetVersion } = environment;
  return writeFacts([
    ['sluice', tidy(sluice, 40)],
    ['Node.js', tidy(node, 40)],
    ['platform', tidy(platform, 40)],
    ['processor', `${tidy(cpu, 100)}, ${formatCountOf(cores, 'core')}`],
    ['memory', formatBytes(memoryBytes)],
    ['target', targetVersion === undefined ? tidy(target, 40) : `${tidy(target, 40)}, ${tidy(targetVersion, 100)}`],
    last === undefined ? undefined : ['lanes', formatCount(last.lanes)],
    last === undefined ? undefined : ['rows per CPU-second', formatRate(last.rowsPerCpuSecond)],
  ]);
}
