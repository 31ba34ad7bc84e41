/** What may stand at the cursor: commands, options, their values, tables and loads of the target that is named on the line. Whatever fails, nothing is offered. */
import type { CommandOutline } from '../command-outline.ts';
import { listKeys } from '../config/json-schema.ts';
import type { OptionSpec } from '../option-list.ts';
import type { TypedLine } from './words.ts';

export interface Candidate {
  readonly word: string;
  readonly description: string;
}

/** `files`: names of files may stand there as well, which the shell knows best. */
export interface Candidates {
  readonly hasFiles: boolean;
  readonly words: readonly Candidate[];
}

/** Names of a target; asked only where the line needs them. */
export interface Names {
  readonly tables: readonly string[];
  readonly loads: readonly { readonly load: string; readonly label: string | undefined; readonly state: string; readonly table: string }[];
}

export type AskNames = (url: string) => Promise<Names>;

const nothing: Candidates = { hasFiles: false, words: [] };
const files: Candidates = { hasFiles: true, words: [] };

/** Words that an option takes and the tree of the configuration does not know. */
const otherChoices: Readonly<Record<string, readonly string[]>> = {
  '--with': ['hash', 'mock'],
  '--format': ['jsonl', 'csv', 'tsv', 'json', 'parquet', 'arrow', 'npy', 'fvecs'],
  '--index': ['auto', 'always', 'none', 'hnsw', 'hnsw:cosine', 'hnsw:ip', 'hnsw:l2'],
  '--on-conflict': ['error', 'not-applied'],
  '--log-format': ['json', 'text'],
};

const fileValues = /<(?:file|path|folder)>/u;

/** Where the names come from: the commands, and the target that the line names. */
export interface Known {
  readonly commands: readonly CommandOutline[];
  readonly ask: AskNames;
}

export async function listCandidates({ before, current }: TypedLine, { ask, commands }: Known): Promise<Candidates> {
  const shown = commands.filter(({ isHidden }) => isHidden !== true);
  const [, name, ...rest] = before;
  if (name === undefined)
    return offer(current, [
      ...shown.map(({ name: word, summary }) => ({ word, description: summary })),
      { word: 'help', description: 'show help for a command' },
    ]);
  if (name === 'help')
    return offer(
      current,
      shown.map(({ name: word, summary }) => ({ word, description: summary })),
    );
  const spec = commands.find((each) => each.name === name);
  if (spec === undefined) return nothing;
  const options = spec.groups.flatMap((group) => group.options);
  const asked = findOption(options, rest.at(-1));
  const [, typed, value] = /^(--[a-z-]+)=(.*)$/u.exec(current) ?? [];
  if (typed !== undefined && value !== undefined)
    return prefixed(`${typed}=`, await listValues(findOption(options, typed), { rest, current: value, ask, commands }));
  if (asked !== undefined && takesValue(asked)) return listValues(asked, { rest, current, ask, commands });
  if (current.startsWith('-'))
    return offer(
      current,
      options.map((option) => ({ word: longName(option), description: option.description })),
    );
  return listArguments(spec, { rest, current, ask, commands });
}

function offer(current: string, all: readonly Candidate[], hasFiles = false): Candidates {
  const seen = new Set<string>();
  const words = all.filter(({ word }) => word !== '' && word.startsWith(current) && !seen.has(word) && seen.add(word) !== undefined);
  return { hasFiles, words };
}

function prefixed(prefix: string, { words }: Candidates): Candidates {
  return { hasFiles: false, words: words.map(({ word, description }) => ({ word: `${prefix}${word}`, description })) };
}

function longName({ flags }: OptionSpec): string {
  return /--[a-z-]+/u.exec(flags)?.[0] ?? /-[a-z]/u.exec(flags)?.[0] ?? '';
}

function findOption(options: readonly OptionSpec[], word: string | undefined): OptionSpec | undefined {
  return word === undefined || !word.startsWith('-') ? undefined : options.find(({ flags }) => flags.split(/[ ,]+/u).includes(word));
}

function takesValue({ flags }: OptionSpec): boolean {
  return flags.includes('<') || flags.includes('[');
}

interface Place {
  /** Words between the command and the cursor. */
  readonly rest: readonly string[];
  readonly current: string;
  readonly ask: AskNames;
  readonly commands: readonly CommandOutline[];
}

async function listValues(option: OptionSpec | undefined, place: Place): Promise<Candidates> {
  if (option === undefined) return nothing;
  const name = longName(option);
  if (name === '--table') return offerTables(place);
  if (name === '--to' || name === '--in') return offerTargets(place.current);
  const leaf = listKeys(place.commands).find(({ leaf: { option: known } }) => `--${known}` === name)?.leaf;
  const choices = leaf?.kind === 'choice' ? leaf.choices : otherChoices[name];
  if (choices !== undefined)
    return offer(
      place.current,
      choices.map((word) => ({ word, description: '' })),
    );
  return fileValues.test(option.flags) ? files : nothing;
}

/** A scheme first; behind `sqlite:` the shell completes the file. */
function offerTargets(current: string): Candidates {
  if (/^(?:sqlite|pglite):/u.test(current)) return files;
  const schemes = ['sqlite:', 'postgres://', 'pglite:', 'rqlite://'];
  return offer(
    current,
    schemes.map((word) => ({ word, description: '' })),
  );
}

function findTarget(rest: readonly string[]): string | undefined {
  for (const [at, word] of rest.entries()) {
    if (word === '--to' || word === '--in') return rest[at + 1];
    const [, url] = /^--(?:to|in)=(.+)$/u.exec(word) ?? [];
    if (url !== undefined) return url;
  }
  return undefined;
}

async function offerTables({ rest, current, ask }: Place): Promise<Candidates> {
  const target = findTarget(rest);
  if (target === undefined) return nothing;
  const { tables } = await ask(target);
  return offer(
    current,
    tables.map((word) => ({ word, description: 'table' })),
  );
}

async function listArguments(spec: CommandOutline, { rest, current, ask }: Place): Promise<Candidates> {
  const usage = spec.usage.split(' ')[0] ?? '';
  const actions = /^<?([a-z]+(?:\|[a-z]+)+)>?$/u.exec(usage)?.[1];
  if (actions !== undefined && rest.every((word) => word.startsWith('-')))
    return offer(
      current,
      actions.split('|').map((word) => ({ word, description: '' })),
    );
  if (spec.argument === '[load]' || spec.argument === '<load>') {
    const target = findTarget(rest);
    if (target === undefined) return nothing;
    const { loads } = await ask(target);
    const words = loads.flatMap(({ label, load, state, table }) => [
      { word: load, description: `${table}, ${state}` },
      { word: label ?? '', description: `${table}, ${state}` },
    ]);
    return offer(current, words);
  }
  if (spec.name === 'serve') return offerTargets(current);
  return spec.usage === '' ? nothing : files;
}
