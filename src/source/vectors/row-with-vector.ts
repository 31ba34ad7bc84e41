/** A refused row with the vector that stood beside it, in the form that the row has: a retry reads both again. */
import type { SourceOptions } from '../source.ts';

/** Writes a row's text and its vector as one text. */
export type WriteRow = (raw: string, vector: Float32Array) => string;

/**
 * Writes rows in the format of their source: a member more for JSON, a field more for delimited text. The vector is base64 of 32-bit floats, which
 * keeps every bit, NaN included, and has no character that a delimited text would have to quote.
 */
export function createRowWriter(field: string, { delimiter, format }: SourceOptions = {}): WriteRow {
  const isDelimited = format === 'csv' || format === 'tsv';
  const separator = delimiter === undefined || delimiter === '\\t' ? (format === 'tsv' || delimiter !== undefined ? '\t' : ',') : delimiter;
  const key = JSON.stringify(field);
  return (raw, vector) => {
    const text = Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64');
    if (isDelimited) return `${raw}${separator}${text}`;
    const body = raw.trimEnd();
    // What is no object has no place for a member.
    if (!body.endsWith('}')) return raw;
    const members = body.slice(0, -1).trimEnd();
    return `${members}${members.endsWith('{') ? '' : ','}${key}:"${text}"}`;
  };
}
