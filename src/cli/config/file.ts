/** Reads a configuration file: YAML or JSON, each key with its line, all problems at once. What it says comes out as the values that the command line would have. */
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Node, type Pair, type YAMLMap } from 'yaml';
import { SluiceError } from '../../errors.ts';
import type { OptionValue } from '../option-value.ts';
import { findNearest } from '../../nearest.ts';
import { isBranch, loadShape, type Leaf, type Shape } from './shape.ts';
import { fillIn, type Surroundings } from './substitution.ts';

/** A value of the file. */
export interface ConfigValue {
  readonly value: OptionValue;
  /** `load.yaml:12 (source.format)`. */
  readonly label: string;
  readonly isSecret: boolean;
}

/** What a file says, by attribute name; `from` and `password` are no options. */
export interface Config {
  readonly file: string;
  readonly values: ReadonlyMap<string, ConfigValue>;
}

/** A configuration is written by hand; a larger file is data by mistake. */
const maxConfigBytes = 1024 * 1024;
const maxProblems = 50;

interface Reading extends Surroundings {
  readonly name: string;
  readonly lines: LineCounter;
  readonly problems: string[];
  readonly values: Map<string, ConfigValue>;
}

/**
 * Reads a file for `load` and its like.
 * @throws SLUICE_CONFIG_INVALID with every problem and its line
 */
export function readConfig(file: string, env: Surroundings['env']): Config {
  const lines = new LineCounter();
  const reading: Reading = {
    name: path.basename(file),
    folder: path.dirname(file),
    env,
    lines,
    problems: [],
    values: new Map(),
  };
  const document = parseDocument(readText(file), { lineCounter: lines, uniqueKeys: true, version: '1.2' });
  for (const error of document.errors)
    reading.problems.push(placed(reading, error.pos[0], error.message.split('\n')[0]?.replace(/ at line .*$/u, '') ?? ''));
  if (reading.problems.length === 0) {
    const { contents } = document;
    if (isMap(contents)) walk(reading, { map: contents, shape: loadShape, under: '' });
    else if (contents !== null)
      reading.problems.push(placed(reading, contents.range?.[0] ?? 0, 'a load is described by keys, such as "table: docs"'));
  }
  if (reading.problems.length > 0) throw invalid(file, reading.problems);
  return { file, values: reading.values };
}

function readText(file: string): string {
  try {
    if (statSync(file).size > maxConfigBytes)
      throw invalid(file, [`it has more than ${String(maxConfigBytes)} bytes, which no configuration has`]);
    return readFileSync(file, 'utf8');
  } catch (cause) {
    if (cause instanceof SluiceError) throw cause;
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
    throw new SluiceError('SLUICE_CONFIG_INVALID', `the configuration file ${file} could not be read (${code})`, {
      cause,
      hint: 'check the path; sluice plan … --write load.yaml makes such a file',
    });
  }
}

function invalid(file: string, problems: readonly string[]): SluiceError {
  const shown =
    problems.length > maxProblems ? [...problems.slice(0, maxProblems), `… and ${String(problems.length - maxProblems)} more`] : problems;
  const hint = 'sluice load --help explains the options; docs/reference/configuration.md has every key';
  const [only = ''] = problems;
  if (problems.length === 1) {
    return new SluiceError('SLUICE_CONFIG_INVALID', only.startsWith(`${file}:`) ? only : `${file}: ${only}`, { hint });
  }
  return new SluiceError('SLUICE_CONFIG_INVALID', `${file} has ${String(problems.length)} things to be mended`, { problems: shown, hint });
}

function placed({ lines, name }: Reading, offset: number, what: string): string {
  const { line, col } = lines.linePos(offset);
  return `${name}:${String(line)}:${String(col)}: ${what}`;
}

interface Level {
  readonly map: YAMLMap;
  readonly shape: Shape;
  /** Keys above, with dots. */
  readonly under: string;
}

function walk(reading: Reading, { map, shape, under }: Level): void {
  for (const pair of map.items as readonly Pair<Node, Node | null>[]) {
    const key = isScalar(pair.key) ? String(pair.key.value) : '';
    const at = pair.key.range?.[0] ?? 0;
    const entry = Object.hasOwn(shape, key) ? shape[key] : undefined;
    const full = under === '' ? key : `${under}.${key}`;
    // A key without a value says nothing; written files have such as suggestions.
    const isEmpty = pair.value === null || (isScalar(pair.value) && pair.value.value === null);
    if (entry === undefined) reading.problems.push(placed(reading, at, describeUnknown(key, under, shape)));
    else if (isEmpty) continue;
    else if (!isBranch(entry)) takeLeaf(reading, { leaf: entry, node: pair.value as Node, key: full });
    else if (isMap(pair.value)) walk(reading, { map: pair.value, shape: entry.keys, under: full });
    else reading.problems.push(placed(reading, at, `${full} takes keys: ${Object.keys(entry.keys).join(', ')}`));
  }
}

function describeUnknown(key: string, under: string, shape: Shape): string {
  const where = under === '' ? '' : ` under ${under}`;
  const nearest = findNearest(key, Object.keys(shape)) ?? findElsewhere(key, under);
  return nearest === undefined
    ? `there is no key ${JSON.stringify(key)}${where}`
    : `there is no key ${JSON.stringify(key)}${where}; did you mean ${nearest}?`;
}

/** A key that exists on another level, or nearly: `format` belongs under `source`. */
function findElsewhere(key: string, under: string): string | undefined {
  const places = new Map<string, string>();
  for (const [name, entry] of Object.entries(loadShape)) {
    if (isBranch(entry)) for (const below of Object.keys(entry.keys)) places.set(below, places.get(below) ?? `${name}.${below}`);
  }
  if (under !== '') for (const name of Object.keys(loadShape)) places.set(name, `${name} at the top`);
  const nearest = findNearest(key, [...places.keys()]);
  return nearest === undefined ? undefined : places.get(nearest);
}

interface LeafPlace {
  readonly leaf: Leaf;
  readonly node: Node;
  readonly key: string;
}

/** The name that commander gives an option: `maxRejects` for `max-rejects`. */
export function nameAttribute(option: string): string {
  return option.replaceAll(/-(\w)/gu, (_, letter: string) => letter.toUpperCase());
}

function takeLeaf(reading: Reading, place: LeafPlace): void {
  const { leaf, node, key } = place;
  const offset = node.range?.[0] ?? 0;
  const label = `${reading.name}:${String(reading.lines.linePos(offset).line)} (${key})`;
  if (leaf.kind === 'columns') {
    takeColumns(reading, place, label);
    return;
  }
  const found = readLeaf(reading, place);
  if (found === undefined) return;
  reading.values.set(nameAttribute(leaf.option), { ...found, label });
}

interface Found {
  readonly value: OptionValue;
  readonly isSecret: boolean;
}

function readLeaf(reading: Reading, { leaf, node, key }: LeafPlace): Found | undefined {
  const offset = node.range?.[0] ?? 0;
  const refuse = (what: string): undefined => {
    reading.problems.push(placed(reading, offset, `${key} ${what}`));
    return undefined;
  };
  const texts = readTexts(node);
  if (leaf.kind === 'switch' || (leaf.option === 'cache' && texts?.[0] === 'false')) {
    const word = texts?.length === 1 ? texts[0] : undefined;
    return word === 'true' || word === 'false' ? { value: word === 'true', isSecret: false } : refuse('is true or false');
  }
  if (texts === undefined) return refuse(isListed(leaf) ? 'takes a text or a list of texts' : 'takes one value');
  if (isSeq(node) && !isListed(leaf)) return refuse('takes one value, not a list');
  const filled = texts.map((each) => fillIn(each, reading));
  for (const each of filled) if ('problem' in each) return refuse(`can't be filled in: ${each.problem}`);
  const values = filled.flatMap((each) => ('text' in each ? [each] : []));
  if (leaf.kind === 'choice' && !leaf.choices.includes(values[0]?.text ?? ''))
    return refuse(describeChoice(leaf.choices, values[0]?.text ?? ''));
  const isSecret = leaf.option === 'password' || values.some((each) => each.isSecret);
  return {
    value: joinTexts(
      leaf,
      values.map(({ text }) => resolvePath(leaf, text, reading.folder)),
    ),
    isSecret,
  };
}

function describeChoice(choices: readonly string[], word: string): string {
  const nearest = findNearest(word, choices);
  return `is one of ${choices.join(', ')}${nearest === undefined ? '' : `; did you mean ${nearest}?`}`;
}

function isListed({ kind }: Leaf): boolean {
  return kind === 'names' || kind === 'texts' || kind === 'paths';
}

/** Scalars as they stand in the file, so that 1.50 and 007 are what was written. */
function readTexts(node: Node): readonly string[] | undefined {
  if (isScalar(node)) return [node.type === 'PLAIN' ? (node.source ?? String(node.value)) : String(node.value)];
  if (!isSeq(node) || node.items.length === 0) return undefined;
  const all = node.items.map((item) => (isScalar(item) ? readTexts(item)?.[0] : undefined));
  return all.every((each) => each !== undefined) ? all : undefined;
}

function joinTexts({ kind }: Leaf, texts: readonly string[]): OptionValue {
  if (kind === 'names') return texts.join(',');
  if (kind === 'texts' || kind === 'paths') return texts;
  return texts[0] ?? '';
}

/** Relative paths begin at the file's folder, which is written as the file is: what is told of them later is what would be typed here. Stdin and URLs are none. */
function resolvePath({ kind }: Leaf, text: string, folder: string): string {
  if (kind !== 'path' && kind !== 'paths' && kind !== 'url') return text;
  const [, scheme, rest] = /^(sqlite|pglite):(?!\/\/)(.+)$/u.exec(text) ?? [];
  if (scheme !== undefined && rest !== undefined) return rest.startsWith(':') ? text : `${scheme}:${placeIn(folder, rest)}`;
  return text === '-' || kind === 'url' || /^[a-z][a-z0-9+.-]*:/iu.test(text) ? text : placeIn(folder, text);
}

/** A name that would be read as stdin or as a URL by itself keeps a dot before it. */
function placeIn(folder: string, name: string): string {
  if (path.isAbsolute(name)) return path.normalize(name);
  const joined = path.join(folder, name);
  return joined === '-' || /^[^/]*:/u.test(joined) ? `./${joined}` : joined;
}

/** `columns: { id: integer, body: { type: text, from: content } }` is `--column id:integer --column body:text --map body=content`. */
function takeColumns(reading: Reading, { node, key }: LeafPlace, label: string): void {
  const refuse = (at: Node, what: string): void => void reading.problems.push(placed(reading, at.range?.[0] ?? 0, what));
  if (!isMap(node)) {
    refuse(node, `${key} takes a type for each column, such as "id: integer"`);
    return;
  }
  const types: string[] = [];
  const mapped: string[] = [];
  for (const pair of node.items as readonly Pair<Node, Node | null>[]) {
    const name = isScalar(pair.key) ? String(pair.key.value) : '';
    const { value } = pair;
    if (isScalar(value) && typeof value.value === 'string') types.push(`${name}:${value.value}`);
    else if (isMap(value)) takeColumn(value, { name, types, mapped, refuse });
    else if (!isAlias(value)) refuse(pair.key, `${key}.${name} takes a type, or type and from`);
  }
  if (types.length > 0) reading.values.set('column', { value: types, label, isSecret: false });
  if (mapped.length > 0) reading.values.set('map', { value: mapped, label, isSecret: false });
}

interface ColumnPlace {
  readonly name: string;
  readonly types: string[];
  readonly mapped: string[];
  readonly refuse: (at: Node, what: string) => void;
}

function takeColumn(map: YAMLMap, { name, types, mapped, refuse }: ColumnPlace): void {
  for (const pair of map.items as readonly Pair<Node, Node | null>[]) {
    const key = isScalar(pair.key) ? String(pair.key.value) : '';
    const value = isScalar(pair.value) ? String(pair.value.value) : '';
    if (key === 'type' && value !== '') types.push(`${name}:${value}`);
    else if (key === 'from' && value !== '') mapped.push(`${name}=${value}`);
    else {
      const nearest = findNearest(key, ['type', 'from']);
      refuse(
        pair.key,
        `columns.${name} has no key ${JSON.stringify(key)}; it takes type and from${nearest === undefined ? '' : `, did you mean ${nearest}?`}`,
      );
    }
  }
}
