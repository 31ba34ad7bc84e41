/** The account of a load as a person reads it: what became of the rows, how long it took and why, and what to do next. Failures come last. */
import { stageNames } from '../load/options.ts';
import type { Counts, LoadReport } from '../load/options.ts';
import { layoutFailure } from './failure.ts';
import { describeCause } from './progress-block.ts';
import { formatBytes, formatCount, formatCountOf, formatElapsed, formatRate, formatShare } from './quantity.ts';
import type { Colors } from './terminal.ts';
import { padText, measureWidth } from './text-width.ts';
import { isErrorCode } from './exit-code.ts';

const labelWidth = 12;
/** A screen's worth; `sluice rejects --summary` has them all. */
const maxCausesShown = 10;

const stateTitles: Readonly<Record<LoadReport['state'], string>> = {
  done: 'done',
  nothing_to_do: 'nothing to do: an earlier load has done it',
  reject_limit: 'stopped: too many rows were rejected',
  cancelled: 'interrupted',
  failed: 'failed',
};

/** The summary's lines. */
export function layoutSummary(report: LoadReport, colors: Colors): readonly string[] {
  return [
    layoutTitle(report, colors),
    ...layoutCounts(report, colors),
    ...(report.state === 'nothing_to_do' ? [] : layoutEffort(report)),
    ...layoutDecisions(report, colors),
    ...layoutVerification(report, colors),
    ...layoutCauses(report, colors),
    ...layoutReportFailure(report, colors),
    ...(report.next ? [`${colors.cyan('→')} ${report.next}`] : []),
  ];
}

function layoutTitle(report: LoadReport, colors: Colors): string {
  const style = report.state === 'done' || report.state === 'nothing_to_do' ? colors.green : colors.red;
  const label = report.label === undefined ? '' : `, label ${report.label}`;
  return `${style(colors.bold(stateTitles[report.state]))}: ${report.source} → ${report.target}, table ${report.table} (load ${report.load}${label})`;
}

function layoutCounts(report: LoadReport, colors: Colors): readonly string[] {
  const { read, written, skipped, rejected } = report.counts;
  const shown = [read, written, skipped, rejected].map(formatCount);
  const width = Math.max(...shown.map(measureWidth));
  const rows = ['read', 'written', 'skipped', 'rejected'].map((name, index) => item(name, padText(shown[index] ?? '', width, 'left')));
  const [left = '', ...parts] = shown;
  const sum = `${left} = ${parts.join(' + ')}`;
  const isRight = report.isBalanced && read === written + skipped + rejected;
  const verdict = isRight ? colors.green(`✓ ${sum}: every row is accounted for`) : colors.red(`✗ ${sum} does not hold: rows are not accounted for`);
  return [...rows, item('', verdict), ...layoutSession(report)];
}

/** Only where an earlier session did a part: else it would say the same again. */
function layoutSession({ session, counts }: LoadReport): readonly string[] {
  const names = ['read', 'written', 'skipped', 'rejected'] as const satisfies readonly (keyof Counts)[];
  if (names.every((name) => session[name] === counts[name])) return [];
  return [item('this run', names.map((name) => `${formatCount(session[name])} ${name}`).join(', '))];
}

function layoutEffort(report: LoadReport): readonly string[] {
  const { session, commits, lanes, shards, embedding, index } = report;
  const lines = [
    item('took', `${formatElapsed(session.elapsedMs)}: ${formatRate(session.rowsPerSecond)} rows/s, ${formatBytes(session.bytesPerSecond)}/s`),
    item('processor', `${formatElapsed(report.cpuMs)} of processor time, ${formatRate(report.rowsPerCpuSecond)} rows per CPU-second`),
    item('memory', `${formatBytes(report.peakRssBytes)} at the peak`),
    item('lanes', `${formatCountOf(lanes, 'lane')} over ${formatCountOf(shards, 'shard')}`),
    item('stages', describeStageTimes(report)),
  ];
  if (commits.count > 0) lines.push(item('commits', describeCommits(commits)));
  if (embedding) lines.push(item('embedding', describeEmbedding(embedding)));
  if (index) lines.push(item('index', describeIndex(index)));
  return lines;
}

function describeStageTimes({ stageMs, embedding }: LoadReport): string {
  const total = stageNames.reduce((sum, stage) => sum + stageMs[stage], 0);
  const shown = stageNames.filter((stage) => stage !== 'embed' || embedding !== undefined);
  return shown.map((stage) => `${stage} ${formatElapsed(stageMs[stage])} (${formatShare(total > 0 ? stageMs[stage] / total : 0)})`).join(', ');
}

function describeCommits({ count, p50Ms, p95Ms, p99Ms, maxMs }: LoadReport['commits']): string {
  const [p50, p95, p99, max] = [p50Ms, p95Ms, p99Ms, maxMs].map(formatElapsed);
  return `${formatCount(count)}: p50 ${p50}, p95 ${p95}, p99 ${p99}, longest ${max}`;
}

function describeEmbedding({ embedder, texts, distinct, cached, embedded }: NonNullable<LoadReport['embedding']>): string {
  const counts = `${formatCountOf(texts, 'text')}, ${formatCount(distinct)} different`;
  return `${counts}: ${formatCount(cached)} from the cache, ${formatCount(embedded)} embedded by ${embedder}`;
}

function describeIndex({ kind, rows, buildMs, why }: NonNullable<LoadReport['index']>): string {
  return kind === 'none' ? `none: ${why}` : `${kind} over ${formatCountOf(rows, 'row')} in ${formatElapsed(buildMs)}: ${why}`;
}

function layoutDecisions({ decisions, guarantee }: LoadReport, colors: Colors): readonly string[] {
  return [...decisions.map(({ what, choice, why }) => item(what, `${choice} ${colors.dim(`(${why})`)}`)), item('guarantee', guarantee)];
}

function layoutVerification({ verification }: LoadReport, colors: Colors): readonly string[] {
  if (!verification) return [];
  const failed = verification.checks.filter((check) => !check.isOk);
  if (verification.isOk) return [item('verified', colors.green(`✓ ${formatCountOf(verification.checks.length, 'check')} passed`))];
  return failed.map((check) => item('verified', colors.red(`✗ ${check.name}: expected ${check.expected}, found ${check.found}`)));
}

function layoutCauses({ rejectsByCause, counts }: LoadReport, colors: Colors): readonly string[] {
  if (counts.rejected === 0 || rejectsByCause.length === 0) return [];
  const shown = rejectsByCause.slice(0, maxCausesShown);
  const width = Math.max(...shown.map((cause) => formatCount(cause.count).length));
  const rest = rejectsByCause.length - shown.length;
  return [
    colors.yellow('rejected rows by cause'),
    ...shown.map((cause) => `  ${formatCount(cause.count).padStart(width)} × ${describeCause(cause)}`),
    ...(rest > 0 ? [`  and ${formatCountOf(rest, 'further cause')}`] : []),
  ];
}

function layoutReportFailure({ failure }: LoadReport, colors: Colors): readonly string[] {
  if (!failure) return [];
  return layoutFailure({ ...failure, code: isErrorCode(failure.code) ? failure.code : 'SLUICE_INTERNAL', problems: [] }, colors);
}

function item(name: string, text: string): string {
  return `  ${padText(name, labelWidth)} ${text}`;
}
