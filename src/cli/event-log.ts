/** `--log FILE`: what happened in a load, a JSON object a line, for machines that watch many of them. No row and no secret stands in it. */
import { accessSync, constants, existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { isSluiceError, SluiceError } from '../errors.ts';
import type { LoadReport, Progress } from '../load/options.ts';
import { hideSecrets } from '../secret-text.ts';
import type { Invocation } from './invocation.ts';
import type { OptionValue } from './option-value.ts';

const logLevels = ['debug', 'info', 'warn', 'error'] as const;

/** At level debug a moment of the load stands in the log this often. */
const momentMs = 1_000;

/** Told of a load as it goes; nothing it does can fail. */
export interface EventLog {
  progressed(progress: Progress): void;
  ended(report: LoadReport): void;
  failed(error: unknown): void;
  close(): void;
}

const silent: EventLog = {
  progressed: () => undefined,
  ended: () => undefined,
  failed: () => undefined,
  close: () => undefined,
};

type Opening = Pick<Invocation, 'values' | 'secrets' | 'command' | 'terminal'>;

/**
 * Opens the log that `--log` names, `-` for stderr; one that is there goes on.
 * @throws SLUICE_USAGE when it can't be written, before anything else is done
 */
export async function openEventLog(invocation: Opening): Promise<EventLog> {
  const { log: file, logLevel } = invocation.values;
  if (typeof file !== 'string') return silent;
  const level = logLevels.find((each) => each === (logLevel ?? 'info'));
  if (level === undefined) throw new SluiceError('SLUICE_USAGE', `--log-level is one of ${logLevels.join(', ')}`);
  if (file !== '-') checkWritable(file);
  const { destination, pino, stdTimeFunctions } = await import('pino');
  const stream = destination({ dest: file === '-' ? 2 : file, append: true, sync: true });
  // A disk that fills up while the load runs must not end it: it is told once.
  let isBroken = false;
  stream.on('error', (error: Error) => {
    if (!isBroken) invocation.terminal.stderr.write(`the log ${file} can't be written any more: ${error.message}\n`);
    isBroken = true;
  });
  // No host name and no process id: a log is often sent elsewhere.
  const logger = pino(
    { level, base: null, timestamp: stdTimeFunctions.isoTime, formatters: { level: (label) => ({ level: label }) } },
    stream,
  );
  logger.info({ event: 'begin', command: invocation.command, options: listOptions(invocation) }, `sluice ${invocation.command}`);
  return { ...createTeller(logger), close: () => stream.end() };
}

function checkWritable(file: string): void {
  try {
    accessSync(existsSync(file) ? file : dirname(file), constants.W_OK);
  } catch (cause) {
    throw new SluiceError('SLUICE_USAGE', `--log: ${file} can't be written`, {
      cause,
      hint: 'name a file in a folder that can be written to',
    });
  }
}

function listOptions({ secrets, values }: Opening): Readonly<Record<string, OptionValue>> {
  const shown = Object.entries(values).map(([name, value]) => [name, secrets.has(name) ? '(secret)' : hideIn(value)]);
  return Object.fromEntries(shown) as Readonly<Record<string, OptionValue>>;
}

function hideIn(value: OptionValue): OptionValue {
  if (typeof value === 'boolean') return value;
  return typeof value === 'string' ? hideSecrets(value) : value.map(hideSecrets);
}

/** The little of pino's logger that is used. */
type Write = (fields: object, message: string) => void;
interface Logger {
  readonly debug: Write;
  readonly info: Write;
  readonly warn: Write;
  readonly error: Write;
}

function createTeller(logger: Logger): Omit<EventLog, 'close'> {
  let phase = '';
  let momentAtMs = 0;
  return {
    progressed: (progress) => {
      const { bytes, counts, elapsedMs, load, phase: now, rowsPerSecond, totalBytes } = progress;
      const fields = { load, phase: now, counts, bytes, totalBytes, elapsedMs: Math.round(elapsedMs) };
      if (now !== phase) {
        phase = now;
        logger.info({ event: 'phase', ...fields }, now);
      } else if (elapsedMs - momentAtMs >= momentMs) {
        momentAtMs = elapsedMs;
        logger.debug(
          { event: 'progress', ...fields, rowsPerSecond: Math.round(rowsPerSecond), stageShare: progress.stageShare },
          'progress',
        );
      }
    },
    ended: (report) => tellEnd(logger, report),
    failed: (error) => {
      const ours = isSluiceError(error) ? { code: error.code, hint: error.hint, problems: error.problems } : {};
      logger.error({ event: 'failed', ...ours }, error instanceof Error ? error.message : String(error));
    },
  };
}

function tellEnd(logger: Logger, report: LoadReport): void {
  const { counts, load, next, state } = report;
  for (const { choice, what, why } of report.decisions) {
    if (what === 'warning') logger.warn({ event: 'warning', load }, choice);
    else logger.info({ event: 'decision', load, what, choice, why }, what);
  }
  for (const cause of report.rejectsByCause) logger.warn({ event: 'rejects', load, ...cause }, cause.message);
  const { commits, embedding, isBalanced, peakRssBytes, session, stageMs, sync } = report;
  const fields = { event: 'end', load, state, counts, isBalanced, session, sync, embedding, stageMs, commits, peakRssBytes, next };
  if (state === 'done' || state === 'nothing_to_do' || state === 'limit') logger.info(fields, state);
  else logger.warn(fields, state);
}
