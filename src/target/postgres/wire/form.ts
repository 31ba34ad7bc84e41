/** The binary form of each PostgreSQL type by name: what it holds, how it is written, and what of it a column refuses. */
import type { ScalarType } from '../../../rows/schema.ts';
import type { Unfit } from '../../../rows/unfit.ts';
import { fitsNumeric, putNumeric, readNumericLimits } from './numeric.ts';
import { parseInterval } from './temporal-interval.ts';
import type { TemporalFault } from './temporal.ts';
import { parseDays, parseMoment, parseTime } from './temporal.ts';
import { countBits, packBits } from './bits.ts';
import type { Block, Put, Value } from './block.ts';
import * as plain from './block.ts';
import { packNetwork, parseMac, parseNetwork } from './network.ts';
import { packVectorText, parseSparse, writeSparse } from './vector.ts';

/** What a value would be refused for; `typmod` of the column. */
export type Check = (value: Value, typmod: number) => Unfit | undefined;

/** How values of one type travel. */
export interface Form {
  /** The sluice type that `put` takes values in. */
  readonly holds: ScalarType;
  /** Bytes with the length; 4 where they vary, for a null. */
  readonly fixedBytes: number;
  readonly put: Put;
  /** undefined: every value of `holds` is taken. */
  readonly check?: Check;
  /** Whether `check` asks only of columns with a typmod. */
  readonly checksTypmodOnly?: boolean;
}

const range = (what: string): Unfit => ({ code: 'VALUE_RANGE', message: `the ${what} is out of the type's range` });
const format = (what: string): Unfit => ({ code: 'VALUE_FORMAT', message: `the text is no ${what}` });

const integerRange = range('number');
const nulInText: Unfit = { code: 'VALUE_FORMAT', message: 'the text holds a NUL character, which PostgreSQL cannot store' };
const nulInJson: Unfit = { code: 'VALUE_FORMAT', message: 'the JSON holds \\u0000, which jsonb cannot store' };
const textTooLong: Unfit = { code: 'VALUE_RANGE', message: 'the text is longer than the column takes' };
const bitsTooLong: Unfit = { code: 'VALUE_RANGE', message: 'the bit string has another length than the column takes' };
const numericOverflow: Unfit = { code: 'VALUE_RANGE', message: 'the number has more digits than the column takes' };

function checkIntegers(least: number, most: number): Check {
  return (value) => (Number(value) < least || Number(value) > most ? integerRange : undefined);
}

/** Too large, or so small that only 0 would be left of it: the server refuses both as text. */
function checkFloat4(value: Value): Unfit | undefined {
  const number = Number(value);
  const single = Math.fround(number);
  return (Number.isFinite(number) && !Number.isFinite(single)) || (single === 0 && number !== 0) ? integerRange : undefined;
}

function checkText(value: Value): Unfit | undefined {
  return (value as string).includes('\0') ? nulInText : undefined;
}

/** The length of varchar(n) and char(n) counts characters; spaces beyond it are cut by the server without a word, as the SQL standard wants it. */
function checkLength(value: Value, typmod: number): Unfit | undefined {
  const text = value as string;
  const limit = typmod - 4;
  if (typmod !== -1 && text.length > limit && !fitsLength(text, limit)) return textTooLong;
  return checkText(value);
}

function fitsLength(text: string, limit: number): boolean {
  let at = 0;
  for (let count = 0; count < limit && at < text.length; count++) at += (text.codePointAt(at) as number) > 0xffff ? 2 : 1;
  return /^ *$/u.test(text.slice(at));
}

/** NAMEDATALEN: 63 bytes and a NUL. A longer one ends the whole statement with an error that is no fault of data. */
function checkName(value: Value): Unfit | undefined {
  return Buffer.byteLength(value as string) > 63 ? textTooLong : checkText(value);
}

function checkJsonb(value: Value): Unfit | undefined {
  const text = value as string;
  // An even number of backslashes before it makes it text that only looks like the escape.
  const hasNul = text.includes('\\u0000') && /(?<!\\)(?:\\\\)*\\u0000/u.test(text);
  return hasNul ? nulInJson : undefined;
}

function isFault(parsed: unknown): parsed is TemporalFault {
  return typeof parsed === 'string';
}

function tellFault(fault: TemporalFault, what: string): Unfit {
  return fault === 'shape' ? format(what) : range(what);
}

function putDays(block: Block, at: number, value: Value): number {
  const days = parseDays(value as string);
  return isFault(days) ? throwUnchecked() : plain.putInt4(block, at, days);
}

function putMoment(block: Block, at: number, value: Value): number {
  const moment = parseMoment(value as string);
  if (isFault(moment)) return throwUnchecked();
  block.view.setInt32(at, 8);
  plain.writeMicroseconds(block.view, at + 4, moment);
  return at + 12;
}

/** A value that the checks would have refused: the caller did not ask them. */
function throwUnchecked(): never {
  throw new RangeError('a value was written that its column refuses');
}

/** Plain years are in range of every type; only what PostgreSQL alone writes need be looked at. */
function checkTemporal(parse: (text: string) => unknown, what: string): Check {
  return (value) => {
    const text = value as string;
    if (text.charCodeAt(4) === 45 && text.charCodeAt(text.length - 1) !== 67) return undefined;
    const parsed = parse(text);
    return isFault(parsed) ? tellFault(parsed, what) : undefined;
  };
}

/** A form whose values are packed at once: `pack` answers the bytes behind the length, or why there are none. */
function pack(read: (text: string, typmod: number) => Uint8Array | Unfit): Form {
  return {
    holds: 'text',
    fixedBytes: 4,
    put: (block, at, value) => {
      const packed = read(value as string, -1);
      return packed instanceof Uint8Array ? plain.putBytes(block, at, packed) : throwUnchecked();
    },
    check: (value, typmod) => {
      const packed = read(value as string, typmod);
      return packed instanceof Uint8Array ? undefined : packed;
    },
  };
}

function packClock(text: string, hasZone: boolean): Uint8Array | Unfit {
  const time = parseTime(text);
  if (isFault(time)) return tellFault(time, 'time of day');
  const packed = Buffer.alloc(hasZone ? 12 : 8);
  packed.writeBigInt64BE(BigInt(time.microseconds));
  // The server counts zones westwards.
  if (hasZone) packed.writeInt32BE(-(time.zoneSeconds ?? 0), 8);
  return packed;
}

function packInterval(text: string): Uint8Array | Unfit {
  const interval = parseInterval(text);
  if (isFault(interval)) return tellFault(interval, 'interval');
  const packed = Buffer.alloc(16);
  packed.writeBigInt64BE(interval.microseconds);
  packed.writeInt32BE(interval.days, 8);
  packed.writeInt32BE(interval.months, 12);
  return packed;
}

function packAddress(text: string, kind: 'inet' | 'cidr'): Uint8Array | Unfit {
  const address = parseNetwork(text, kind);
  return address === undefined ? format(kind === 'inet' ? 'network address' : 'network') : packNetwork(address, kind);
}

function packBitText(text: string, typmod: number, isVarying: boolean): Uint8Array | Unfit {
  const packed = packBits(text);
  if (packed === undefined) return format('bit string');
  const count = countBits(packed);
  const fits = typmod === -1 || (isVarying ? count <= typmod : count === typmod);
  return fits ? packed : bitsTooLong;
}

const sparseForm: Form = {
  holds: 'text',
  fixedBytes: 4,
  put: (block, at, value) => {
    const sparse = parseSparse(value as string, -1);
    return 'code' in sparse ? throwUnchecked() : writeSparse(block, at, sparse);
  },
  check: (value, typmod) => {
    const sparse = parseSparse(value as string, typmod);
    return 'code' in sparse ? sparse : undefined;
  },
};

const text: Form = { holds: 'text', fixedBytes: 4, put: plain.putText, check: checkText };
const limitedText: Form = { ...text, check: checkLength };
const moment: Form = { holds: 'timestamp', fixedBytes: 12, put: putMoment, check: checkTemporal(parseMoment, 'timestamp') };

/** Labels of enums travel as their text. */
export const enumForm: Form = text;

const forms: ReadonlyMap<string, Form> = new Map<string, Form>([
  ['int2', { holds: 'integer', fixedBytes: 6, put: plain.putInt2, check: checkIntegers(-0x8000, 0x7fff) }],
  ['int4', { holds: 'integer', fixedBytes: 8, put: plain.putInt4, check: checkIntegers(-0x8000_0000, 0x7fff_ffff) }],
  ['int8', { holds: 'integer', fixedBytes: 12, put: plain.putInt8 }],
  ['oid', { holds: 'integer', fixedBytes: 8, put: plain.putInt4, check: checkIntegers(0, 0xffff_ffff) }],
  ['float4', { holds: 'real', fixedBytes: 8, put: plain.putFloat4, check: checkFloat4 }],
  ['float8', { holds: 'real', fixedBytes: 12, put: plain.putFloat8 }],
  [
    'numeric',
    {
      holds: 'decimal',
      fixedBytes: 4,
      put: putNumeric,
      check: (value, typmod) => (fitsNumeric(value as string, readNumericLimits(typmod)) ? undefined : numericOverflow),
    },
  ],
  ['text', text],
  ['varchar', limitedText],
  ['bpchar', limitedText],
  ['name', { ...text, check: checkName }],
  ['citext', text],
  ['json', { holds: 'json', fixedBytes: 4, put: plain.putText }],
  ['jsonb', { holds: 'json', fixedBytes: 4, put: plain.putJsonb, check: checkJsonb }],
  ['bool', { holds: 'boolean', fixedBytes: 5, put: plain.putBoolean }],
  ['bytea', { holds: 'bytes', fixedBytes: 4, put: plain.putBytes }],
  ['uuid', { holds: 'uuid', fixedBytes: 20, put: plain.putUuid }],
  ['date', { holds: 'date', fixedBytes: 8, put: putDays, check: checkTemporal(parseDays, 'date') }],
  ['timestamp', moment],
  ['timestamptz', moment],
  ['time', pack((value) => packClock(value, false))],
  ['timetz', pack((value) => packClock(value, true))],
  ['interval', pack(packInterval)],
  ['inet', pack((value) => packAddress(value, 'inet'))],
  ['cidr', pack((value) => packAddress(value, 'cidr'))],
  ['macaddr', pack((value) => parseMac(value) ?? format('hardware address'))],
  ['bit', pack((value, typmod) => packBitText(value, typmod, false))],
  ['varbit', pack((value, typmod) => packBitText(value, typmod, true))],
  ['vector', pack((value, typmod) => packVectorText(value, typmod, false))],
  ['halfvec', pack((value, typmod) => packVectorText(value, typmod, true))],
  ['sparsevec', sparseForm],
]);

/** The form of a type that is no array; undefined where none is known. */
export function findForm(type: { readonly name: string; readonly kind: 'base' | 'enum' | 'other' }): Form | undefined {
  if (type.kind === 'enum') return enumForm;
  return type.kind === 'base' ? forms.get(type.name) : undefined;
}
