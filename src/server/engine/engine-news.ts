/** What the engine and its threads tell each other; bytes are moved, not copied. Shapes, and the packing of errors. */
import { type ErrorCode, SluiceError } from '../../errors.ts';
import { toTargetError } from '../../target/sqlite/errors.ts';
import type { DataOptions, DataRequest, QueuedOutcome, QueuedRequest } from './contract.ts';

/** How a thread opens the database. */
export interface ThreadStart {
  readonly file: string;
  readonly isReadOnly: boolean;
  readonly checksForeignKeys: boolean;
  readonly lockTimeoutMs: number;
  readonly guardsLedger: boolean;
  /** After this a transaction that a client has left open is rolled back. */
  readonly transactionTimeoutMs: number;
}

/** What the writer is asked; it answers in order. */
export type WriterAsk =
  | { readonly kind: 'run'; readonly request: DataRequest; readonly raftIndex: number }
  | { readonly kind: 'script'; readonly sql: Uint8Array; readonly options: DataOptions; readonly raftIndex: number }
  | { readonly kind: 'apply'; readonly requests: readonly QueuedRequest[]; readonly isOneTransaction: boolean }
  | { readonly kind: 'position' }
  | { readonly kind: 'replace'; readonly path: string }
  | { readonly kind: 'facts' }
  /** Waits until everything before has been run, then runs nothing until `release`. */
  | { readonly kind: 'hold' }
  | { readonly kind: 'release' }
  | { readonly kind: 'close' };

/** What a reader is asked. */
export type ReaderAsk =
  | { readonly kind: 'run'; readonly request: DataRequest; readonly raftIndex: number }
  /** One more piece may be sent. */
  | { readonly kind: 'more' }
  /** Nobody reads on. */
  | { readonly kind: 'stop' }
  | { readonly kind: 'copy'; readonly path: string; readonly vacuum: boolean; readonly usesDeleteMode: boolean }
  | { readonly kind: 'facts' }
  | { readonly kind: 'close' };

export type Numbered<Ask> = Ask & { readonly id: number };

/** A finished answer as bytes. */
export interface ByteAnswer {
  readonly kind: 'whole';
  readonly status: number;
  readonly isJson: boolean;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A piece of a long answer. `fault` ends it: what follows could not be made. */
export interface Piece {
  readonly kind: 'piece';
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly isLast: boolean;
  readonly fault?: string | undefined;
}

/** An error on its way between threads. */
export interface PackedError {
  readonly kind: 'failed';
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string | undefined;
}

/** Counters and state of the write connection, for what takes its place for a while. */
export interface HeldState {
  readonly kind: 'held';
  readonly isInTransaction: boolean;
}

export type WriterTell =
  | ByteAnswer
  | PackedError
  | HeldState
  /** To nobody's question: what the person who runs the server has to know. */
  | { readonly kind: 'notice'; readonly message: string }
  | { readonly kind: 'outcomes'; readonly outcomes: readonly QueuedOutcome[] }
  | { readonly kind: 'position'; readonly position: bigint }
  | { readonly kind: 'facts'; readonly facts: LinkFacts }
  | { readonly kind: 'done' };

export type ReaderTell =
  | ByteAnswer
  | PackedError
  | Piece
  | { readonly kind: 'bounced' }
  | { readonly kind: 'facts'; readonly facts: LinkFacts }
  | { readonly kind: 'done' };

/** What a connection knows of itself. */
export interface LinkFacts {
  readonly sqliteVersion: string;
  readonly pragmas: Readonly<Record<string, string>>;
  readonly compileOptions: readonly string[];
}

export function packFault(error: unknown, file: string): PackedError {
  const known = toTargetError(error, file);
  if (known instanceof SluiceError) return { kind: 'failed', code: known.code, message: known.message, hint: known.hint };
  return { kind: 'failed', code: 'SLUICE_TARGET_FAILED', message: error instanceof Error ? error.message : String(error), hint: undefined };
}

export function unpackFault(packed: PackedError): SluiceError {
  return new SluiceError(packed.code, packed.message, packed.hint === undefined ? {} : { hint: packed.hint });
}

const encoder = new TextEncoder();

/** Text as bytes with memory of their own, so that they can be moved. */
export function encodeText(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}
