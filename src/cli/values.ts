/** Reads the texts of option values: sizes, durations, lists, shares. Each returns undefined for a text that it can't read exactly. */
import type { Metric } from '../target/driver.ts';
import { parseColumnType } from '../rows/column-type.ts';
import type { ColumnType } from '../rows/schema.ts';

type TypeName = ColumnType | `vector(${number})`;

const sizeUnits: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, min: 60_000, h: 3_600_000 };

/** Bytes: `4096`, `64MB` (10⁶), `16MiB` (2²⁰), `1.5 GiB`. */
export function parseSize(text: string): number | undefined {
  return parseQuantity(text, sizeUnits);
}

/** Milliseconds: `500ms`, `30s`, `2m`, `1h`. A bare number is refused: it would be seconds to one reader and milliseconds to the next. `0` is clear. */
export function parseDuration(text: string): number | undefined {
  return text.trim() === '0' ? 0 : parseQuantity(text, durationUnits);
}

function parseQuantity(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  const factor = match && Object.hasOwn(units, match[2]!.toLowerCase()) ? units[match[2]!.toLowerCase()] : undefined;
  if (!match || factor === undefined) return undefined;
  const value = Math.round(Number(match[1]) * factor);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** A whole number within bounds; digits, with `_` or `,` between them if wanted. */
export function parseInteger(text: string, min: number, max: number): number | undefined {
  const digits = text.trim().replace(/(?<=\d)[_,](?=\d)/g, '');
  if (!/^\d+$/.test(digits)) return undefined;
  const value = Number(digits);
  return value >= min && value <= max ? value : undefined;
}

/** `auto`, `always`, `none`; `hnsw` asks for one, `hnsw:l2` with its metric. */
export function parseIndex(text: string): { readonly build: 'auto' | 'always' | 'none'; readonly metric?: Metric } | undefined {
  if (text === 'auto' || text === 'always' || text === 'none') return { build: text };
  const [kind, metric] = text.split(':');
  if (kind !== 'hnsw') return undefined;
  if (metric === undefined) return { build: 'always' };
  return metric === 'cosine' || metric === 'ip' || metric === 'l2' ? { build: 'always', metric } : undefined;
}

/** How many rows may be refused: a number, or a share of the rows such as `1%` or `0.5%`. */
export function parseRejectLimit(text: string): number | `${number}%` | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*%$/.exec(text.trim());
  if (!match) return parseInteger(text, 0, Number.MAX_SAFE_INTEGER);
  const percent = Number(match[1]);
  return percent <= 100 ? `${percent}%` : undefined;
}

/** Names between commas, spaces around them dropped; undefined when one is empty or stands twice. */
export function parseNames(text: string): readonly string[] | undefined {
  const names = text.split(',').map((name) => name.trim());
  return names.includes('') || new Set(names).size < names.length ? undefined : names;
}

/** `name:type`; the name may hold colons, a type never does. */
export function parseTypedColumn(text: string): readonly [name: string, type: TypeName] | undefined {
  const colon = text.lastIndexOf(':');
  const name = text.slice(0, Math.max(0, colon));
  const type = parseColumnType(text.slice(colon + 1).trim());
  if (!name || !type) return undefined;
  return [name, type.dimensions === undefined ? type.type : `vector(${type.dimensions})`];
}

/** `target=source`, cut at the first `=`. */
export function parseMapping(text: string): readonly [target: string, source: string] | undefined {
  const equals = text.indexOf('=');
  const target = text.slice(0, Math.max(0, equals));
  const source = text.slice(equals + 1);
  return target && source ? [target, source] : undefined;
}

/** One byte: a character of ASCII, or `tab` or `\t` for a tab, which shells make hard to type. */
export function parseByte(text: string): string | undefined {
  if (text === '\\t' || text.toLowerCase() === 'tab') return '\t';
  return text.length === 1 && text > '\0' && text < '\x80' ? text : undefined;
}

/** `true`, `1`, `yes`, `on` and their opposites, as environment variables are written. */
export function parseSwitch(text: string): boolean | undefined {
  const word = text.trim().toLowerCase();
  if (['1', 'true', 'yes', 'on'].includes(word)) return true;
  return ['', '0', 'false', 'no', 'off'].includes(word) ? false : undefined;
}
