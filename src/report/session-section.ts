/** One session of a load: its rate over time, where the lanes' time went, and how long commits took. */
import { stageNames, type LoadReport, type StageName } from '../load/report/report-contract.ts';
import { formatBytes, formatCount, formatCountOf, formatElapsed, formatRate, formatShare } from '../quantity-text.ts';
import { writeBars } from './bar-table.ts';
import { writeFigure } from './chart.ts';
import { markup, type Markup } from './markup.ts';
import { describeStretch, writeSeries, writeTimeAxis } from './series-plot.ts';
import { showTimeline, toRates, toShares, type ShownTimeline } from './shown-timeline.ts';

const stageWords: Readonly<Record<StageName, string>> = {
  read: 'reading and parsing the source',
  check: 'turning values into columns, and checking them',
  embed: 'making vectors of texts',
  wait: 'waiting for the turn to write',
  commit: 'writing, until the target has it',
};

/** Charts of a session. `id` keeps those of several sessions in one page apart. */
export function writeSession(report: LoadReport, id: string): Markup {
  const shown = showTimeline(report);
  const curves = shown === undefined ? writeShort(report) : [writeRates(report, shown, id), writeStageCurves(report, shown, id)];
  return markup`${curves}${writeStageSums(report)}${writeCommits(report)}`;
}

function writeShort({ session }: LoadReport): Markup {
  if (session.read === 0) return markup`<p>No row was read in this session.</p>`;
  return markup`<p>${formatCountOf(session.read, 'row')} in ${formatElapsed(session.loadMs)}: too short for a curve.</p>`;
}

function writeRates({ session }: LoadReport, shown: ShownTimeline, id: string): Markup {
  const { binMs, endMs } = shown;
  const [rows, bytes, rejected] = [shown.rows, shown.bytes, shown.rejected].map((values) => toRates(shown, values));
  const rate = (values: readonly number[] = []): { values: readonly number[]; binMs: number; endMs: number } => ({ values, binMs, endMs });
  const [highest, lowest] = [Math.max(...(rows ?? [])), Math.min(...(rows ?? []))];
  const curve = writeSeries({
    series: rate(rows),
    label: `Rows per second over ${formatElapsed(endMs)}.`,
    tone: 'tone-main',
    read: (value) => `${formatRate(value)} rows/s`,
  });
  const byteCurve = writeSeries({
    series: rate(bytes),
    label: `Bytes of the source per second over ${formatElapsed(endMs)}.`,
    tone: 'tone-second',
    read: (value) => `${formatBytes(value)}/s`,
    formatValue: formatBytes,
  });
  const columns = ['time', 'rows/s', 'bytes/s', 'rejected rows/s'];
  const table = {
    columns,
    rows: shown.rows.map((_, index) => [
      describeStretch(shown.rows.length > 0 ? rate(rows) : rate(), index),
      formatRate(rows?.[index] ?? 0),
      `${formatBytes(bytes?.[index] ?? 0)}/s`,
      formatRate(rejected?.[index] ?? 0),
    ]),
  };
  const summary = `On average ${formatRate(session.rowsPerSecond)} rows/s and ${formatBytes(session.bytesPerSecond)}/s over ${formatElapsed(session.loadMs)}; in stretches of ${formatElapsed(binMs)} between ${formatRate(lowest)} and ${formatRate(highest)} rows/s.`;
  const hasBytes = session.bytes > 0;
  const drawing = markup`<h4>Rows per second</h4>${curve}${hasBytes ? markup`<h4>Source bytes per second</h4>${byteCurve}` : undefined}`;
  return writeFigure({ id: `${id}-rate`, title: 'Rate over time', summary, drawing, table });
}

function listUsedStages({ stageMs }: LoadReport): readonly StageName[] {
  return stageNames.filter((stage) => stageMs[stage] > 0);
}

function writeStageCurves(report: LoadReport, shown: ShownTimeline, id: string): Markup {
  const { binMs, endMs } = shown;
  const used = listUsedStages(report);
  const strips = used.map((stage) => {
    const strip = writeSeries({
      series: { values: toShares(shown, stage), binMs, endMs },
      label: `Share of lane time in stage ${stage}.`,
      tone: `tone-${stage}`,
      read: formatShare,
      max: 1,
      formatValue: formatShare,
      isStrip: true,
    });
    return markup`<h4>${stage}</h4>${strip}`;
  });
  const shares = used.map((stage) => toShares(shown, stage));
  const table = {
    columns: ['time', ...used],
    rows: shown.rows.map((_, index) => [
      describeStretch({ values: shown.rows, binMs, endMs }, index),
      ...shares.map((values) => formatShare(values[index] ?? 0)),
    ]),
  };
  const drawing = markup`<div class="strips">${strips}<div class="plot axis-only"><span></span>${writeTimeAxis(endMs)}</div></div>`;
  const summary =
    'The share of the lanes’ time that each stage took of the batches committed in a stretch. A stage that fills up is what the others wait for.';
  return writeFigure({ id: `${id}-stages`, title: 'Stages over time', summary, drawing, table });
}

function writeStageSums(report: LoadReport): Markup | undefined {
  const used = listUsedStages(report);
  const total = used.reduce((sum, stage) => sum + report.stageMs[stage], 0);
  if (total === 0) return undefined;
  const rows = used.map((stage) => ({
    label: stage,
    value: report.stageMs[stage],
    tone: `tone-${stage}`,
    cells: [formatElapsed(report.stageMs[stage]), formatShare(report.stageMs[stage] / total), stageWords[stage]],
  }));
  const bars = writeBars({
    caption: 'Lane time by stage',
    columns: ['stage', 'lane time', 'share', 'what it is'],
    textColumns: [2],
    rows,
  });
  const lanes = formatCountOf(report.lanes, 'lane');
  return markup`<figure><figcaption><h3>Where the time went</h3><p>${formatElapsed(total)} of lane time in all, over ${lanes}; ${formatElapsed(report.cpuMs)} of processor time.</p></figcaption>${bars}</figure>\n`;
}

function writeCommits({ commits }: LoadReport): Markup | undefined {
  if (commits.count === 0) return undefined;
  const { count, p50Ms, p95Ms, p99Ms, maxMs, histogram = [] } = commits;
  const summary =
    count === 1
      ? `One commit of ${formatElapsed(maxMs)}.`
      : `${formatCount(count)} commits: half of them took up to ${formatElapsed(p50Ms)} (p50), 95 of 100 up to ${formatElapsed(p95Ms)} (p95), 99 of 100 up to ${formatElapsed(p99Ms)} (p99), the longest ${formatElapsed(maxMs)}.`;
  const rows = histogram.map(({ upToMs, count: number }, index) => ({
    label: upToMs === undefined ? `over ${formatElapsed(histogram[index - 1]?.upToMs ?? 100_000)}` : `up to ${formatElapsed(upToMs)}`,
    value: number,
    tone: 'tone-commit',
    cells: [formatCount(number), formatShare(number / count)],
  }));
  const bars = rows.length > 1 ? writeBars({ caption: 'Commits by their time', columns: ['took', 'commits', 'share'], rows }) : undefined;
  return markup`<figure><figcaption><h3>Commits</h3><p>${summary}</p></figcaption>${bars}</figure>\n`;
}
