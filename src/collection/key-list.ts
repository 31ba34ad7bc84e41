/** The keys of rows that are meant: as given, or read from a file that has them as columns. Each is what the column's type takes, or is refused before anything is deleted. */
import { formatCount } from '../count-text.ts';
import { SluiceError } from '../errors.ts';
import { createBatchBuilder, type BatchBuilder } from '../rows/builder.ts';
import type { Column, Scalar, ScalarType } from '../rows/schema.ts';
import { isUnfit } from '../rows/unfit.ts';
import { convertValue } from '../rows/value.ts';
import { openSource } from '../source/open.ts';
import type { Records } from '../source/source.ts';
import type { TableDescription } from '../target/driver.ts';
import type { DeleteOptions, KeyValue } from './options.ts';

/** They go in one transaction and are held in memory: about 100 MB of them. More are better named by a condition over a table that holds them. */
const maxKeys = 1_000_000;

type KeyOptions = Pick<DeleteOptions, 'keys' | 'keysFrom' | 'signal'>;

/** @throws SLUICE_USAGE for keys that can't be meant, SLUICE_SOURCE_… for their file */
export async function listKeys(description: TableDescription, options: KeyOptions): Promise<readonly (readonly Scalar[])[]> {
  const columns = description.key.map((name) => describeKeyColumn(description, name));
  if (columns.length === 0)
    throw new SluiceError('SLUICE_USAGE', `The table ${description.name} has no primary key that rows could be named by.`, {
      hint: 'Name them by a condition: --where.',
    });
  const given = (options.keys ?? []).map((key) => convertKey(columns, key));
  const read = options.keysFrom === undefined ? [] : await readKeys(columns, options.keysFrom, options.signal);
  return dropRepeats([...given, ...read]);
}

function describeKeyColumn({ columns, name: table }: TableDescription, name: string): Column {
  const found = columns.find((column) => column.name === name);
  if (found === undefined || found.type === 'vector')
    throw new SluiceError('SLUICE_USAGE', `The key column ${name} of ${table} holds no values that could be named.`, {
      hint: 'Use --where.',
    });
  return { name, field: name, type: found.type, isNullable: false };
}

function convertKey(columns: readonly Column[], key: KeyValue | readonly KeyValue[]): readonly Scalar[] {
  const values = Array.isArray(key) ? (key as readonly KeyValue[]) : [key as KeyValue];
  if (values.length !== columns.length) {
    const names = columns.map(({ name }) => name).join(', ');
    throw new SluiceError(
      'SLUICE_USAGE',
      `A key of ${String(values.length)} values is given; the table's has ${String(columns.length)}: ${names}.`,
      {
        hint: columns.length === 1 ? 'Give one value for each row.' : `Give a JSON array for each row: '[1,"a"]'.`,
      },
    );
  }
  return columns.map(({ name, type }, at) => {
    const value = convertValue(type as ScalarType, values[at], () => undefined);
    if (!isUnfit(value)) return value;
    throw new SluiceError('SLUICE_USAGE', `A key is not what the column ${name} (${type}) takes: ${value.message}.`, {
      hint: 'Nothing was deleted.',
    });
  });
}

async function readKeys(
  columns: readonly Column[],
  file: string,
  signal: AbortSignal | undefined,
): Promise<readonly (readonly Scalar[])[]> {
  const source = await openSource(file, {});
  try {
    checkFields(columns, file, (await source.sample(signal)).fields);
    const builder = createBatchBuilder(columns);
    const keys: (readonly Scalar[])[] = [];
    for await (const shard of source.shards(Number.MAX_SAFE_INTEGER, signal)) {
      for await (const records of source.read(shard, { offset: shard.start, row: 0, line: 0 }, { columns, signal }))
        addKeys(keys, builder, { records, file });
    }
    return keys;
  } finally {
    await source.close();
  }
}

function addKeys(
  keys: (readonly Scalar[])[],
  builder: BatchBuilder,
  { records, file }: { readonly records: Records; readonly file: string },
): void {
  const [bad] = [...records.rejects, ...builder.add(records)];
  if (bad !== undefined)
    throw new SluiceError('SLUICE_SOURCE_INVALID', `Line ${formatCount(bad.line + 1)} of ${file} is no key: ${bad.message}.`, {
      hint: 'Nothing was deleted.',
    });
  const { values, rowCount } = builder.take();
  for (let row = 0; row < rowCount; row++)
    keys.push(values.map((column) => (column.kind === 'scalar' ? (column.values[row] ?? null) : null)));
  if (keys.length > maxKeys) throw tooMany(file);
}

function checkFields(columns: readonly Column[], file: string, fields: readonly string[]): void {
  const missing = columns.filter(({ field }) => !fields.includes(field)).map(({ name }) => name);
  if (missing.length === 0 || fields.length === 0) return;
  throw new SluiceError('SLUICE_USAGE', `${file} has no field ${missing.join(', ')}, which the table's key needs.`, {
    hint: `It has: ${fields.slice(0, 20).join(', ')}.`,
  });
}

function tooMany(file: string): SluiceError {
  return new SluiceError('SLUICE_USAGE', `${file} has more than ${formatCount(maxKeys)} keys, more than one transaction should take.`, {
    hint: 'Load them into a table, then: --where "id IN (SELECT id FROM gone)".',
  });
}

function dropRepeats(keys: readonly (readonly Scalar[])[]): readonly (readonly Scalar[])[] {
  const byText = new Map(keys.map((key) => [writeKey(key), key]));
  return [...byText.values()];
}

/** A key as JSON: one value, or a list of them. */
export function writeKey(key: readonly Scalar[]): string {
  const values = key.map((value) =>
    typeof value === 'bigint' ? String(value) : value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value,
  );
  return JSON.stringify(values.length === 1 ? values[0] : values);
}
