/** Values of a result, from the text that the server writes for their type; what they are does not depend on settings of the session. */
import type { ResultRow } from '../../driver.ts';
import type { FieldDescription } from './wire-client.ts';

type ResultValue = ResultRow[string];
type ParseValue = (text: string) => ResultValue;

export function parseInteger(text: string): number | bigint {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : BigInt(text);
}

/** `\x00ff`, or the older form `\000\377` where a session was told so. */
export function parseBytes(text: string): Uint8Array {
  if (text.startsWith('\\x')) return Uint8Array.from(Buffer.from(text.slice(2), 'hex'));
  const bytes: number[] = [];
  for (let at = 0; at < text.length; at++) {
    if (text[at] !== '\\') bytes.push(text.charCodeAt(at));
    else if (text[at + 1] === '\\') bytes.push(text.charCodeAt(++at));
    else {
      bytes.push(Number.parseInt(text.slice(at + 1, at + 4), 8));
      at += 3;
    }
  }
  return Uint8Array.from(bytes);
}

const timestampPattern = /^(\d{4,})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d(?:\.\d+)?)(?:([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?)?$/u;

/** `2026-11-21 10:00:00.5+02` as `2026-11-21T08:00:00.5Z`; infinities and years before Christ stay as the server writes them. */
function parseTimestamp(text: string): string {
  const match = timestampPattern.exec(text);
  if (match === null) return text;
  const [, year = '', month = '', day = '', hour = '', minute = '', second = '', sign, zoneHour = '0', zoneMinute = '0', zoneSecond = '0'] =
    match;
  if (sign === undefined) return `${year}-${month}-${day}T${hour}:${minute}:${second}`;
  const offsetSeconds = (Number(zoneHour) * 60 + Number(zoneMinute)) * 60 + Number(zoneSecond);
  if (offsetSeconds === 0) return `${year}-${month}-${day}T${hour}:${minute}:${second}Z`;
  const moment = new Date(0);
  moment.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  // Whole seconds only: the fraction is not touched by a zone, and Date would cut it to milliseconds.
  moment.setUTCHours(Number(hour), Number(minute), Number(second.slice(0, 2)) + (sign === '+' ? -offsetSeconds : offsetSeconds));
  const utc = moment.toISOString().slice(0, 19);
  return utc.length === 19 && /^\d{4}-/u.test(utc) ? `${utc}${second.slice(2)}Z` : text;
}

/** `[1,2.5]` as the bytes of little-endian float32. */
function parseVector(text: string): Uint8Array {
  const numbers = text === '[]' ? [] : text.slice(1, -1).split(',').map(Number);
  const bytes = new Uint8Array(numbers.length * 4);
  const view = new DataView(bytes.buffer);
  numbers.forEach((value, index) => view.setFloat32(index * 4, value, true));
  return bytes;
}

const asText: ParseValue = (text) => text;

/** By oid of the built-in types, those whose values are what every target answers: bool, bytea, int8, int2, int4, oid, float4, float8. */
export const scalarParsers: ReadonlyMap<number, (text: string) => boolean | Uint8Array | number | bigint> = new Map<
  number,
  (text: string) => boolean | Uint8Array | number | bigint
>([
  [16, (text) => text === 't'],
  [17, parseBytes],
  [20, parseInteger],
  [21, parseInteger],
  [23, parseInteger],
  [26, parseInteger],
  [700, Number],
  [701, Number],
]);

/** Everything else stays as the server writes it. */
const parsers: ReadonlyMap<number, ParseValue> = new Map<number, ParseValue>([
  ...scalarParsers,
  [1114, parseTimestamp],
  [1184, parseTimestamp],
]);

/** Makes rows of a result's fields. `extensionTypes`: names of the types of extensions, by oid. */
export function createRowReader(
  fields: readonly FieldDescription[],
  extensionTypes: ReadonlyMap<number, string>,
): (values: readonly (string | null)[]) => ResultRow {
  const columns = fields.map(({ name, dataTypeID }) => {
    const extension = extensionTypes.get(dataTypeID);
    const parse = extension === 'vector' || extension === 'halfvec' ? parseVector : (parsers.get(dataTypeID) ?? asText);
    return { name, parse };
  });
  return (values) =>
    Object.fromEntries(
      columns.map(({ name, parse }, index) => {
        const text = values[index];
        return [name, text === null || text === undefined ? null : parse(text)];
      }),
    );
}
