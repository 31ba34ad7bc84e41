/** What `index`, `stats`, `delete` and `export` were asked for, as the library takes it, checked as a whole. */
import * as z from 'zod';
import type {
  BuildIndexOptions,
  DeleteOptions,
  DropIndexOptions,
  KeyValue,
  ListIndexesOptions,
  StatsOptions,
} from '../collection/options.ts';
import { exportFormats, type ExportOptions } from '../export/options.ts';
import { dropAbsent } from './given-options.ts';
import type { Invocation } from './invocation.ts';
import { checkValues, duration, names, oneOf, read, required, toggle, whole, word } from './option-schema.ts';
import { parseRejectLimit } from './values.ts';

const inShape = {
  in: required('is missing: name the database, for example --in sqlite:library.db'),
  lockTimeout: duration,
  json: toggle,
};
const table = required('is missing: name the table, for example --table docs');
const actions = ['create', 'rebuild', 'drop', 'list'] as const;

const indexShape = {
  ...inShape,
  table: word,
  column: word,
  name: word,
  metric: oneOf(['cosine', 'ip', 'l2']),
  backend: oneOf(['hnsw', 'exact', 'ivfflat']),
  m: whole(2, 100),
  efConstruction: whole(4, 10_000),
  efSearch: whole(1, 10_000),
  lists: whole(1, 32_768),
  storage: oneOf(['f32', 'f16', 'bf16', 'i8']),
  dimensions: whole(1, 65_536),
  threads: whole(1, 64),
  blockWriters: toggle,
};

export type IndexRequest = { readonly isJson: boolean } & (
  | { readonly action: 'create' | 'rebuild'; readonly options: BuildIndexOptions }
  | { readonly action: 'drop'; readonly options: DropIndexOptions }
  | { readonly action: 'list'; readonly options: ListIndexesOptions }
);

/** @throws SLUICE_USAGE with every problem */
export function readIndexRequest(invocation: Invocation): IndexRequest {
  const [asked = '', ...others] = invocation.arguments;
  const action = actions.find((each) => each === asked);
  const problems = action === undefined ? [`"${asked.slice(0, 40)}" is not create, rebuild, drop or list`] : [];
  if (others.length > 0) problems.push(`"${String(others[0]).slice(0, 40)}" is one word too many`);
  const needsTable = action !== undefined && action !== 'list' && invocation.values['table'] === undefined;
  if (needsTable) problems.push('--table is missing: name the table, for example --table docs');
  if (action === 'drop' || action === 'list') problems.push(...findForeign(invocation, action));
  const values = checkValues(invocation, indexShape, problems);
  const { lockTimeout: lockTimeoutMs, blockWriters: blocksWriters, json, in: database, table: name = '', ...rest } = values;
  const common = dropAbsent({ in: database, lockTimeoutMs });
  const isJson = json ?? false;
  if (action === 'list') return { action, isJson, options: dropAbsent({ ...common, table: values.table }) };
  if (action === 'drop') return { action, isJson, options: dropAbsent({ ...common, table: name, column: rest.column, name: rest.name }) };
  return { action: action ?? 'create', isJson, options: dropAbsent({ ...common, ...rest, table: name, blocksWriters }) };
}

/** Options of a build mean nothing where nothing is built; in the environment they wait for one. */
function findForeign({ flagged, labels }: Invocation, action: string): string[] {
  const own = new Set(['in', 'table', 'lockTimeout', 'json', ...(action === 'drop' ? ['column', 'name'] : [])]);
  return [...flagged]
    .filter((attribute) => !own.has(attribute))
    .map((attribute) => `${labels[attribute] ?? attribute} means nothing to index ${action}`);
}

/** @throws SLUICE_USAGE */
export function readStatsRequest(invocation: Invocation): { readonly options: StatsOptions; readonly isJson: boolean } {
  const { in: database, table: name, lockTimeout: lockTimeoutMs, json } = checkValues(invocation, { ...inShape, table }, []);
  return { options: dropAbsent({ in: database, table: name, lockTimeoutMs }), isJson: json ?? false };
}

const deleteShape = {
  ...inShape,
  table,
  key: z.array(z.string()).optional(),
  keysFrom: word,
  where: word,
  dryRun: toggle,
  max: read(parseRejectLimit, 'a number of rows such as 500, or a share such as 5%'),
  yes: toggle,
};

/** What decides which rows go: SLUICE_KEY is the key of a load, and must never be taken for rows to delete. */
const typedOnly = ['key', 'keysFrom', 'where', 'dryRun', 'max', 'yes'] as const;

/** @throws SLUICE_USAGE with every problem */
export function readDeleteRequest(invocation: Invocation): { readonly options: DeleteOptions; readonly isJson: boolean } {
  const typed = Object.entries(invocation.values).filter(
    ([name]) => !typedOnly.some((each) => each === name) || invocation.flagged.has(name),
  );
  const values = checkValues({ ...invocation, values: Object.fromEntries(typed) }, deleteShape, []);
  const options = dropAbsent({
    in: values.in,
    table: values.table,
    keys: values.key?.map(readKey),
    keysFrom: values.keysFrom,
    where: values.where,
    dryRun: values.dryRun,
    maxDeletes: values.max,
    allowsAll: values.yes,
    lockTimeoutMs: values.lockTimeout,
  });
  return { options, isJson: values.json ?? false };
}

/** A JSON array is a key of several columns; anything else is a value as it stands. */
function readKey(text: string): KeyValue | readonly KeyValue[] {
  if (!text.trimStart().startsWith('[')) return text;
  try {
    // Digits that a double can't hold stay text, which the column then reads exactly.
    const values = JSON.parse(text.replaceAll(/(?<=[[,]\s*)-?\d{16,}(?=\s*[\],])/gu, '"$&"')) as readonly unknown[];
    return values.every(isKeyValue) ? values : text;
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}

function isKeyValue(value: unknown): value is KeyValue {
  return ['string', 'number', 'boolean'].includes(typeof value);
}

const exportShape = {
  ...inShape,
  table,
  columns: names,
  where: word,
  limit: whole(0, Number.MAX_SAFE_INTEGER),
  out: required('is missing: name the file, for example --out docs.jsonl; - for stdout'),
  format: oneOf(exportFormats),
  ids: word,
  force: toggle,
};

/** @throws SLUICE_USAGE with every problem */
export function readExportRequest(invocation: Invocation): {
  readonly options: ExportOptions & { readonly out: string };
  readonly isJson: boolean;
} {
  const values = checkValues(invocation, exportShape, []);
  const { in: database, lockTimeout: lockTimeoutMs, json, force: overwrites, ...rest } = values;
  // A pipe has no name to tell a format by; JSON lines is what the other commands print.
  const format = rest.format ?? (rest.out === '-' ? 'jsonl' : undefined);
  return { options: dropAbsent({ ...rest, format, in: database, lockTimeoutMs, overwrites }), isJson: json ?? false };
}
