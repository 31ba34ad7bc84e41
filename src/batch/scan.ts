/** The contract of a scanner: bytes of a file in, statements with their places out, however the bytes are cut. Shapes, and the errors that all scanners share. */
import { SluiceError } from '../errors.ts';
import type { UnitStatement } from '../target/batch-contract.ts';

/** A place in a file between two statements. */
export interface Place {
  /** Bytes before it. */
  readonly offset: number;
  /** Line feeds before it. */
  readonly line: number;
}

/** A statement of a file. */
export interface FileStatement {
  readonly statement: UnitStatement;
  /** Where it begins. */
  readonly start: Place;
  /** Where reading goes on after it. */
  readonly end: Place;
  /** As it stands in the file. */
  readonly raw: string;
}

/** What some bytes gave. With a fault nothing more can be read; the statements stood before it. */
export interface ScanStep {
  readonly statements: readonly FileStatement[];
  readonly fault?: SluiceError | undefined;
}

export interface StatementScanner {
  push(bytes: Buffer): ScanStep;
  end(): ScanStep;
}

export interface ScanRequest {
  /** How the file is called in errors. */
  readonly name: string;
  /** Where the first bytes stand. */
  readonly from: Place;
  /** Nothing stood before them; else they follow a statement. */
  readonly isAtStart: boolean;
  readonly dialect: 'sqlite' | 'postgres';
}

/** SQLite takes SQL of 10⁹ bytes, but a statement is held several times on its way. */
export const maxStatementBytes: number = 64 * 1024 * 1024;

/** A fault of the file, with what to do about it. Lines count from 1 for the reader. */
export function faultAt({ name }: ScanRequest, line: number, what: string): SluiceError {
  return new SluiceError('SLUICE_SOURCE_INVALID', `${name}, line ${String(line + 1)}: ${what}.`, {
    hint: `Mend line ${String(line + 1)} and leave what stands before it as it is; the same command then goes on there.`,
  });
}

/** A fault of a statement that is longer than it may be. */
export function tooLong(request: ScanRequest, line: number): SluiceError {
  return faultAt(request, line, `the statement that begins here has more than ${String(maxStatementBytes)} bytes`);
}

/** Line feeds of some bytes. */
export function countLines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) count++;
  return count;
}

/** Bytes that come in pieces and are asked for as one. */
export class PieceList {
  private pieces: Buffer[] = [];
  byteCount = 0;

  add(piece: Buffer): void {
    if (piece.length === 0) return;
    this.pieces.push(piece);
    this.byteCount += piece.length;
  }

  /** All of them with one more. */
  takeWith(piece: Buffer): Buffer {
    this.add(piece);
    return this.take();
  }

  /** All of them; the list is empty then. */
  take(): Buffer {
    const [only] = this.pieces;
    const whole = this.pieces.length === 1 && only !== undefined ? only : Buffer.concat(this.pieces, this.byteCount);
    this.pieces = [];
    this.byteCount = 0;
    return whole;
  }
}
