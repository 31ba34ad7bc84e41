/** PostgreSQL's `numeric`: decimals of any length in digits to the base of 10,000, exact both ways, and the limits that a column sets. */
import type { Block, Value } from './block.ts';
import { lacksRoom, tellNeed } from './block.ts';

const negativeSign = 0x4000;
/** Of values that are no decimals: sent with no digits at all. */
const specialSigns: Readonly<Record<string, number>> = { NaN: 0xc000, Infinity: 0xd000, '-Infinity': 0xf000 };
/** Digits behind the point that the binary form can tell (NUMERIC_DSCALE_MASK), and before it that PostgreSQL stores. */
const maxScale = 0x3fff;
const maxWhole = 131_072;

/** Precision and scale of `numeric(p, s)`; undefined for `numeric`. */
export interface NumericLimits {
  readonly precision: number;
  readonly scale: number;
}

export function readNumericLimits(typmod: number): NumericLimits | undefined {
  if (typmod < 4) return undefined;
  // The scale has 11 bits and may be negative (PostgreSQL 15).
  return { precision: ((typmod - 4) >> 16) & 0xffff, scale: (((typmod - 4) & 0x7ff) ^ 1024) - 1024 };
}

export function isSpecialNumeric(text: string): boolean {
  return text in specialSigns;
}

/** The words that PostgreSQL reads as no number or an infinite one, as it prints them. */
export function readSpecialNumeric(text: string): string | undefined {
  const match = /^(nan)$|^([+-]?)inf(?:inity)?$/iu.exec(text.trim());
  if (match === null) return undefined;
  return match[1] === undefined ? `${match[2] === '-' ? '-' : ''}Infinity` : 'NaN';
}

/** Whether the column takes the decimal once it is rounded to the column's scale. */
export function fitsNumeric(text: string, limits: NumericLimits | undefined): boolean {
  if (isSpecialNumeric(text)) return text === 'NaN' || limits === undefined;
  const start = text.startsWith('-') ? 1 : 0;
  const point = text.indexOf('.');
  const wholeDigits = (point === -1 ? text.length : point) - start;
  const fractionDigits = point === -1 ? 0 : text.length - point - 1;
  if (limits === undefined) return wholeDigits <= maxWhole && fractionDigits <= maxScale;
  if (fractionDigits > maxScale) return false;
  // Rounding adds a digit at most when all are nines; only then need it be done.
  if (wholeDigits < limits.precision - limits.scale) return true;
  const unscaled = BigInt(roundDigits(text, limits.scale));
  return (unscaled < 0n ? -unscaled : unscaled) < 10n ** BigInt(limits.precision);
}

/** The decimal times 10^scale as an integer's text, rounded half away from zero as PostgreSQL rounds. */
function roundDigits(text: string, scale: number): string {
  const isNegative = text.startsWith('-');
  const [whole = '', fraction = ''] = (isNegative ? text.slice(1) : text).split('.');
  const digits = whole + fraction.padEnd(Math.max(scale, 0), '0');
  const kept = whole.length + scale;
  const head = kept <= 0 ? '0' : digits.slice(0, kept);
  // Digits that are all behind the last one kept by two places or more round to zero.
  const next = kept < 0 ? 48 : digits.charCodeAt(kept);
  const rounded = next >= 53 && next <= 57 ? String(BigInt(head) + 1n) : head;
  return isNegative ? `-${rounded}` : rounded;
}

/** The decimal as a column of these limits stores it, without zeros at the end of its fraction: equal numbers give equal texts. */
export function canonicalizeNumeric(text: string, limits: NumericLimits | undefined): string {
  if (isSpecialNumeric(text)) return text;
  const rounded = limits === undefined || limits.scale < 0 ? text : placePoint(roundDigits(text, limits.scale), limits.scale);
  const full = limits !== undefined && limits.scale < 0 ? roundDigits(text, limits.scale) + '0'.repeat(-limits.scale) : rounded;
  const trimmed = full.includes('.') ? full.replace(/\.?0+$/u, '') : full;
  return /[1-9]/u.test(trimmed) ? trimmed.replace(/^(-?)0+(?=\d)/u, '$1') : '0';
}

function placePoint(unscaled: string, scale: number): string {
  if (scale === 0) return unscaled;
  const isNegative = unscaled.startsWith('-');
  const digits = (isNegative ? unscaled.slice(1) : unscaled).padStart(scale + 1, '0');
  return `${isNegative ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/** A decimal without an exponent, or one of the three words; every digit of its fraction is kept as its scale. */
export function putNumeric(block: Block, at: number, value: Value): number {
  const text = value as string;
  // A group of two bytes for four characters, one more at either end, and the head.
  const room = 12 + text.length;
  if (lacksRoom(block, at, room)) return tellNeed(block, at, room);
  const { view } = block;
  const special = specialSigns[text];
  if (special !== undefined) return putHead(view, at, { groups: 0, weight: 0, sign: special, scale: 0 });
  const first = text.charCodeAt(0) === 45 ? 1 : 0;
  const dot = text.indexOf('.', first);
  const point = dot === -1 ? text.length : dot;
  let to = at + 12;
  // Digits before the point fall into groups of four from the point on to the left: the first may be short.
  let weight = Math.ceil((point - first) / 4) - 1;
  for (let end = point - weight * 4; end <= point; end += 4) {
    const group = readGroup(text, Math.max(first, end - 4), end);
    if (group === 0 && to === at + 12) weight--;
    else to = putGroup(view, to, group);
  }
  for (let start = point + 1; start < text.length; start += 4) {
    const end = Math.min(start + 4, text.length);
    const group = readGroup(text, start, end) * (powersOfTen[4 - (end - start)] as number);
    if (group === 0 && to === at + 12) weight--;
    else to = putGroup(view, to, group);
  }
  while (to > at + 12 && view.getInt16(to - 2) === 0) to -= 2;
  const groups = (to - at - 12) / 2;
  const scale = dot === -1 ? 0 : text.length - dot - 1;
  return putHead(view, at, { groups, weight: groups === 0 ? 0 : weight, sign: first === 1 && groups > 0 ? negativeSign : 0, scale });
}

const powersOfTen = [1, 10, 100, 1000] as const;

function readGroup(text: string, start: number, end: number): number {
  let group = 0;
  for (let index = start; index < end; index++) group = group * 10 + text.charCodeAt(index) - 48;
  return group;
}

function putGroup(view: DataView, at: number, group: number): number {
  view.setInt16(at, group);
  return at + 2;
}

interface NumericHead {
  readonly groups: number;
  readonly weight: number;
  readonly sign: number;
  readonly scale: number;
}

function putHead(view: DataView, at: number, { groups, weight, sign, scale }: NumericHead): number {
  view.setInt32(at, 8 + groups * 2);
  view.setInt16(at + 4, groups);
  view.setInt16(at + 6, weight);
  view.setUint16(at + 8, sign);
  view.setUint16(at + 10, scale);
  return at + 12 + groups * 2;
}

/** The text of a numeric whose binary form starts at `at`, as PostgreSQL prints it. */
export function readNumeric(view: DataView, at: number): string {
  const groups = view.getInt16(at);
  const weight = view.getInt16(at + 2);
  const sign = view.getUint16(at + 4);
  const scale = view.getUint16(at + 6);
  const special = Object.keys(specialSigns).find((word) => specialSigns[word] === sign);
  if (special !== undefined) return special;
  const group = (index: number): number => (index >= 0 && index < groups ? view.getInt16(at + 8 + index * 2) : 0);
  let text = weight < 0 ? '0' : String(group(0));
  for (let index = 1; index <= weight; index++) text += String(group(index)).padStart(4, '0');
  if (scale > 0) {
    let fraction = '';
    for (let index = weight + 1; fraction.length < scale; index++) fraction += String(group(index)).padStart(4, '0');
    text += `.${fraction.slice(0, scale)}`;
  }
  return sign === negativeSign ? `-${text}` : text;
}
