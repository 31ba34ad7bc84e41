/** Builds the command line from the lists of commands and options. Nothing of the library is loaded until a command runs. */
import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { Command, Option } from 'commander';
import { SluiceError } from '../errors.ts';
import { commands } from './command-list.ts';
import { layerValues } from './config/layers.ts';
import type { Layered, Said } from './config/layers.ts';
import type { CommandRunner, CommandSpec } from './command-list.ts';
import { readEnvironment } from './environment.ts';
import type { Invocation, OptionValue } from './invocation.ts';
import type { OptionSpec } from './option-list.ts';
import { showWaiting } from './terminal.ts';
import type { Terminal } from './terminal.ts';

const footer = `Every option can also be set in the environment: SLUICE_TO=sqlite:library.db is --to sqlite:library.db. Flags win.
Exit codes: 0 done · 1 internal · 2 usage · 3 done with rejects · 4 reject limit · 5 try again · 6 mend first · 7 not verified · 130 interrupted`;

/** Told which command was asked for and how; opens and runs it. */
type InvocationHandler = (open: () => Promise<CommandRunner>, invocation: Invocation) => Promise<void>;

/** The whole command line, ready to parse. It throws commander's errors instead of ending the process. */
export function buildProgram(terminal: Terminal, handle: InvocationHandler): Command {
  const program = new Command('sluice')
    .description('Gets very many rows into a database, fast, and accounts for every one of them.')
    .version(readVersion(), '--version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show help for a command')
    .usage('<command> [options]')
    .configureHelp({ subcommandTerm: describeTerm })
    .addHelpText(
      'after',
      `\nExamples:\n${layoutExamples(commands.flatMap((spec) => (spec.isHidden === true ? [] : spec.examples.slice(0, 1))))}\n\n${footer}`,
    );
  applyConventions(program, terminal);
  for (const spec of commands) program.addCommand(buildCommand(spec, terminal, handle), { hidden: spec.isHidden === true });
  return program;
}

/** Commander would show each required argument in the brackets of an optional one. */
function describeTerm(command: Command): string {
  const spec = commands.find((each) => each.name === command.name());
  return spec ? `${spec.name} ${spec.usage}` : `${command.name()} [command]`;
}

function readVersion(): string {
  const manifest = findPackageJSON('.', import.meta.url);
  if (manifest === undefined) throw new SluiceError('SLUICE_INTERNAL', 'The package.json of sluice is missing.');
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { readonly version: string };
  return version;
}

/** All output through the terminal, and errors thrown instead of ending the process: one place tells them. */
function applyConventions(command: Command, terminal: Terminal): void {
  command.exitOverride().configureOutput({
    writeOut: (text) => void terminal.stdout.write(text),
    writeErr: (text) => void terminal.stderr.write(text),
    // Errors are told in one place, with those of the commands.
    outputError: () => undefined,
    getOutHelpWidth: () => Math.min(terminal.stdout.width() ?? 100, 120),
    getErrHelpWidth: () => Math.min(terminal.stderr.width() ?? 100, 120),
  });
}

function buildCommand(spec: CommandSpec, terminal: Terminal, handle: InvocationHandler): Command {
  const command = new Command(spec.name).description(spec.summary).usage(`${spec.usage} [options]`).helpOption('-h, --help', 'show help');
  applyConventions(command, terminal);
  if (spec.argument) command.argument(spec.argument, spec.argumentHelp);
  for (const group of spec.groups) {
    command.optionsGroup(group.title);
    for (const option of group.options) command.addOption(buildOption(option));
  }
  command.addHelpText('after', `\nExamples:\n${layoutExamples(spec.examples)}`);
  return command.action(async () => handle(spec.open, await describeInvocation(command, spec, terminal)));
}

function buildOption(spec: OptionSpec): Option {
  const option = new Option(spec.flags, spec.description);
  return spec.isRepeatable ? option.argParser(collect) : option;
}

/** Commander hands in undefined before the first value. */
function collect(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), value];
}

function layoutExamples(examples: CommandSpec['examples']): string {
  return examples.map(([what, command]) => `  # ${what}\n  ${command}`).join('\n');
}

/** Something stands on the screen while the library is loaded and the database opened, unless progress is not wanted there. */
function startWaiting(spec: CommandSpec, values: Readonly<Record<string, OptionValue>>, { stderr }: Terminal): () => void {
  const isWanted = ['auto', 'tty', undefined].includes(values['progress'] as string | undefined);
  return isWanted ? showWaiting(stderr, `${spec.waiting} …`) : () => undefined;
}

async function describeInvocation(command: Command, spec: CommandSpec, terminal: Terminal): Promise<Invocation> {
  const values: Record<string, OptionValue> = { ...command.opts<Record<string, OptionValue>>() };
  const flagged = new Set(Object.keys(values));
  const labels: Record<string, string> = {};
  for (const option of command.options) labels[option.attributeName()] ??= option.long ?? option.short ?? '';
  const repeatable = spec.groups.flatMap((group) => group.options).filter((option) => option.isRepeatable);
  const repeatableNames = new Set(repeatable.map((option) => new Option(option.flags).attributeName()));
  for (const { attribute, name, value } of readEnvironment(command.options, repeatableNames, terminal.env)) {
    if (flagged.has(attribute)) continue;
    values[attribute] = value;
    labels[attribute] = name;
  }
  const layered = await layerFile({ values, labels, flagged, arguments: command.args }, command, terminal);
  return { command: spec.name, commands, ...layered, flagged, terminal, ready: startWaiting(spec, layered.values, terminal) };
}

/** The parser of files is loaded only where one is named. */
async function layerFile(said: Said, command: Command, { env }: Terminal): Promise<Layered> {
  const file = said.values['config'];
  const config = typeof file === 'string' ? (await import('./config/file.ts')).readConfig(file, env) : undefined;
  return layerValues(said, config, new Set(command.options.map((option) => option.attributeName())));
}
