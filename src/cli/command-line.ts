/** Parses the arguments, runs one command, tells of failures and ends the process with its exit code. */
import { CommanderError } from 'commander';
import { SluiceError } from '../errors.ts';
import { printFailure } from './failure.ts';
import { buildProgram } from './program.ts';
import { openTerminal } from './terminal.ts';
import type { Terminal } from './terminal.ts';
import { parseSwitch } from './values.ts';

/** Runs the process's one command and ends it. */
export async function runCommandLine(args: readonly string[]): Promise<never> {
  hideExpectedWarnings();
  const terminal = openTerminal();
  process.on('uncaughtException', (error) => process.exit(printFailure(error, terminal, wantsJson(terminal, args))));
  return endProcess(await runCommand(args, terminal), terminal);
}

async function runCommand(args: readonly string[], terminal: Terminal): Promise<number> {
  let exitCode = 0;
  const program = buildProgram(terminal, async (open, invocation) => {
    try {
      const runner = await open();
      exitCode = await runner(invocation);
    } finally {
      invocation.ready();
    }
  });
  try {
    if (args.length === 0) program.help({ error: true });
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) return printFailure(thrown, terminal, wantsJson(terminal, args));
    if (helpCodes.has(thrown.code)) return args.length === 0 ? usageExitCode : 0;
    return printFailure(toUsageError(thrown, args), terminal, wantsJson(terminal, args));
  }
}

const usageExitCode = 2;
/** What commander throws after it has shown what it was asked to show. */
const helpCodes: ReadonlySet<string> = new Set(['commander.help', 'commander.helpDisplayed', 'commander.version']);

/** Commander writes `error: unknown option '--tabel'` and, in brackets on a second line, what may have been meant. */
function toUsageError(error: CommanderError, args: readonly string[]): SluiceError {
  const [first = '', second] = error.message.replace(/^error: /, '').split('\n');
  const suggestion = /^\(Did you mean (.*)\?\)$/.exec(second ?? '')?.[1];
  const command = args.find((arg) => !arg.startsWith('-'));
  const isKnown = error.code !== 'commander.unknownCommand' && command !== undefined;
  const help = isKnown ? `sluice ${command} --help shows what it takes` : 'sluice --help lists the commands';
  return new SluiceError('SLUICE_USAGE', first.replace(/\.$/, ''), {
    cause: error,
    hint: suggestion ? `did you mean ${suggestion}? ${help}` : help,
  });
}

/** Programs want their errors as JSON even when the options could not be read. */
function wantsJson({ env }: Terminal, args: readonly string[]): boolean {
  return args.includes('--json') || parseSwitch(env['SLUICE_JSON'] ?? '') === true;
}

/** On Node 24 `node:sqlite` warns that it is experimental. The other warnings are shown as ever. */
function hideExpectedWarnings(): void {
  const listeners = process.listeners('warning');
  process.removeAllListeners('warning');
  process.on('warning', (warning) => {
    if (warning.name === 'ExperimentalWarning' && warning.message.startsWith('SQLite')) return;
    for (const listener of listeners) listener(warning);
  });
}

/** Ends the process once its output is out: an open stdin or a thread that is still closing must not keep it. */
async function endProcess(exitCode: number, terminal: Terminal): Promise<never> {
  try {
    await terminal.stdout.flush();
    await terminal.stderr.flush();
  } catch (error) {
    process.exit(printFailure(error, terminal, false));
  }
  process.exit(exitCode);
}
