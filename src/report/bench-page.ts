/** The page of a bench: bars of the ways side by side, group by group, the same as a table, and what the figures hold for. */
import type { BenchReport, BenchResult } from '../bench/options.ts';
import { formatBytes, formatCount, formatCountOf, formatElapsed, formatRate, formatShare } from '../quantity-text.ts';
import { writeBars } from './bar-table.ts';
import { markup, type Markup } from './markup.ts';
import { writeFacts, writePage, writeSection } from './page.ts';
import { tidy } from './safe-text.ts';

/** Writes the page: one file of HTML that fetches nothing and needs no script. */
export function renderBench(report: BenchReport): string {
  const { target, rows, dims, results, facts, skipped, notes } = report;
  const size = dims > 0 ? `a text of 94 bytes and a vector of ${formatCount(dims)}` : 'a text of 94 bytes';
  const content = [
    markup`<header><p class="soft">sluice bench</p><h1>Ways of writing rows into ${tidy(target)}</h1><p class="soft">${formatCountOf(rows, 'row')} of a bigint key, ${size}; every way was counted afterwards, and dropped again.</p>${writeBest(results)}</header>\n`,
    writeSection('All ways', results.length === 0 ? markup`<p>No way was run.</p>` : writeAll(results)),
    ...listGroups(results).map(([group, members]) => writeSection(`Group: ${group}`, writeGroup(members))),
    writeSection('Not run', writeSkipped(skipped)),
    writeSection('Notes', notes.length === 0 ? undefined : markup`<ul>${notes.map((note) => markup`<li>${tidy(note, 500)}</li>`)}</ul>`),
    writeSection(
      'What the figures hold for',
      writeFacts(Object.entries(facts).map(([name, value]) => [tidy(name, 60), tidy(value)] as const)),
    ),
  ];
  const footer = 'Made by sluice bench. Everything is in this file; it fetches nothing.';
  return writePage({ title: `sluice bench of ${tidy(target, 100)}`, content, footer });
}

function writeBest(results: readonly BenchResult[]): Markup | undefined {
  const best = results.toSorted((a, b) => b.rowsPerSecond - a.rowsPerSecond)[0];
  const first = results[0];
  if (best === undefined || first === undefined) return undefined;
  return writeFacts([
    ['fastest way', best.name],
    ['its rate', `${formatRate(best.rowsPerSecond)} rows/s, ${formatBytes(best.bytesPerSecond)}/s`],
    ['against the first way', formatRatio(best.ratio)],
    ['first way', `${first.name}: ${formatRate(first.rowsPerSecond)} rows/s`],
  ]);
}

function formatRatio(ratio: number): string {
  return `${ratio >= 9.95 ? formatCount(ratio) : ratio.toFixed(1)} ×`;
}

function writeAll(results: readonly BenchResult[]): Markup {
  const hasSamples = results.some(({ isSample }) => isSample);
  const hasLog = results.some(({ logBytesPerRow }) => logBytesPerRow !== undefined);
  const rows = results.map((result) => ({
    label: result.name,
    value: result.rowsPerSecond,
    tone: result.group === 'sluice load' ? 'tone-second' : 'tone-main',
    isHatched: result.isSample && result.group !== 'sluice load',
    cells: [
      `${result.isSample ? '~' : ''}${formatRate(result.rowsPerSecond)}`,
      `${formatBytes(result.bytesPerSecond)}/s`,
      ...(hasLog ? [result.logBytesPerRow === undefined ? '' : formatBytes(result.logBytesPerRow)] : []),
      formatRatio(result.ratio),
      result.clientShare > 1 ? `${String(Math.round(result.clientShare * 100))} %` : formatShare(result.clientShare),
      `${result.isSample ? '~' : ''}${formatElapsed(result.fullMs)}`,
    ],
  }));
  const columns = ['way', 'rows/s', 'bytes/s', ...(hasLog ? ['log/row'] : []), 'ratio', 'client', 'time'];
  const sample = hasSamples ? ' ~ and hatched: a sample of the rows, its time scaled to all of them.' : '';
  return markup`<p>The bar is rows per second. Ratio: against the first way. Client: processor time of this process over the elapsed time; the rest is the database, the disk and the wire.${sample}</p>${writeBars({ caption: 'Rows per second of all ways', columns, rows })}`;
}

function listGroups(results: readonly BenchResult[]): readonly (readonly [string, readonly BenchResult[]])[] {
  const groups = new Map<string, BenchResult[]>();
  for (const result of results) groups.set(result.group, [...(groups.get(result.group) ?? []), result]);
  return [...groups];
}

function writeGroup(members: readonly BenchResult[]): Markup {
  const slowest = Math.min(...members.map(({ rowsPerSecond }) => rowsPerSecond));
  const rows = members.map((result) => ({
    label: result.name,
    value: result.rowsPerSecond,
    tone: result.group === 'sluice load' ? 'tone-second' : 'tone-main',
    cells: [formatRate(result.rowsPerSecond), formatRatio(result.rowsPerSecond / slowest), result.what],
  }));
  return writeBars({
    caption: `Rows per second of ${members[0]?.group ?? 'the group'}`,
    columns: ['way', 'rows/s', 'against the slowest here', 'how'],
    textColumns: [2],
    rows,
  });
}

function writeSkipped(skipped: BenchReport['skipped']): Markup | undefined {
  if (skipped.length === 0) return undefined;
  return markup`<ul>${skipped.map(({ name, why }) => markup`<li>${tidy(name, 100)}: ${tidy(why, 500)}</li>`)}</ul>`;
}
