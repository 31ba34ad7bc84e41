/** `sluice undo`: takes the rows of a load out again. Off a terminal it deletes nothing without `--yes`; on one neither, but says what to type. */
import { SluiceError } from '../errors.ts';
import type { UndoReport } from '../load/control/undo.ts';
import type { Invocation } from './invocation.ts';
import { toJsonLine } from './json-line.ts';
import { openLibrary } from './library.ts';
import { formatCountOf } from './quantity.ts';
import { readSwitchRequest } from './switch-request.ts';
import { writeAll } from './terminal.ts';

/** Runs the command; 2 when the rows were only counted. @throws SLUICE_USAGE for options that can't be used, and what the undo throws. */
export async function runUndo(invocation: Invocation): Promise<number> {
  const { isAgreed, isJson, selection } = readSwitchRequest(invocation);
  const { load } = selection;
  if (load === undefined)
    throw new SluiceError('SLUICE_USAGE', 'which load? Name its id or label', { hint: `sluice status --in ${selection.in} lists them` });
  const { undo } = await openLibrary();
  const report = await undo({ in: selection.in, load, isDryRun: !isAgreed });
  invocation.ready();
  const { stdout } = invocation.terminal;
  await writeAll(stdout, isJson ? [toJsonLine(report)] : layoutUndo(report).map((line) => `${line}\n`));
  return report.state === 'planned' ? usageExitCode : 0;
}

/** Asked for without the word that makes it so. */
const usageExitCode = 2;

/** The lines of a report. */
export function layoutUndo({ deleted, label, load, state, table, warnings }: UndoReport): readonly string[] {
  const name = label === undefined ? load : `${load} ${label}`;
  const rows = formatCountOf(deleted, 'row');
  if (state === 'nothing_to_do')
    return [`load ${name} is undone already: ${rows} were taken out of ${table} then; nothing was changed now`];
  if (state === 'undone') return [`load ${name} is undone: ${rows} taken out of ${table}`, ...warnings];
  return [
    `load ${name} wrote ${rows} that are in ${table} now; nothing was deleted yet`,
    ...warnings,
    'To delete them, run the same command with --yes.',
  ];
}
