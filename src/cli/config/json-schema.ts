/** The JSON Schema of a configuration file, out of the same tree that reads it, explained by the texts of the options. */
import type { CommandOutline } from '../command-outline.ts';
import { isBranch, loadShape, type Leaf, type Shape } from './shape.ts';

type Json = Readonly<Record<string, unknown>>;

/** Published beside the documentation; editors find it by the first line of a written file. */
export const schemaUrl = 'https://unpkg.com/sluice/docs/reference/load.schema.json';

const textOrList: Json = { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' }, minItems: 1 }] };
const numberOrText: Json = { type: ['integer', 'string'] };

function describeKind(leaf: Leaf): Json {
  if (leaf.kind === 'switch') return { type: 'boolean' };
  if (leaf.kind === 'choice') return { enum: leaf.choices };
  if (leaf.kind === 'count') return numberOrText;
  if (leaf.kind === 'size') return { ...numberOrText, examples: ['64MiB', '1GB'] };
  if (leaf.kind === 'duration') return { type: 'string', examples: ['250ms', '30s', '5m'] };
  if (leaf.kind === 'limit') return { ...numberOrText, examples: leaf.share ? [500, '1%'] : [1000] };
  if (leaf.kind === 'names' || leaf.kind === 'texts' || leaf.kind === 'paths') return textOrList;
  if (leaf.kind === 'columns') {
    const column = { type: 'object', properties: { type: { type: 'string' }, from: { type: 'string' } }, additionalProperties: false };
    return { type: 'object', additionalProperties: { anyOf: [{ type: 'string' }, column] } };
  }
  // A number or a word such as true is a text where one is wanted; false turns the cache off.
  return leaf.option === 'cache' ? { type: ['string', 'boolean'] } : { type: ['string', 'number'] };
}

/** What help says of each option, by its long name. */
function listDescriptions(commands: readonly CommandOutline[]): ReadonlyMap<string, string> {
  const options = commands.find(({ name }) => name === 'load')?.groups.flatMap((group) => group.options) ?? [];
  return new Map(
    options.flatMap(({ description, flags }) => {
      const name = /--(?:no-)?([a-z-]+)/u.exec(flags)?.[1];
      return name === undefined ? [] : [[name, description] as const];
    }),
  );
}

function describeShape(shape: Shape, descriptions: ReadonlyMap<string, string>): Json {
  const properties = Object.entries(shape).map(([key, entry]): readonly [string, Json] => {
    if (isBranch(entry)) return [key, { description: entry.description, ...describeShape(entry.keys, descriptions) }];
    const description = entry.description ?? descriptions.get(entry.option);
    // A key without a value says nothing.
    const kind = describeKind(entry);
    return [key, { ...(description === undefined ? {} : { description }), anyOf: [kind, { type: 'null' }] }];
  });
  return { type: 'object', properties: Object.fromEntries(properties), additionalProperties: false };
}

/** The schema as plain data. */
export function writeConfigSchema(commands: readonly CommandOutline[]): Json {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: schemaUrl,
    title: 'A load of sluice',
    ...describeShape(loadShape, listDescriptions(commands)),
  };
}

/** A key of a configuration file. */
export interface ConfigKey {
  /** With those above it, as in `source.format`. */
  readonly key: string;
  readonly leaf: Leaf;
  readonly description: string;
}

/** Every key, for the reference and for completion. */
export function listKeys(commands: readonly CommandOutline[]): readonly ConfigKey[] {
  return listUnder(loadShape, '', listDescriptions(commands));
}

function listUnder(shape: Shape, under: string, descriptions: ReadonlyMap<string, string>): readonly ConfigKey[] {
  return Object.entries(shape).flatMap(([name, entry]) => {
    const key = under === '' ? name : `${under}.${name}`;
    if (isBranch(entry)) return listUnder(entry.keys, key, descriptions);
    return [{ key, leaf: entry, description: entry.description ?? descriptions.get(entry.option) ?? '' }];
  });
}
