/** A digest of keys that client and server compute alike, so that a table is verified by one aggregate instead of by sending its keys. */
import type { Batch } from '../../../rows/batch.ts';
import type { Scalar } from '../../../rows/schema.ts';
import { isUnfit } from '../../../rows/unfit.ts';
import type { KeyDigest } from '../../../ledger/digest.ts';
import { quoteIdentifier } from '../../sql-text.ts';
import { findValues } from './encode-field.ts';
import { canonicalizeNumeric, readNumericLimits } from './numeric.ts';
import { parseMoment } from './temporal.ts';
import type { Value } from './block.ts';
import type { WireColumn, WireType } from '../wire-column.ts';
import type { Convert } from './convert.ts';
import { findFit } from './fit.ts';
import type { Hash } from './hash.ts';
import { foldLong, hashBytes, hashLong } from './hash.ts';

/** Goes on with a hash by a value; the former columns' hash is the seed. */
type AddValue = (hash: Hash, value: Value) => void;

/** The same of one type on both sides. */
interface KeyForm {
  readonly addValue: AddValue;
  /** The SQL of it: `value` is the column, `seed` the hash so far. All functions are in PostgreSQL since 11. */
  readonly write: (value: string, seed: string) => string;
}

function addInteger(hash: Hash, value: Value): void {
  if (typeof value === 'number') hashLong(hash, Math.floor(value / 0x1_0000_0000), value | 0);
  else hashLong(hash, Number((value as bigint) >> 32n), Number(BigInt.asIntN(32, value as bigint)));
}

/** hashint8 folds its two words into one, so that 2³² keys share each hash; the high word goes into the seed to tell them apart. */
const integerForm: KeyForm = {
  addValue: addInteger,
  write: (value, seed) => `hashint8extended((${value})::int8, ${seed} # ((${value})::int8 >> 32))`,
};

const booleanForm: KeyForm = {
  addValue: (hash, value) => addInteger(hash, value === true ? 1 : 0),
  write: (value, seed) => integerForm.write(`(${value})::int4`, seed),
};

let textBytes = Buffer.alloc(1024);

function addText(hash: Hash, text: string): void {
  if (text.length * 3 > textBytes.length) textBytes = Buffer.alloc(text.length * 6);
  hashBytes(hash, textBytes, textBytes.write(text));
}

/** In the collation "C": a text is its bytes, whatever the column's collation says of equality. */
function writeText(value: string, seed: string): string {
  return `hashtextextended((${value})::text collate "C", ${seed})`;
}

/** `store`: the text as the column keeps it. */
function createTextForm(store: (text: string) => string): KeyForm {
  return { addValue: (hash, value) => addText(hash, store(value as string)), write: writeText };
}

const uuidBytes = Buffer.alloc(16);

const uuidForm: KeyForm = {
  addValue: (hash, value) => {
    uuidBytes.write((value as string).replaceAll('-', ''), 'hex');
    hashBytes(hash, uuidBytes, 16);
  },
  write: (value, seed) => `uuid_hash_extended(${value}, ${seed})`,
};

const bytesForm: KeyForm = {
  addValue: (hash, value) => addText(hash, Buffer.from(value as Uint8Array).toString('hex')),
  write: (value, seed) => writeText(`encode(${value}, 'hex')`, seed),
};

function createNumericForm(typmod: number): KeyForm {
  const limits = readNumericLimits(typmod);
  return {
    addValue: (hash, value) => addText(hash, canonicalizeNumeric(value as string, limits)),
    write: (value, seed) => writeText(`trim_scale(${value})`, seed),
  };
}

/** Microseconds since 2000; a zone's moments are taken in UTC. */
function createMomentForm(cast: (value: string) => string, read: (text: string) => string): KeyForm {
  return {
    addValue: (hash, value) => {
      const moment = parseMoment(read(value as string));
      if (typeof moment === 'string') throw new RangeError('a key was digested that its column refuses');
      if (typeof moment === 'number') foldLong(hash, Math.floor(moment / 0x1_0000_0000), moment | 0);
      else foldLong(hash, Number(moment >> 32n), Number(BigInt.asIntN(32, moment)));
    },
    write: (value, seed) => `timestamp_hash_extended(${cast(value)}, ${seed})`,
  };
}

function addMidnight(text: string): string {
  if (text.endsWith('infinity')) return text;
  return text.endsWith(' BC') ? `${text.slice(0, -3)}T00:00:00 BC` : `${text}T00:00:00`;
}

const keepAll = (text: string): string => text;

/** varchar(n) and char(n) cut what is too long: spaces, for anything else is refused. */
function cutLength(text: string, typmod: number): string {
  return typmod === -1 || text.length <= typmod - 4
    ? text
    : Array.from(text)
        .slice(0, typmod - 4)
        .join('');
}

/** Types whose keys are digested; times, addresses and the like have too many spellings. */
function findKeyForm({ name, kind, isArray, typmod }: WireType): KeyForm | undefined {
  if (isArray || kind === 'other') return undefined;
  if (kind === 'enum') return createTextForm(keepAll);
  switch (name) {
    case 'int2':
    case 'int4':
    case 'int8':
    case 'oid':
      return integerForm;
    case 'bool':
      return booleanForm;
    case 'text':
    case 'citext':
    case 'name':
      return createTextForm(keepAll);
    case 'varchar':
      return createTextForm((text) => cutLength(text, typmod));
    case 'bpchar':
      return createTextForm((text) => text.replace(/ +$/u, ''));
    case 'uuid':
      return uuidForm;
    case 'bytea':
      return bytesForm;
    case 'numeric':
      return createNumericForm(typmod);
    case 'date':
      return createMomentForm((value) => `(${value})::timestamp`, addMidnight);
    case 'timestamp':
      return hasCoarseTypmod(typmod) ? undefined : createMomentForm(keepAll, keepAll);
    case 'timestamptz':
      return hasCoarseTypmod(typmod) ? undefined : createMomentForm((value) => `((${value}) at time zone 'UTC')`, keepAll);
    default:
      return undefined;
  }
}

/** `timestamp(3)` rounds what it is given. */
function hasCoarseTypmod(typmod: number): boolean {
  return typmod !== -1 && typmod < 6;
}

/** Whether keys of these types are digested alike on both sides. */
export function canHashKey(types: readonly WireType[]): boolean {
  return types.length > 0 && types.every((type) => findKeyForm(type) !== undefined);
}

interface KeyPart {
  readonly values: readonly Scalar[];
  readonly convert: Convert | undefined;
  readonly addValue: AddValue;
}

function openPart(wire: WireColumn, batch: Batch): KeyPart {
  const values = findValues(batch, wire);
  const form = findKeyForm(wire.type);
  const fit = findFit(wire);
  if (values.kind === 'vector' || form === undefined || fit === undefined)
    throw new RangeError(`keys of type ${wire.type.name} have no digest`);
  return { values: values.values, convert: fit.convert, addValue: form.addValue };
}

/**
 * The digest of the keys of those rows: of `columns`, the key's in its order. Rows must have passed `checkBatch`; a key with a null counts for nothing,
 * as on the server. Texts are hashed as a server of little-endian byte order hashes them.
 */
export function digestRows(columns: readonly WireColumn[], batch: Batch, rows: Int32Array): KeyDigest {
  const parts = columns.map((wire) => openPart(wire, batch));
  const hash: Hash = { high: 0, low: 0 };
  let high = 0;
  let low = 0;
  for (const row of rows) {
    hash.high = 0;
    hash.low = 0;
    if (!addKey(hash, parts, row)) continue;
    high = (high + hash.high) | 0;
    low = (low + hash.low) | 0;
  }
  return { high: high >>> 0, low: low >>> 0 };
}

function addKey(hash: Hash, parts: readonly KeyPart[], row: number): boolean {
  for (const { values, convert, addValue } of parts) {
    const value = values[row] ?? null;
    if (value === null) return false;
    const converted = convert === undefined ? value : convert(value);
    if (isUnfit(converted)) throw new RangeError('a key was digested that its column refuses');
    addValue(hash, converted);
  }
  return true;
}

/** The same digest as two aggregates over the table; `prefix` stands before the columns' names (`t.`). Each is an int8. */
export function writeKeyDigest(
  key: readonly { readonly name: string; readonly type: WireType }[],
  prefix = '',
): { readonly high: string; readonly low: string } {
  const hash = key.reduce((seed, { name, type }) => {
    const form = findKeyForm(type);
    if (form === undefined) throw new RangeError(`keys of type ${type.name} have no digest`);
    return form.write(prefix + quoteIdentifier(name), seed);
  }, '0::int8');
  const sum = (half: string): string => `coalesce(sum(${half} & 4294967295) % 4294967296, 0)::int8`;
  return { high: sum(`(${hash} >> 32)`), low: sum(hash) };
}
