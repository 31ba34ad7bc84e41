/** A guessed load as a file to edit: what was asked for and found as keys, what else could be said as comments. Secrets become references to the environment. */
import path from 'node:path';
import { Document, isMap, isScalar, type Scalar, type YAMLMap } from 'yaml';
import type { LoadPlan } from '../../load/options.ts';
import { dropSecrets } from '../../secret-text.ts';
import type { Invocation } from '../invocation.ts';
import type { OptionValue } from '../option-value.ts';
import { nameAttribute } from './file.ts';
import { schemaUrl } from './json-schema.ts';
import { isBranch, loadShape, type Leaf, type Shape } from './shape.ts';

/** Values of a column that are shown behind its type. */
const maxSamples = 2;

/** Said once for a run, not of a load. */
const leftOut: ReadonlySet<string> = new Set(['json', 'again', 'preset', 'column', 'map', 'from', 'to', 'password']);

/** The text of the file. Relative paths begin at its folder, whatever they began at before. */
export function writeLoadFile(invocation: Invocation, plan: LoadPlan, file: string): string {
  const document = new Document({});
  const root = document.contents as unknown as YAMLMap;
  const set = (key: string, value: unknown, comment?: string): void => {
    const node = document.createNode(value);
    if (comment !== undefined && comment !== '' && (isScalar(node) || isMap(node))) node.comment = ` ${comment}`;
    root.set(document.createNode(key), node);
  };
  const from = invocation.arguments.map((input) => moveInput(input, file));
  set('from', from.length === 1 ? from[0] : from, describeSource(plan));
  const to = moveTarget(String(invocation.values['to'] ?? ''), file);
  const url = dropSecrets(to);
  set('to', url);
  if (url !== to) set('password', 'env:SLUICE_PASSWORD', 'the password that was given is not written here');
  const said = collect(loadShape, invocation.values);
  for (const [key, value] of Object.entries(said)) set(key, value);
  root.set(document.createNode('columns'), writeColumns(document, plan));
  document.commentBefore = ` yaml-language-server: $schema=${schemaUrl}\n A load as sluice planned it. Edit it, then: sluice load -c FILE. Every key is in docs/reference/configuration.md.`;
  document.comment = listSuggestions(plan, said).join('\n');
  return document.toString({ lineWidth: 0 });
}

/** A path as it is written in another folder; stdin and URLs are none. */
function movePath(name: string, file: string): string {
  if (path.isAbsolute(name)) return name;
  return path.relative(path.dirname(path.resolve(file)), path.resolve(name)).replaceAll(path.sep, '/');
}

function moveInput(input: string, file: string): string {
  return input === '-' || /^[a-z][a-z0-9+.-]*:/iu.test(input) ? moveTarget(input, file) : movePath(input, file);
}

function moveTarget(target: string, file: string): string {
  const [, scheme, rest] = /^(sqlite|pglite):(?!\/\/)([^:?][^?]*)$/u.exec(target) ?? [];
  return scheme === undefined || rest === undefined ? target : `${scheme}:${movePath(rest, file)}`;
}

function describeSource({ source }: LoadPlan): string {
  const rows = source.estimatedRows === undefined ? '' : `, about ${String(Math.round(source.estimatedRows))} rows`;
  return `${source.format}${rows}`;
}

/** What flags, environment and file said, as the tree has it. */
function collect(shape: Shape, values: Readonly<Record<string, OptionValue>>): Readonly<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  for (const [key, entry] of Object.entries(shape)) {
    if (isBranch(entry)) {
      const inner = collect(entry.keys, values);
      if (Object.keys(inner).length > 0) found[key] = inner;
    } else if (!leftOut.has(entry.option)) {
      const value = values[nameAttribute(entry.option)];
      // `--no-copy` makes commander fill in true, which says nothing.
      const isSaid = value !== undefined && !(entry.kind === 'switch' && entry.isNegated === true && value === true);
      if (isSaid) found[key] = toValue(entry, value);
    }
  }
  return found;
}

function toValue({ kind }: Leaf, value: OptionValue): unknown {
  if (typeof value !== 'string') return value;
  if (kind === 'names') return value.includes(',') ? value.split(',') : value;
  return (kind === 'count' || kind === 'limit') && /^\d{1,15}$/u.test(value) ? Number(value) : value;
}

function writeColumns(document: Document, { columns }: LoadPlan): YAMLMap {
  const map = document.createNode({}) as unknown as YAMLMap;
  for (const { dimensions, field, isEmbedded, name, samples, type, why } of columns) {
    if (isEmbedded === true) continue;
    const written = dimensions === undefined ? type : `vector(${String(dimensions)})`;
    const node = document.createNode(field === name ? written : { type: written, from: field }) as Scalar | YAMLMap;
    const shown = samples.slice(0, maxSamples).map((sample) => sample.replaceAll(/[\r\n]+/gu, ' ').slice(0, 40));
    node.comment = ` ${[why, shown.length > 0 ? `such as ${shown.join(', ')}` : ''].filter((part) => part !== '').join('; ')}`;
    map.set(document.createNode(name), node);
  }
  return map;
}

/** What is worth knowing and was not said. */
function listSuggestions(plan: LoadPlan, said: Readonly<Record<string, unknown>>): readonly string[] {
  const lines: string[] = [' What else can be said, with its default:'];
  if (said['key'] === undefined) lines.push(` key: ${plan.columns[0]?.name ?? 'id'}   # none: rows that come twice would be there twice`);
  if (said['mode'] === undefined) lines.push(' mode: insert   # upsert, skip, replace, sync');
  if (plan.ignoredFields.length > 0) lines.push(` fields that no column takes: ${plan.ignoredFields.join(', ')}`);
  if (said['limits'] === undefined) lines.push(' limits: { max-rejects: 100000 }');
  if (said['speed'] === undefined) lines.push(` speed: { lanes: ${String(plan.lanes)} }`);
  if (said['embed'] === undefined) lines.push(' embed: { column: text, with: hash }');
  return [...lines, ...plan.problems.map((problem) => ` to be mended: ${problem}`)].map((line) => line.replaceAll('\n', ' '));
}
