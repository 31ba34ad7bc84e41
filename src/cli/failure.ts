/** Turns whatever was thrown into one message with its next step, and into the exit code. Nothing is swallowed, no stack is shown unless asked for. */
import { inspect } from 'node:util';
import { SluiceError, isSluiceError } from '../errors.ts';
import type { Colors, Terminal } from './terminal.ts';
import { toJsonLine } from './json-line.ts';

/** What a person or a program is told of an error. */
interface FailureText {
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
  readonly problems: readonly string[];
}

/** Any thrown value as an error with a code: what sluice did not foresee is `SLUICE_INTERNAL`. */
export function toSluiceError(thrown: unknown): SluiceError {
  if (isSluiceError(thrown)) return thrown;
  const message = thrown instanceof Error ? thrown.message : inspect(thrown);
  return new SluiceError('SLUICE_INTERNAL', `unexpected: ${message}`, {
    cause: thrown,
    hint: 'this is a fault of sluice; run it again with SLUICE_DEBUG=1 to see where it happened, and report it',
  });
}

/** The lines for a person: message, problems, next step. A single problem that is the message is not told twice. */
export function layoutFailure(failure: FailureText, colors: Colors): readonly string[] {
  return [
    `${colors.red(colors.bold('sluice:'))} ${failure.message} ${colors.dim(`[${failure.code}]`)}`,
    ...failure.problems
      .filter((problem) => problem !== failure.message || failure.problems.length > 1)
      .map((problem) => `  ${colors.red('✗')} ${problem}`),
    ...(failure.hint === undefined ? [] : [`  ${colors.cyan('→')} ${failure.hint}`]),
  ];
}

/** Tells of a failure: on stderr, or as an `error` event on stdout for programs. Returns the exit code. */
export function printFailure(thrown: unknown, terminal: Terminal, isJson: boolean): number {
  const error = toSluiceError(thrown);
  if (isJson) terminal.stdout.write(toJsonLine(describeError(error)));
  else terminal.stderr.write(`${layoutFailure(error, terminal.stderr.colors).join('\n')}\n`);
  if (terminal.env['SLUICE_DEBUG']) terminal.stderr.write(`${inspect(error.code === 'SLUICE_INTERNAL' ? error.cause : error)}\n`);
  return error.exitCode;
}

function describeError(error: SluiceError): Readonly<Record<string, unknown>> {
  const { code, message, hint, problems, exitCode } = error;
  return { event: 'error', schema: 1, code, message, hint, problems, exitCode };
}
