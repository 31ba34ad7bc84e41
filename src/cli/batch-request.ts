/** What `sluice batch` was asked to do: the options of a call as the library takes them, checked as a whole. */
import type { BatchFileOptions } from '../batch/options.ts';
import type { Invocation } from './invocation.ts';
import { checkValues, duration, oneOf, read, required, toggle, whole, word } from './option-schema.ts';
import { parseDuration, parseRejectLimit } from './values.ts';

interface BatchRequest {
  readonly options: BatchFileOptions & { readonly from: string };
  readonly isJson: boolean;
}

/** A unit needs some time: 0 would be none, and not "as long as it takes". */
function parseTimeout(text: string): number | undefined {
  const timeoutMs = parseDuration(text);
  return timeoutMs !== undefined && timeoutMs >= 1 && timeoutMs <= 86_400_000 ? timeoutMs : undefined;
}

const batchShape = {
  to: required('is missing: name the database, for example --to sqlite:app.db'),
  format: oneOf(['sql', 'json', 'jsonl']),
  transaction: toggle,
  unit: whole(1, 1_000_000),
  onConflict: oneOf(['error', 'not-applied']),
  statusRows: toggle,
  maxErrors: read(parseRejectLimit, 'a number of statements such as 500, or a share such as 1%'),
  timeout: read(parseTimeout, 'a duration from 1ms to a day; write it as 500ms, 30s or 2m'),
  label: word,
  again: toggle,
  lockTimeout: duration,
  json: toggle,
  statusFile: word,
};

/** @throws SLUICE_USAGE with every problem */
export function readBatchRequest(invocation: Invocation): BatchRequest {
  const [from = '', ...more] = invocation.arguments;
  const problems = [
    ...(from === '' ? ['nothing to run: name a file of statements, or - for stdin'] : []),
    ...(more.length > 0 ? ['one file at a time: the order of the statements is that of the file; join several with cat'] : []),
    ...(from === '-' && invocation.values['format'] === undefined
      ? ['how the statements on stdin are written must be said: --format sql, json or jsonl']
      : []),
  ];
  const values = checkValues(invocation, batchShape, problems);
  const { to, format, transaction, unit, statusRows, maxErrors, label, again, statusFile } = values;
  return {
    options: {
      from,
      to,
      format,
      transaction,
      unit,
      onConflict: values.onConflict === 'not-applied' ? 'not_applied' : values.onConflict,
      statusRows,
      maxErrors,
      label,
      again,
      statusFile,
      timeoutMs: values.timeout,
      lockTimeoutMs: values.lockTimeout,
    },
    isJson: values.json ?? false,
  };
}
