/** Progress as lines of text: a block for a terminal, one line for a log. Pure, and no line is wider than asked. */
import { findBottleneck } from '../load/report/bottleneck.ts';
import type { WorkStage } from '../load/report/bottleneck.ts';
import { stageNames } from '../load/options.ts';
import type { Progress, RejectCause } from '../load/options.ts';
import { formatBytes, formatCount, formatCountOf, formatDuration, formatRate, formatShare } from './quantity.ts';
import { flowPieces } from './table.ts';
import type { Colors } from './terminal.ts';
import { cutText, flattenText } from './text-width.ts';

const maxBarWidth = 40;
const minBarWidth = 8;
/** Causes of rejects that a block shows; the summary has all. */
const maxCausesShown = 3;

const workNames: Readonly<Record<WorkStage, string>> = {
  read: 'reading the input',
  check: 'checking values',
  embed: 'embedding',
  commit: 'writing to the database',
};

const phaseNames: Readonly<Record<Progress['phase'], string>> = {
  plan: 'planning',
  load: 'loading',
  index: 'finishing the table',
  verify: 'verifying',
  done: 'done',
};

/** Indexes of the table come back in the same phase in which a vector index may be built. */
function nameWork({ phase, indexed }: Progress): string {
  if (phase !== 'index' || indexed === undefined) return phaseNames[phase];
  return indexed.index === undefined ? 'building the vector index' : `making ${indexed.index}`;
}

/** Part of the work of the phase that is done, 0 to 1; undefined where the whole is not known. */
export function measureShare(progress: Progress): number | undefined {
  if (progress.phase === 'index') return ratio(progress.indexed?.done, progress.indexed?.total);
  return progress.phase === 'load' ? ratio(progress.bytes, progress.totalBytes) : undefined;
}

function ratio(part: number | undefined, whole: number | undefined): number | undefined {
  return part === undefined || !whole ? undefined : Math.min(1, Math.max(0, part / whole));
}

interface BlockOptions {
  readonly width: number;
  readonly height: number;
  readonly colors: Colors;
}

/** The lines of the block, without line feeds; each at most `width` cells, all together at most `height`. */
export function layoutBlock(progress: Progress, options: BlockOptions): readonly string[] {
  const { colors, width } = options;
  const room = Math.max(1, width - 2);
  const lines = [
    ...layoutHead(progress, options),
    ...indent(flowPieces(describeAmounts(progress), room)),
    ...indent(flowPieces(describeStages(progress), room)).map(colors.dim),
    ...indent(flowPieces(describeEmbedding(progress), room)).map(colors.dim),
    ...indent(describeRejects(progress, room)).map(colors.yellow),
    ...indent(describeBottleneck(progress, room)).map(colors.dim),
  ];
  return lines.slice(0, Math.max(1, options.height));
}

function indent(lines: readonly string[]): readonly string[] {
  return lines.map((line) => `  ${line}`);
}

/** Where the bar has no room the percentage stands alone. */
function layoutHead(progress: Progress, { width, colors }: BlockOptions): readonly string[] {
  const share = measureShare(progress);
  const name = nameWork(progress);
  if (share === undefined) return [colors.bold(cutText(name, width))];
  const percent = formatShare(share).padStart(5);
  const barWidth = Math.min(maxBarWidth, width - name.length - percent.length - 2);
  if (barWidth < minBarWidth) return [colors.bold(cutText(`${name} ${percent.trim()}`, width))];
  const filled = Math.floor(share * barWidth);
  const bar = colors.cyan('█'.repeat(filled)) + colors.dim('░'.repeat(barWidth - filled));
  return [`${colors.bold(name)} ${bar} ${percent}`];
}

function describeAmounts(progress: Progress): readonly string[] {
  const { phase, indexed, counts, bytes, totalBytes, rowsPerSecond, etaMs, elapsedMs } = progress;
  // "0s left" that stands for a while is a small lie.
  const left = etaMs === undefined ? [] : [`${formatDuration(Math.max(1_000, etaMs))} left`];
  const time = [...left, `${formatDuration(elapsedMs)} so far`];
  if (phase === 'plan') return time;
  if (phase === 'index' && indexed?.index !== undefined) return time;
  if (phase === 'index' && indexed) return [`${formatCount(indexed.done)} of ${formatCountOf(indexed.total, 'row')} indexed`, ...time];
  const size = totalBytes === undefined ? formatBytes(bytes) : `${formatBytes(bytes)} of ${formatBytes(totalBytes)}`;
  return [formatCountOf(counts.read, 'row'), size, ...(phase === 'load' ? [`${formatRate(rowsPerSecond)} rows/s`] : []), ...time];
}

/** Before the first batch there are no shares, and a row of zeros would look like an answer. */
function describeStages({ phase, stageShare, lanes, queuedBytes, embedding }: Progress): readonly string[] {
  if (phase !== 'load') return [];
  const isMeasured = stageNames.some((stage) => stageShare[stage] > 0);
  const shown = stageNames.filter((stage) => stage !== 'embed' || embedding !== undefined);
  return [
    ...(isMeasured ? shown.map((stage) => `${stage} ${formatShare(stageShare[stage])}`) : []),
    `queued ${formatBytes(queuedBytes)} in ${formatCountOf(lanes, 'lane')}`,
  ];
}

function describeEmbedding({ embedding }: Progress): readonly string[] {
  if (!embedding || embedding.texts === 0) return [];
  const hits = ratio(embedding.cached, embedding.distinct) ?? 0;
  return [
    `${formatCountOf(embedding.texts, 'text')}, ${formatCount(embedding.distinct)} different`,
    `cache ${formatCount(embedding.cached)} (${formatShare(hits)})`,
    `embedded ${formatCount(embedding.embedded)}`,
  ];
}

function describeRejects({ counts, rejectsByCause }: Progress, width: number): readonly string[] {
  if (counts.rejected === 0) return [];
  const causes = rejectsByCause
    .slice(0, maxCausesShown)
    .map((cause) => cutText(`${formatCount(cause.count)} × ${describeCause(cause)}`, width));
  return [cutText(`${formatCount(counts.rejected)} rejected`, width), ...causes];
}

/** A cause in words: the code, the column, what is wrong. */
export function describeCause({ code, column, message }: RejectCause): string {
  return flattenText(column === undefined ? `${code}: ${message}` : `${code} in ${column}: ${message}`);
}

function describeBottleneck(progress: Progress, width: number): readonly string[] {
  if (progress.heldBy === 'pause') return [cutText('paused by sluice pause', width)];
  if (progress.heldBy === 'rate') return [cutText('slowest: held back by --rate', width)];
  const stage = progress.phase === 'load' ? findBottleneck(progress) : undefined;
  return stage === undefined ? [] : [cutText(`slowest: ${workNames[stage]}`, width)];
}

/** One line for a log. */
export function layoutLine(progress: Progress): string {
  const share = measureShare(progress);
  const { counts, rejectsByCause } = progress;
  const [top] = rejectsByCause;
  const rejected = top ? `, most by ${describeCause(top)}` : '';
  return [
    share === undefined ? nameWork(progress) : `${nameWork(progress)} ${formatShare(share)}`,
    ...describeAmounts(progress),
    ...(counts.rejected > 0 ? [`${formatCount(counts.rejected)} rejected${rejected}`] : []),
    ...describeBottleneck(progress, Number.MAX_SAFE_INTEGER),
  ].join(' · ');
}
