/** `sluice bench`: the ways of writing rows side by side. A line per way on stderr while they run, the table on stdout. */
import type { BenchProgress, BenchReport, BenchResult } from '../bench/options.ts';
import { watchInterrupts } from './interruption.ts';
import type { Invocation } from './invocation.ts';
import { toJsonLine } from './json-line.ts';
import { openLibrary } from './library.ts';
import { formatBytes, formatCount, formatCountOf, formatElapsed, formatRate, formatShare } from './quantity.ts';
import { checkFilePath, writeNamedFile } from './report-file.ts';
import { readBenchRequest } from './bench-request.ts';
import { layoutTable } from './table.ts';
import { showWaiting, writeAll } from './terminal.ts';
import type { Colors, Terminal } from './terminal.ts';

/** Runs the command. @throws SLUICE_USAGE for options that can't be used, SLUICE_CANCELLED after Ctrl-C, and what the bench throws. */
export async function runBench(invocation: Invocation): Promise<number> {
  const { terminal } = invocation;
  const { stdout, stderr } = terminal;
  const { options, isJson, html } = readBenchRequest(invocation);
  checkFilePath(html, '--html');
  const { bench, renderBench } = await openLibrary();
  const progress = createProgress(invocation);
  const watch = watchInterrupts(
    () => progress.note('stopping, and dropping what was made; press Ctrl-C again to stop at once'),
    progress.end,
  );
  try {
    const report = await bench({ ...options, onProgress: progress.show, signal: watch.signal });
    progress.end();
    const lines = isJson ? [toJsonLine(report)] : layoutReport(report, stdout.width(), stdout.colors).map((line) => `${line}\n`);
    await writeAll(stdout, lines);
    if (html !== undefined) await writeNamedFile(html, renderBench(report), 'the figures stand above; name a file that can be written');
    await stderr.flush();
    return 0;
  } finally {
    progress.end();
    watch.release();
  }
}

interface BenchDisplay {
  readonly show: (progress: BenchProgress) => void;
  readonly note: (text: string) => void;
  readonly end: () => void;
}

/** On a terminal the way at hand stands below the lines of those that have ended. */
function createProgress({ terminal, ready }: { readonly terminal: Terminal; readonly ready: () => void }): BenchDisplay {
  const { stderr } = terminal;
  let clear = ready;
  const note = (text: string): void => {
    clear();
    clear = () => undefined;
    stderr.write(`${text}\n`);
  };
  return {
    note,
    end: () => {
      clear();
      clear = () => undefined;
    },
    show: ({ index, total, name, rows, result }) => {
      const place = `${index + 1}/${total}`;
      if (result !== undefined) {
        note(`${place} ${name}: ${formatRate(result.rowsPerSecond)} rows/s (${formatCountOf(rows, 'row')} in ${formatElapsed(result.ms)})`);
        return;
      }
      clear();
      clear = showWaiting(stderr, `${place} ${name}, ${formatCountOf(rows, 'row')} …`);
    },
  };
}

/** The table, group by group, and what its figures hold for. */
export function layoutReport(report: BenchReport, width: number | undefined, colors: Colors): readonly string[] {
  const size = report.dims > 0 ? `a text of 94 bytes and a vector of ${report.dims}` : 'a text of 94 bytes';
  const lines = [`${formatCountOf(report.rows, 'row')} of a bigint key, ${size}, into ${report.target}`, ''];
  const hasLog = report.results.some((result) => result.logBytesPerRow !== undefined);
  const columns = [
    { title: 'way' },
    ...['rows/s', 'MB/s', ...(hasLog ? ['log/row'] : []), 'ratio', 'client', 'time'].map((title) => ({ title, align: 'right' }) as const),
    { title: 'how' },
  ];
  const rows = report.results.map((result) => layoutResult(result, hasLog));
  lines.push(...layoutTable({ columns, rows, width, styleTitle: colors.dim }), '');
  if (report.results.some((result) => result.isSample)) lines.push('~ a sample of the rows; the time is scaled to all of them');
  lines.push('client: processor time of this process over the elapsed time; the rest is the database, the disk and the wire');
  for (const { name, why } of report.skipped) lines.push(`not run: ${name}: ${why}`);
  for (const note of report.notes) lines.push(`note: ${note}`);
  lines.push(
    Object.entries(report.facts)
      .map(([name, value]) => `${name} ${value}`)
      .join(' · '),
  );
  return lines;
}

function layoutResult(result: BenchResult, hasLog: boolean): readonly string[] {
  const log = result.logBytesPerRow === undefined ? '' : formatBytes(result.logBytesPerRow);
  return [
    result.name,
    `${result.isSample ? '~' : ''}${formatRate(result.rowsPerSecond)}`,
    formatRate(result.bytesPerSecond / 1e6),
    ...(hasLog ? [log] : []),
    `${result.ratio >= 9.95 ? formatCount(result.ratio) : result.ratio.toFixed(1)} ×`,
    result.clientShare > 1 ? `${Math.round(result.clientShare * 100)} %` : formatShare(result.clientShare),
    `${result.isSample ? '~' : ''}${formatElapsed(result.fullMs)}`,
    result.what,
  ];
}
