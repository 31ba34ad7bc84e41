/** The status file: one JSON line a statement, in order. A unit's lines are on disk before its commit, and the ledger says up to where they count. */
import { closeSync, existsSync, fdatasyncSync, ftruncateSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import { SluiceError } from '../errors.ts';
import type { StatementAnswer } from '../target/batch-contract.ts';

/** Where the lines of a batch go, and how many bytes of them count. */
export interface StatusPlace {
  readonly path: string;
  readonly bytes: number;
}

/** An open status file. */
export interface StatusFile {
  readonly path: string;
  /** Puts lines behind the first `place` bytes, whatever stood there, onto the disk; returns where they end. */
  write(place: number, lines: string): number;
  /** Drops what stands behind the place. */
  cut(place: number): void;
  close(): void;
}

/**
 * Opens the file that the options name, else the one that the batch began with; undefined without either. A file with another name begins where the batch goes on.
 * @throws SLUICE_USAGE when it can't be written, or when lines that count are gone
 */
export function openStatusFile(
  named: string | undefined,
  known: StatusPlace | undefined,
): { readonly file: StatusFile; readonly bytes: number } | undefined {
  const path = named === undefined ? known?.path : resolve(named);
  if (path === undefined) return undefined;
  const bytes = path === known?.path ? known.bytes : 0;
  if (bytes > 0 && (!existsSync(path) || statSync(path).size < bytes)) {
    throw new SluiceError('SLUICE_USAGE', `The status file ${path} has lost lines of statements that were run.`, {
      hint: 'Put it back, or name another one with --status-file: that one begins where the batch goes on.',
    });
  }
  const file = openFile(path);
  file.cut(bytes);
  return { file, bytes };
}

function openFile(path: string): StatusFile {
  const descriptor = openDescriptor(path);
  return {
    path,
    write: (place, lines) => {
      const bytes = Buffer.from(lines);
      try {
        for (let at = 0; at < bytes.length;) at += writeSync(descriptor, bytes, at, bytes.length - at, place + at);
        ftruncateSync(descriptor, place + bytes.length);
        fdatasyncSync(descriptor);
      } catch (cause) {
        throw toWriteError(path, cause);
      }
      return place + bytes.length;
    },
    cut: (place) => ftruncateSync(descriptor, place),
    close: () => closeSync(descriptor),
  };
}

/** The lines of a unit are not on the disk, so nothing of it is committed. */
function toWriteError(path: string, cause: unknown): SluiceError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
  const isFull = code === 'ENOSPC' || code === 'EDQUOT';
  return new SluiceError(
    isFull ? 'SLUICE_TARGET_FULL' : 'SLUICE_TARGET_FAILED',
    isFull ? `There is no room for the status file ${path}.` : `The status file ${path} can't be written: ${code}.`,
    { cause, hint: isFull ? 'Make room for it, or name another file with --status-file.' : 'Name another file with --status-file.' },
  );
}

/** What every status file begins with. */
const beginning = '{"index":';

/** Lines of an earlier run are written over; a file that holds something else was named by mistake. */
function checkReplaceable(path: string): void {
  if (!existsSync(path)) return;
  const stat = statSync(path);
  const isOwn = stat.isFile() && (stat.size === 0 || readBeginning(path) === beginning);
  if (isOwn) return;
  throw new SluiceError('SLUICE_USAGE', `${path} is there and is no status file.`, {
    hint: 'Name another file: what it holds would be lost.',
  });
}

function readBeginning(path: string): string {
  const descriptor = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(beginning.length);
    return bytes.toString('utf8', 0, readSync(descriptor, bytes));
  } finally {
    closeSync(descriptor);
  }
}

function openDescriptor(path: string): number {
  checkReplaceable(path);
  try {
    return openSync(path, existsSync(path) ? 'r+' : 'w+');
  } catch (cause) {
    throw new SluiceError('SLUICE_USAGE', `The status file ${path} can't be written.`, {
      cause,
      hint: 'Name a file in a folder that exists and may be written to.',
    });
  }
}

interface RawJson {
  readonly rawJSON: (text: string) => unknown;
}

// In every Node that sluice runs on; missing in the library types of TypeScript.
const json = JSON as typeof JSON & RawJson;

/** One line. Rows that a statement gave back are not in it: they may be very many; the row in the way of one that was not applied is. */
export function writeStatusLine(place: { readonly index: number; readonly line: number }, answer: StatementAnswer): string {
  return `${JSON.stringify({ index: place.index, status: answer.status, line: place.line, ...describeAnswer(answer) }, replaceValue)}\n`;
}

function describeAnswer(answer: StatementAnswer): Readonly<Record<string, unknown>> {
  switch (answer.status) {
    case 'applied':
      return { rowsAffected: answer.rowsAffected, lastInsertId: answer.lastInsertId };
    case 'not_applied':
      return { row: answer.row };
    case 'error':
      return { code: answer.error.code, message: answer.error.message, targetCode: answer.error.targetCode };
    case 'rolled_back':
      return {};
    case 'not_attempted':
    case 'unknown':
      return { message: answer.message };
  }
}

/** Integers keep all their digits, bytes become base64. */
function replaceValue(this: unknown, key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return json.rawJSON(value.toString());
  const original = (this as Readonly<Record<string, unknown>>)[key];
  return original instanceof Uint8Array ? Buffer.from(original.buffer, original.byteOffset, original.byteLength).toString('base64') : value;
}
