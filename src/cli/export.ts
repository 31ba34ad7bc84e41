/** `sluice export`: a table as a file. Data to stdout with `--out -`; the account then goes to stderr. */
import type { ExportReport } from '../export/options.ts';
import { readExportRequest } from './collection-request.ts';
import { watchInterrupts } from './interruption.ts';
import type { Invocation } from './invocation.ts';
import { layoutItems } from './item-list.ts';
import { toJsonLine } from './json-line.ts';
import { openLibrary } from './library.ts';
import { createProgressLine } from './progress-line.ts';
import { formatBytes, formatCount, formatCountOf, formatElapsed, formatRate } from './quantity.ts';
import { writeAll } from './terminal.ts';
import type { Colors } from './terminal.ts';

/** Runs the command. @throws SLUICE_USAGE for options that can't be used, SLUICE_CANCELLED after Ctrl-C, and what the library throws. */
export async function runExport(invocation: Invocation): Promise<number> {
  const { stdout, stderr } = invocation.terminal;
  const { options, isJson } = readExportRequest(invocation);
  const isStream = options.out === '-';
  const { exportTable } = await openLibrary();
  const line = createProgressLine(stderr, invocation.ready);
  const watch = watchInterrupts(() => {
    line.end();
    stderr.write('stopping; nothing is left behind\n');
  }, line.end);
  try {
    const report = await exportTable({
      ...options,
      out: isStream ? process.stdout : options.out,
      signal: watch.signal,
      onProgress: ({ rows, totalRows, elapsedMs }) => {
        const of =
          totalRows === undefined ? formatCountOf(rows, 'row') : `${formatCount(rows)} of about ${formatCountOf(totalRows, 'row')}`;
        line.show(() => `exporting ${of}, ${formatRate(rows / Math.max(0.001, elapsedMs / 1_000))} rows/s …`);
      },
    });
    line.end();
    const lines = isJson ? [toJsonLine(report)] : layoutExport(report, stderr.colors).map((each) => `${each}\n`);
    await writeAll(isStream ? stderr : stdout, lines);
    return 0;
  } catch (error) {
    // `| head` has read enough.
    if (isStream && error instanceof Error && 'code' in error && error.code === 'EPIPE') return 0;
    throw error;
  } finally {
    line.end();
    watch.release();
  }
}

export function layoutExport(report: ExportReport, colors: Colors): readonly string[] {
  const size = report.bytes === undefined ? '' : `, ${formatBytes(report.bytes)}`;
  const took = colors.dim(`(${formatElapsed(report.elapsedMs)})`);
  const where = report.file === 'stream' ? 'stdout' : report.file;
  return [
    `${colors.green('✓')} ${formatCountOf(report.written, 'row')} of ${report.table} written to ${where}${size} ${took}`,
    ...(report.withoutVector === 0
      ? []
      : [colors.yellow(`  ${formatCountOf(report.withoutVector, 'row')} without a vector are not in it`)]),
    ...layoutItems(report.columns.map(({ name, type, as }) => [name, `${type} ${colors.dim(`as ${as}`)}`])),
    ...(report.leftOut.length === 0
      ? []
      : [colors.dim(`  left out: ${report.leftOut.map(({ name }) => name).join(', ')} (${report.leftOut[0]?.why ?? ''})`)]),
  ];
}
