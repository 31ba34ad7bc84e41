/** The shape of an answer: entries in rqlite's order of keys, zero fields left out, four blanks where it is to be pretty. */
import type { DataOptions } from './contract.ts';
import { printText } from './json-value.ts';

/** Counters of the connection that writes. */
export interface Counters {
  readonly lastInsertId: bigint | number;
  readonly rowsAffected: bigint | number;
}

/** Options of an answer. */
export type AnswerOptions = Pick<DataOptions, 'isPretty' | 'hasTimings' | 'isAssociative' | 'usesBlobArrays' | 'qualifiesColumns'>;

/** A time in seconds; never 0, since Go leaves a zero out. */
export function printSeconds(startMs: number): string {
  return String(Math.max((performance.now() - startMs) / 1000, 1e-6));
}

function joinFields(fields: readonly string[]): string {
  return `{${fields.filter((field) => field !== '').join(',')}}`;
}

/** The entry of a statement that changed something, or was run for its counters. */
export function printCounters(counters: Counters, options: AnswerOptions, startMs: number): string {
  const { lastInsertId, rowsAffected } = counters;
  let text = Number(lastInsertId) === 0 ? '' : `"last_insert_id":${String(lastInsertId)}`;
  if (Number(rowsAffected) !== 0) text += `${text === '' ? '' : ','}"rows_affected":${String(rowsAffected)}`;
  if (!options.hasTimings && !options.isAssociative) return `{${text}}`;
  return joinFields([text, options.hasTimings ? `"time":${printSeconds(startMs)}` : '', options.isAssociative ? '"rows":null' : '']);
}

/** The entry of a statement that failed. */
export function printError(message: string, isEmptyList = false): string {
  return isEmptyList ? `{"rows":[],"error":${printText(message)}}` : `{"error":${printText(message)}}`;
}

/** What stands behind the entries. */
export interface AnswerEnd {
  readonly error?: string | undefined;
  readonly startMs: number;
  readonly raftIndex?: number | undefined;
}

/** The closing of `{"results":[…`. */
export function printEnd(end: AnswerEnd, options: AnswerOptions): string {
  let text = ']';
  if (end.error !== undefined) text += `,"error":${printText(end.error)}`;
  if (options.hasTimings) text += `,"time":${printSeconds(end.startMs)}`;
  if (end.raftIndex !== undefined) text += `,"raft_index":${String(end.raftIndex)}`;
  return `${text}}`;
}

/** Lays compact JSON out as Go's MarshalIndent does, piece by piece. */
export function createIndenter(): (piece: string) => string {
  let depth = 0;
  let isInString = false;
  let isEscaped = false;
  /** An opening bracket whose first element has not come: `{}` and `[]` stay together. */
  let isFresh = false;
  const breakLine = (): string => `\n${'    '.repeat(depth)}`;

  function layOut(letter: string): string {
    if (letter === '}' || letter === ']') {
      depth--;
      const wasFresh = isFresh;
      isFresh = false;
      return wasFresh ? letter : breakLine() + letter;
    }
    const lead = isFresh ? breakLine() : '';
    isFresh = letter === '{' || letter === '[';
    if (isFresh) depth++;
    if (letter === '"') isInString = true;
    if (letter === ',') return letter + breakLine();
    return lead + (letter === ':' ? ': ' : letter);
  }

  return (piece) => {
    let out = '';
    for (const letter of piece) {
      if (!isInString) out += layOut(letter);
      else {
        out += letter;
        if (isEscaped) isEscaped = false;
        else if (letter === '\\') isEscaped = true;
        else if (letter === '"') isInString = false;
      }
    }
    return out;
  };
}
