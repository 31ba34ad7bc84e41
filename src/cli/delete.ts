/** `sluice delete`: rows by key or condition. */
import type { DeleteReport } from '../collection/options.ts';
import { readDeleteRequest } from './collection-request.ts';
import { watchInterrupts } from './interruption.ts';
import type { Invocation } from './invocation.ts';
import { toJsonLine } from './json-line.ts';
import { openLibrary } from './library.ts';
import { formatCount, formatCountOf, formatElapsed } from './quantity.ts';
import { writeAll } from './terminal.ts';
import type { Colors } from './terminal.ts';
import { flattenText } from './text-width.ts';

/** Runs the command. @throws SLUICE_USAGE for options that can't be used, and what the library throws; nothing is deleted then. */
export async function runDelete(invocation: Invocation): Promise<number> {
  const { stdout, stderr } = invocation.terminal;
  const { options, isJson } = readDeleteRequest(invocation);
  const { deleteRows } = await openLibrary();
  const watch = watchInterrupts(
    () => void stderr.write('stopping; nothing is deleted unless it was done already\n'),
    () => undefined,
  );
  try {
    const report = await deleteRows({ ...options, signal: watch.signal });
    invocation.ready();
    await writeAll(stdout, isJson ? [toJsonLine(report)] : layoutDeletion(report, stdout.colors).map((line) => `${line}\n`));
    return 0;
  } finally {
    watch.release();
  }
}

export function layoutDeletion(report: DeleteReport, colors: Colors): readonly string[] {
  const rows = formatCountOf(report.deleted, 'row');
  const left = colors.dim(
    `(${formatCount(report.remaining)} ${report.isDryRun ? 'are there' : 'left'}, ${formatElapsed(report.elapsedMs)})`,
  );
  const missing = report.notFoundKeys.map((key) => flattenText(key)).join(', ');
  const more = report.notFound > report.notFoundKeys.length ? ', …' : '';
  return [
    report.isDryRun
      ? `${rows} of ${report.table} would be deleted; nothing was ${left}`
      : `${colors.green('✓')} ${rows} of ${report.table} deleted ${left}`,
    ...(report.notFound === 0 ? [] : [colors.yellow(`  ${formatCountOf(report.notFound, 'key')} not found: ${missing}${more}`)]),
    ...(report.recordedAs === undefined ? [] : [colors.dim(`  noted in the ledger as ${report.recordedAs}; sluice verify counts it in`)]),
  ];
}
