/** The account of a load as a person reads it: what became of the rows, how long it took and why, and what to do next. Failures come last. */
import { stageNames } from '../load/options.ts';
import type { Counts, LoadReport } from '../load/options.ts';
import { layoutFailure } from './failure.ts';
import { describeCause } from './progress-block.ts';
import { formatBytes, formatCount, formatCountOf, formatElapsed, formatRate, formatShare } from './quantity.ts';
import { describeDecisions, layoutItems, omitDecided } from './item-list.ts';
import type { Item } from './item-list.ts';
import type { Colors } from './terminal.ts';
import { measureWidth, padText } from './text-width.ts';
import { isErrorCode } from './exit-code.ts';

/** A screen's worth; `sluice rejects --summary` has them all. */
const maxCausesShown = 10;
const countNames = ['read', 'written', 'skipped', 'rejected'] as const satisfies readonly (keyof Counts)[];

const stateTitles: Readonly<Record<LoadReport['state'], string>> = {
  done: 'done',
  nothing_to_do: 'nothing to do, an earlier load has done it',
  limit: 'stopped at the limit of rows',
  time_limit: 'stopped, the time is over',
  reject_limit: 'stopped, too many rows were rejected',
  cancelled: 'interrupted',
  failed: 'failed',
};

/** The summary's lines. */
export function layoutSummary(report: LoadReport, colors: Colors): readonly string[] {
  const items: readonly Item[] = [
    ...describeCounts(report, colors),
    ...(report.state === 'nothing_to_do' ? [] : omitDecided(describeEffort(report), report.decisions)),
    ...describeDecisions(report.decisions, colors),
    ['guarantee', report.guarantee],
    ...describeVerification(report, colors),
  ];
  return [
    layoutTitle(report, colors),
    ...layoutItems(items),
    ...layoutCauses(report, colors),
    ...layoutReportFailure(report, colors),
    ...(report.next ? [`${colors.cyan('→')} ${report.next}`] : []),
  ];
}

function layoutTitle(report: LoadReport, colors: Colors): string {
  const style = ['done', 'nothing_to_do', 'limit'].includes(report.state) ? colors.green : colors.red;
  const label = report.label === undefined ? '' : `, label ${report.label}`;
  return `${style(colors.bold(stateTitles[report.state]))}: ${report.source} → ${report.target}, table ${report.table} (load ${report.load}${label})`;
}

/** The promise of every load, computed here again from the counts that are shown: the report's own word is not enough. */
function describeCounts(report: LoadReport, colors: Colors): readonly Item[] {
  const { read, written, skipped, rejected } = report.counts;
  const shown = [read, written, skipped, rejected].map(formatCount);
  const width = Math.max(...shown.map(measureWidth));
  const rows = countNames.map((name, index): Item => [name, padText(shown[index] ?? '', width, 'left')]);
  const [left = '', ...parts] = shown;
  const sum = `${left} = ${parts.join(' + ')}`;
  const isRight = report.isBalanced && read === written + skipped + rejected;
  const verdict = isRight
    ? colors.green(`✓ ${sum}: every row is accounted for`)
    : colors.red(`✗ ${sum} does not hold: rows are not accounted for`);
  return [...rows, ['', verdict], ...describeSync(report), ...describeSession(report)];
}

/** What mode sync made of the table. */
function describeSync({ sync }: LoadReport): readonly Item[] {
  if (sync === undefined) return [];
  const { inserted, updated, unchanged, deleted } = sync;
  return [
    [
      'sync',
      `${formatCount(inserted)} inserted, ${formatCount(updated)} updated, ${formatCount(unchanged)} unchanged, ${formatCount(deleted)} deleted`,
    ],
  ];
}

/** Only where an earlier session did a part: else it would say the same again. */
function describeSession({ session, counts }: LoadReport): readonly Item[] {
  if (countNames.every((name) => session[name] === counts[name])) return [];
  return [['this run', countNames.map((name) => `${formatCount(session[name])} ${name}`).join(', ')]];
}

/** Rates are those of this run: a resumed load's earlier hours would hide how fast it is now. */
function describeEffort(report: LoadReport): readonly Item[] {
  const { session, commits, lanes, shards, embedding, index } = report;
  const rates = `${formatRate(session.rowsPerSecond)} rows/s, ${formatBytes(session.bytesPerSecond)}/s`;
  const items: Item[] = [
    ['took', `${describeTime(session)}: ${rates}`],
    ['processor', `${formatElapsed(report.cpuMs)} of processor time, ${formatRate(report.rowsPerCpuSecond)} rows per CPU-second`],
    ['memory', `${formatBytes(report.peakRssBytes)} at the peak`],
    ['lanes', `${formatCountOf(lanes, 'lane')} over ${formatCountOf(shards, 'shard')}`],
    ['stages', describeStageTimes(report)],
  ];
  if (commits.count > 0) items.push(['commits', describeCommits(commits)]);
  if (embedding) items.push(['embedding', describeEmbedding(embedding)]);
  if (index) items.push(['index', describeIndex(index)]);
  return items;
}

/** The rates are those of loading alone, so a long index build is told apart from it. */
function describeTime({ elapsedMs, loadMs }: LoadReport['session']): string {
  const isMostlyLoading = loadMs >= 0.9 * elapsedMs;
  return isMostlyLoading ? formatElapsed(elapsedMs) : `${formatElapsed(elapsedMs)}, ${formatElapsed(loadMs)} of it loading`;
}

function describeStageTimes({ stageMs, embedding }: LoadReport): string {
  const total = stageNames.reduce((sum, stage) => sum + stageMs[stage], 0);
  const shown = stageNames.filter((stage) => stage !== 'embed' || embedding !== undefined);
  return shown
    .map((stage) => `${stage} ${formatElapsed(stageMs[stage])} (${formatShare(total > 0 ? stageMs[stage] / total : 0)})`)
    .join(', ');
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

/** One line when all is well; each failure on a line of its own. */
function describeVerification({ verification }: LoadReport, colors: Colors): readonly Item[] {
  if (!verification) return [];
  const failed = verification.checks.filter((check) => !check.isOk);
  if (verification.isOk) return [['verified', colors.green(`✓ ${formatCountOf(verification.checks.length, 'check')} passed`)]];
  return failed.map((check): Item => ['verified', colors.red(`✗ ${check.name}: expected ${check.expected}, found ${check.found}`)]);
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
