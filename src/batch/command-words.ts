/** The words of the command that goes on with a batch: what was asked for, without the target. A stream without a label of its own is known by the batch's id. */
import type { BatchFileOptions } from './options.ts';
import type { StatementInput } from './statement-source.ts';

/** In the order of the help. `--again` is not among them: it would begin anew. */
export function listWords(
  batch: string,
  options: BatchFileOptions,
  input: Pick<StatementInput, 'name' | 'path' | 'format'>,
): readonly string[] {
  const { transaction, onConflict, statusRows, unit, maxErrors, statusFile } = options;
  const isStream = input.path === undefined;
  const label = options.label ?? (isStream ? batch : undefined);
  return [
    isStream ? '-' : input.name,
    ...(isStream || options.format !== undefined ? ['--format', input.format] : []),
    ...(transaction === true ? ['--transaction'] : []),
    ...(onConflict === 'not_applied' ? ['--on-conflict', 'not-applied'] : []),
    ...(statusRows === true ? ['--status-rows'] : []),
    ...(unit === undefined ? [] : ['--unit', String(unit)]),
    ...(maxErrors === undefined ? [] : ['--max-errors', String(maxErrors)]),
    ...(statusFile === undefined ? [] : ['--status-file', statusFile]),
    ...(label === undefined ? [] : ['--label', label]),
  ];
}
