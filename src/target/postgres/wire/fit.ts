/** How the values of one column of a load meet one column of a table: converted where they must be, checked where they can fail, written and printed. */
import type { ColumnType, ScalarType } from '../../../rows/schema.ts';
import type { Unfit } from '../../../rows/unfit.ts';
import { isUnfit } from '../../../rows/unfit.ts';
import { parseArray, printArray } from './array.ts';
import type { Put, Value } from './block.ts';
import { lacksRoom, putNull, tellNeed } from './block.ts';
import type { WireColumn, WireType } from '../wire-column.ts';
import type { Convert } from './convert.ts';
import { findConversion } from './convert.ts';
import type { Form } from './form.ts';
import { findForm } from './form.ts';
import { writeArrayHead } from './vector.ts';

export interface Fit {
  /** What a row has room for without asking: the value where its width is fixed, else a null. */
  readonly fixedBytes: number;
  /** undefined: values are taken as they are. */
  readonly convert: Convert | undefined;
  /** Of the converted value; undefined: none can fail. */
  readonly check: ((value: Value) => Unfit | undefined) | undefined;
  /** Of the converted value; undefined: the type has no binary form that is known. */
  readonly put: Put | undefined;
  /** The converted value as PostgreSQL reads it. */
  readonly print: (value: Value) => string;
}

const noArray: Unfit = { code: 'VALUE_FORMAT', message: 'the text is no one-dimensional array' };
const arrayWithNul: Unfit = { code: 'VALUE_FORMAT', message: 'the text holds a NUL character, which PostgreSQL cannot store' };

/** The fit of a scalar column; undefined where no sane way leads from its type to the table's. */
export function findFit({ column, type }: WireColumn): Fit | undefined {
  if (column.type === 'vector') return undefined;
  if (type.isArray) return findArrayFit(column.type, type);
  const form = findForm(type);
  if (form === undefined) return findUnknownFit(column.type);
  const conversion = findConversion(column.type, form.holds) ?? findVectorConversion(column.type, type);
  if (conversion === undefined) return undefined;
  return {
    fixedBytes: form.fixedBytes,
    convert: conversion === 'same' ? undefined : conversion,
    check: bindCheck(form, type.typmod),
    put: form.put,
    print: choosePrint(form.holds, type.name),
  };
}

/** Vectors come as JSON too. */
function findVectorConversion(from: ColumnType, { name }: WireType): 'same' | undefined {
  return from === 'json' && (name === 'vector' || name === 'halfvec') ? 'same' : undefined;
}

function bindCheck({ check }: Form, typmod: number): Fit['check'] {
  return check === undefined ? undefined : (value) => check(value, typmod);
}

/** A type that only the server can read: values go as text. */
function findUnknownFit(from: ScalarType): Fit | undefined {
  if (from === 'bytes') return undefined;
  const check = findForm({ name: 'text', kind: 'base' })?.check;
  return {
    fixedBytes: 4,
    convert: from === 'integer' || from === 'real' || from === 'boolean' ? (value) => String(value) : undefined,
    check: (value) => check?.(value, -1),
    put: undefined,
    print: String,
  };
}

function choosePrint(holds: ScalarType, name: string): (value: Value) => string {
  // `String` loses the sign of zero.
  if (holds === 'real') return (value) => (Object.is(value, -0) ? '-0' : String(value));
  if (holds === 'bytes') return (value) => `\\x${Buffer.from(value as Uint8Array).toString('hex')}`;
  // What names no zone is UTC, whatever the session's zone is.
  if (name === 'timestamptz') return (value) => (/Z|infinity/u.test(String(value)) ? String(value) : addZone(String(value)));
  if (name === 'timetz') return (value) => (/[+-]|z|utc/iu.test(String(value)) ? String(value) : `${String(value)}+00`);
  return String;
}

function addZone(moment: string): string {
  return moment.endsWith(' BC') ? `${moment.slice(0, -3)}Z BC` : `${moment}Z`;
}

/** Arrays come as text or JSON; their elements are read as texts are. */
function findArrayFit(from: ScalarType, type: WireType): Fit | undefined {
  if (from !== 'text' && from !== 'json') return undefined;
  const element = findFit({ column: { name: '', field: '', type: 'text', isNullable: true }, type: { ...type, isArray: false } });
  if (element === undefined) return undefined;
  const keepsJson = type.name === 'json' || type.name === 'jsonb';
  const read = (value: Value): readonly (Value | null)[] | Unfit => readElements(String(value), element, keepsJson);
  const { put } = element;
  return {
    fixedBytes: 4,
    convert: undefined,
    check: (value) => {
      const elements = read(value);
      return isUnfitList(elements) ? elements : undefined;
    },
    put: put === undefined ? undefined : createArrayPut({ read, put, fixedBytes: element.fixedBytes, elementOid: type.elementOid }),
    print: (value) => {
      const elements = read(value);
      if (isUnfitList(elements)) throw new RangeError('a value was printed that its column refuses');
      return printArray(elements.map((one) => (one === null ? null : element.print(one))));
    },
  };
}

function isUnfitList(elements: readonly (Value | null)[] | Unfit): elements is Unfit {
  return !Array.isArray(elements);
}

function readElements(text: string, element: Fit, keepsJson: boolean): readonly (Value | null)[] | Unfit {
  if (text.includes('\0')) return arrayWithNul;
  const parsed = parseArray(text, keepsJson);
  if (parsed === undefined) return noArray;
  const elements: (Value | null)[] = [];
  for (const part of parsed) {
    const value = part === null ? null : (element.convert?.(part) ?? part);
    if (isUnfit(value)) return value;
    const unfit = value === null ? undefined : element.check?.(value);
    if (unfit !== undefined) return unfit;
    elements.push(value);
  }
  return elements;
}

interface ArrayPut {
  readonly read: (value: Value) => readonly (Value | null)[] | Unfit;
  readonly put: Put;
  readonly fixedBytes: number;
  readonly elementOid: number;
}

function createArrayPut({ read, put, fixedBytes, elementOid }: ArrayPut): Put {
  return (block, at, value) => {
    const elements = read(value);
    if (isUnfitList(elements)) throw new RangeError('a value was written that its column refuses');
    const room = 24 + elements.length * fixedBytes;
    if (lacksRoom(block, at, room)) return tellNeed(block, at, room);
    let to = writeArrayHead(block, at, { elementOid, count: elements.length, hasNulls: elements.includes(null) });
    for (const [index, element] of elements.entries()) {
      to = element === null ? putNull(block, to) : put(block, to, element);
      if (to < 0) return to;
      // Elements of variable width eat from the room that was asked for those to come.
      const left = (elements.length - index - 1) * fixedBytes;
      if (lacksRoom(block, to, left)) return tellNeed(block, to, left);
    }
    block.view.setInt32(at, to - at - 4);
    return to;
  };
}

/** How the vector of a row may be stored. */
export type VectorTarget = 'vector' | 'halfvec' | 'sparsevec' | 'float4[]' | 'float8[]' | 'text';

/** Where a column of vectors may go; undefined where it may not. */
export function findVectorTarget(type: WireType): VectorTarget | undefined {
  if (type.kind !== 'base') return undefined;
  const { name } = type;
  if (type.isArray) return name === 'float4' || name === 'float8' ? `${name}[]` : undefined;
  if (name === 'vector' || name === 'halfvec' || name === 'sparsevec') return name;
  return name === 'text' || name === 'varchar' || name === 'json' || name === 'jsonb' ? 'text' : undefined;
}
