/** Takes in a body of any size: in memory while it is small, else in a file beside the database, and never more than its limit. */
import { open, type FileHandle } from 'node:fs/promises';

import { makeTemporary, type TemporaryFile } from './temporary.ts';

export const sqliteMagic: Buffer = Buffer.from('SQLite format 3\0', 'latin1');

/** Pieces are joined from this size or number on: a client may send one byte at a time, and each would be an object. */
const blockBytes = 65_536;
const blockPieces = 1_024;

export interface SpoolOptions {
  /** The database beside which the file is made. */
  readonly file: string;
  readonly memoryBytes: number;
  readonly maxBytes: number;
}

/** A body that came whole. */
export interface Spooled {
  readonly bytes: number;
  /** Its first bytes: 32, or all there are. */
  readonly head: Buffer;
  /** Begins as a SQLite file does. */
  readonly isDatabase: boolean;
  /** Of a body in memory; undefined for one in a file. */
  readonly content: Buffer | undefined;
  /** The body as a durable file; written now if it is in memory. */
  toFile(): Promise<string>;
  /** Removes the file. To be called in every case. */
  remove(): Promise<void>;
}

interface SpoolState {
  readonly options: SpoolOptions;
  pieces: Uint8Array[];
  pieceBytes: number;
  blocks: Buffer[];
  bytes: number;
  head: Buffer;
  temporary: TemporaryFile | undefined;
  handle: FileHandle | undefined;
}

/** Reads `body` to its end; undefined when it is longer than the limit. A body that breaks off throws as its stream does, and leaves nothing. */
export async function spool(body: AsyncIterable<Uint8Array>, options: SpoolOptions): Promise<Spooled | undefined> {
  const state: SpoolState = {
    options,
    pieces: [],
    pieceBytes: 0,
    blocks: [],
    bytes: 0,
    head: Buffer.alloc(0),
    temporary: undefined,
    handle: undefined,
  };
  try {
    for await (const piece of body) {
      state.bytes += piece.byteLength;
      if (state.bytes > options.maxBytes) {
        await discard(state);
        return undefined;
      }
      await take(state, piece);
    }
    await closeBlock(state);
  } catch (error) {
    await discard(state);
    throw error;
  }
  return describeSpooled(state);
}

async function take(state: SpoolState, piece: Uint8Array): Promise<void> {
  if (state.head.length < 32) state.head = Buffer.concat([state.head, piece]).subarray(0, 32);
  state.pieces.push(piece);
  state.pieceBytes += piece.byteLength;
  if (state.pieceBytes >= blockBytes || state.pieces.length >= blockPieces) await closeBlock(state);
}

async function closeBlock(state: SpoolState): Promise<void> {
  state.blocks.push(Buffer.concat(state.pieces));
  state.pieces = [];
  state.pieceBytes = 0;
  if (state.handle !== undefined || state.bytes > state.options.memoryBytes) await writeBlocks(state);
}

async function writeBlocks(state: SpoolState): Promise<void> {
  state.temporary ??= await makeTemporary(state.options.file, '.body');
  state.handle ??= await open(state.temporary.path, 'wx');
  for (const block of state.blocks) await state.handle.appendFile(block);
  state.blocks = [];
}

function describeSpooled(state: SpoolState): Spooled {
  return {
    bytes: state.bytes,
    head: state.head,
    isDatabase: state.head.subarray(0, sqliteMagic.length).equals(sqliteMagic),
    content: state.handle === undefined ? Buffer.concat(state.blocks) : undefined,
    toFile: async () => {
      await writeBlocks(state);
      await state.handle?.sync();
      await state.handle?.close();
      state.handle = undefined;
      return state.temporary?.path ?? '';
    },
    remove: () => discard(state),
  };
}

async function discard(state: SpoolState): Promise<void> {
  await state.handle?.close();
  state.handle = undefined;
  await state.temporary?.remove();
}
