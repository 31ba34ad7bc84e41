/** What the sampled values of one field say about its type. Every value counts: a type is inferred when it holds all of them without loss. */
import { toValueRecords } from './column-records.ts';
import type { DeclaredField, Records, Sample } from '../source/source.ts';
import type { TypeSpec } from './column-type.ts';
import { maxDimensions } from './column-type.ts';
import { classifyNumeral } from './numeral.ts';
import { parseDate, parseTimestamp } from './temporal.ts';
import { openTextField, readTextValue } from './text-fill.ts';
import { isCanonicalUuid } from './text-value.ts';
import { openValueFields, readMember, readMemberText } from './value-fill.ts';
import { parseVectorText } from './vector.ts';

/** What one value is. `numeric text` is text that can only be meant as text, though it looks like a number (00123, +49…). */
type Kind =
  'integer' | 'real' | 'decimal' | 'boolean' | 'uuid' | 'date' | 'timestamp' | 'bytes' | 'numbers' | 'nested' | 'text' | 'numeric text';

/** The sampled values of a field, counted. */
export interface Evidence {
  /** Rows looked at. */
  rowCount: number;
  readonly kinds: Map<Kind, number>;
  /** How many arrays of numbers had which length. */
  readonly lengths: Map<number, number>;
  /** A few different values, cut short, for people to look at. */
  readonly samples: string[];
}

const maxSamples = 3;
const maxSampleLength = 40;
/** Longer text is neither number, date nor uuid; arrays are looked at whatever their length. */
const maxTokenLength = 400;

/** Collects the evidence for one field over all stretches of a sample. */
export function gatherEvidence(stretches: readonly Records[], field: string): Evidence {
  const evidence: Evidence = { rowCount: 0, kinds: new Map(), lengths: new Map(), samples: [] };
  for (const records of stretches) {
    evidence.rowCount += records.rowCount;
    if (records.kind === 'text') gatherTexts(evidence, records, field);
    else gatherValues(evidence, records.kind === 'columns' ? toValueRecords(records, [field]) : records, field);
  }
  return evidence;
}

function gatherTexts(evidence: Evidence, records: Extract<Records, { kind: 'text' }>, name: string): void {
  const index = records.fields.indexOf(name);
  if (index === -1) return;
  const field = openTextField(records, index);
  for (let row = 0; row < records.rowCount; row++) {
    const text = readTextValue(field, row);
    if (text === null) continue;
    countKind(evidence, classifyText(text, evidence));
    noteSample(evidence, text);
  }
}

function gatherValues(evidence: Evidence, records: Extract<Records, { kind: 'values' }>, name: string): void {
  const [field] = openValueFields(records, [{ name, field: name, type: 'text', isNullable: true }]);
  if (field === undefined) return;
  for (let row = 0; row < records.rowCount; row++) {
    const value = readMember(field, row);
    if (value === null || value === undefined) continue;
    countKind(evidence, typeof value === 'number' ? classifyNumber(value, readMemberText(field, row)) : classifyValue(value, evidence));
    if (evidence.samples.length < maxSamples) noteSample(evidence, readMemberText(field, row) ?? printValue(value));
  }
}

function countKind({ kinds }: Evidence, kind: Kind): void {
  kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
}

function noteSample({ samples }: Evidence, text: string): void {
  if (samples.length >= maxSamples) return;
  const sample = text.length > maxSampleLength ? `${text.slice(0, maxSampleLength)}…` : text;
  if (!samples.includes(sample)) samples.push(sample);
}

function printValue(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (value instanceof Date) return String(value);
  if (ArrayBuffer.isView(value)) return `${value.constructor.name}(${value.byteLength} bytes)`;
  return typeof value === 'object' ? '{…}' : String(value);
}

/** Text of a delimited file: everything is written as text there, so words, numbers and lists of numbers are recognised. 0 and 1 are integers. */
function classifyText(text: string, evidence: Evidence): Kind {
  if (text.startsWith('[') && text.endsWith(']')) return countLength(parseVectorText(text), evidence) ?? 'text';
  if (text.length > maxTokenLength) return 'text';
  if (/^(?:true|false)$/i.test(text)) return 'boolean';
  const numeral = classifyNumeral(text);
  if (numeral !== undefined) return numeral;
  return /^[+-]?\d+$/.test(text) ? 'numeric text' : classifyWord(text);
}

/** Text that has a narrower type than text. A uuid in capitals stays text: as a uuid it would come out in small letters. */
function classifyWord(text: string): Kind {
  if (isCanonicalUuid(text)) return 'uuid';
  if (text.length < 10 || text.length > 40) return 'text';
  if (typeof parseDate(text) === 'string') return 'date';
  return typeof parseTimestamp(text) === 'string' ? 'timestamp' : 'text';
}

function classifyNumber(value: number, text: string | undefined): Kind {
  return classifyNumeral(text ?? String(value)) ?? 'real';
}

function classifyValue(value: unknown, evidence: Evidence): Kind {
  if (typeof value === 'string') return classifyWord(value);
  if (typeof value === 'boolean') return 'boolean';
  if (typeof value === 'bigint') return BigInt.asIntN(64, value) === value ? 'integer' : 'decimal';
  if (value instanceof Date) return 'timestamp';
  if (value instanceof Uint8Array || value instanceof ArrayBuffer) return 'bytes';
  return countLength(value, evidence) ?? 'nested';
}

/** Counts an array of finite numbers by its length; undefined for anything else. */
function countLength(value: unknown, { lengths }: Evidence): Kind | undefined {
  const isTyped = ArrayBuffer.isView(value) && !(value instanceof DataView);
  const numbers = Array.isArray(value) || isTyped ? (value as ArrayLike<unknown>) : undefined;
  if (numbers === undefined || !areFinite(numbers)) return undefined;
  lengths.set(numbers.length, (lengths.get(numbers.length) ?? 0) + 1);
  return 'numbers';
}

function areFinite(numbers: ArrayLike<unknown>): boolean {
  for (let index = 0; index < numbers.length; index++) {
    if (!Number.isFinite(numbers[index])) return false;
  }
  return true;
}

/** A type and why it was chosen. */
export interface Verdict extends TypeSpec {
  readonly why: string;
}

/** What is known of a field: what its sampled values are, and its type by the source's own word where it gives one, else by those values. */
export interface Judgement {
  readonly evidence: Evidence;
  readonly verdict: Verdict;
  /** The source's word. */
  readonly declared: DeclaredField | undefined;
}

/** Judges one field of a sample. */
export function judgeField(sample: Sample, field: string): Judgement {
  const evidence = gatherEvidence(sample.stretches, field);
  const declared = sample.declared?.find((each) => each.name === field);
  if (declared === undefined) return { evidence, declared, verdict: judgeEvidence(evidence) };
  const { type, dimensions } = declared;
  // A table without rows has its dimension all the same, and it is compared with the target's.
  if (dimensions !== undefined && !evidence.lengths.has(dimensions)) evidence.lengths.set(dimensions, 0);
  const spec: TypeSpec = dimensions === undefined ? { type } : { type, dimensions };
  return { evidence, declared, verdict: { ...spec, why: 'as in the source' } };
}

/** Decides for the narrowest type that holds every sampled value. */
export function judgeEvidence(evidence: Evidence): Verdict {
  const { kinds, rowCount } = evidence;
  const valueCount = [...kinds.values()].reduce((sum, count) => sum + count, 0);
  if (valueCount === 0) return { type: 'text', why: rowCount === 0 ? 'no rows in the sample' : `null in all ${rowCount} sampled rows` };
  const of = `${valueCount} sampled ${valueCount === 1 ? 'value' : 'values'}`;
  const has = (...wanted: Kind[]): boolean => [...kinds.keys()].every((kind) => wanted.includes(kind));
  if (has('boolean')) return { type: 'boolean', why: `true or false in ${of}` };
  if (has('integer')) return { type: 'integer', why: `integers in ${of}` };
  if (has('integer', 'real')) return { type: 'real', why: `numbers in ${of}` };
  if (has('integer', 'real', 'decimal')) return { type: 'decimal', why: `numbers in ${of}, some with more digits than 64 bits hold` };
  if (has('uuid')) return { type: 'uuid', why: `uuids in ${of}` };
  if (has('date')) return { type: 'date', why: `dates in ${of}` };
  if (has('timestamp', 'date')) return { type: 'timestamp', why: `timestamps in ${of}` };
  if (has('bytes')) return { type: 'bytes', why: `bytes in ${of}` };
  const vector = judgeVectors(evidence, valueCount);
  if (vector !== undefined) return vector;
  if (kinds.has('nested') || kinds.has('numbers')) return { type: 'json', why: `objects or arrays among ${of}` };
  if (kinds.has('numeric text')) return { type: 'text', why: 'numerals with leading zeros or a plus sign, which numbers would lose' };
  return { type: 'text', why: kinds.size > 1 ? `values of several kinds in ${of}` : `text in ${of}` };
}

/** Arrays this long are embeddings and not lists; of these a few of another length or kind are faults of the data, to be refused one by one. */
const minEmbeddingLength = 16;
const minEmbeddingShare = 0.9;

function judgeVectors({ lengths }: Evidence, valueCount: number): Verdict | undefined {
  const [most] = [...lengths].sort(([, a], [, b]) => b - a);
  if (most === undefined) return undefined;
  const [length, count] = most;
  if (length < 2 || length > maxDimensions) return undefined;
  const isAll = count === valueCount;
  if (!isAll && (length < minEmbeddingLength || count < valueCount * minEmbeddingShare)) return undefined;
  const others = isAll ? '' : `; the other ${valueCount - count} will be refused`;
  return { type: 'vector', dimensions: length, why: `${length} numbers in ${count} of ${valueCount} sampled values${others}` };
}
