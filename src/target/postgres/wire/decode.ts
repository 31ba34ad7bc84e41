/** Binary COPY data back into columns; pieces may be cut anywhere, and nothing is allocated per row but the values themselves. */
import { SluiceError } from '../../../errors.ts';
import type { ColumnValues } from '../../../rows/batch.ts';
import type { Cell, Source } from './decode-cell.ts';
import { openCell } from './decode-cell.ts';
import type { WireType } from '../wire-column.ts';

export { canDecode } from './decode-cell.ts';

export interface CopyDecoder {
  /** Rows decoded since the last {@link take}. */
  readonly rowCount: number;
  /** Takes the next bytes; the piece may be overwritten afterwards. */
  add(piece: Uint8Array): void;
  /** The whole rows so far, by column; the decoder goes on with the next ones. */
  take(): readonly ColumnValues[];
  /** @throws SLUICE_TARGET_FAILED when the data ended before its trailer */
  end(): void;
}

const signature = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');
/** Signature, flags, length of what is added to the header. */
const headBytes = 19;

/** A decoder of one COPY; `types` of its columns, in order. Types must be ones that {@link canDecode}. */
export function createCopyDecoder(types: readonly WireType[]): CopyDecoder {
  return new Decoder(types);
}

class Decoder implements CopyDecoder {
  rowCount = 0;
  readonly #cells: readonly Cell[];
  /** The start of a row whose end has not come. */
  #rest: Buffer = Buffer.alloc(0);
  /** Pieces since. */
  #pieces: Uint8Array[] = [];
  #pieceBytes = 0;
  /** Bytes that must be there before another try: keeps a row of many pieces from being scanned at each. */
  #wanted = headBytes;
  #state: 'head' | 'rows' | 'done' = 'head';

  constructor(types: readonly WireType[]) {
    this.#cells = types.map(openCell);
  }

  add(piece: Uint8Array): void {
    if (this.#state === 'done') {
      if (piece.length > 0) throw brokenStream('bytes came behind the trailer');
      return;
    }
    this.#pieces.push(piece);
    this.#pieceBytes += piece.length;
    if (this.#rest.length + this.#pieceBytes < this.#wanted) {
      // Only a row that spans pieces gets here: it is kept until it is whole.
      this.#pieces[this.#pieces.length - 1] = Uint8Array.from(piece);
      return;
    }
    const bytes = this.#join();
    const used = this.#read(bytes);
    this.#rest = Buffer.from(bytes.subarray(used));
  }

  #join(): Buffer {
    const [first = new Uint8Array()] = this.#pieces;
    const isWhole = this.#rest.length === 0 && this.#pieces.length === 1;
    const bytes = isWhole ? Buffer.from(first.buffer, first.byteOffset, first.length) : Buffer.concat([this.#rest, ...this.#pieces]);
    this.#pieces = [];
    this.#pieceBytes = 0;
    return bytes;
  }

  /** Reads what is whole and answers how many bytes that was. */
  #read(bytes: Buffer): number {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const source: Source = { view, bytes };
    let at = 0;
    if (this.#state === 'head') {
      at = this.#readHead(bytes, view);
      if (at === 0) return 0;
      this.#state = 'rows';
    }
    while (at + 2 <= bytes.length) {
      const end = this.#readRow(source, at);
      if (end === 0) return at;
      at = end;
      if (this.#isDone) {
        if (at < bytes.length) throw brokenStream('bytes came behind the trailer');
        return at;
      }
    }
    this.#wanted = 2;
    return at;
  }

  get #isDone(): boolean {
    return this.#state === 'done';
  }

  /** The place behind the header; 0 while it is not whole. */
  #readHead(bytes: Buffer, view: DataView): number {
    if (!bytes.subarray(0, signature.length).equals(signature)) throw brokenStream('it does not begin with the signature');
    const end = headBytes + view.getInt32(headBytes - 4);
    if (bytes.length >= end) return end;
    this.#wanted = end;
    return 0;
  }

  /** The place behind the row at `at`; 0 while it is not whole, and then no value of it has been kept. */
  #readRow(source: Source, at: number): number {
    const { view } = source;
    const count = view.getInt16(at);
    if (count === -1) {
      this.#state = 'done';
      return at + 2;
    }
    const cells = this.#cells;
    if (count !== cells.length) throw brokenStream(`a row has ${count} columns instead of ${cells.length}`);
    const end = this.#findEnd(view, at + 2);
    if (end === 0) return 0;
    let to = at + 2;
    for (let index = 0; index < cells.length; index++) {
      const length = view.getInt32(to);
      to += 4;
      (cells[index] as Cell).add(source, to, length);
      if (length > 0) to += length;
    }
    this.rowCount++;
    return end;
  }

  #findEnd(view: DataView, start: number): number {
    let to = start;
    for (let left = this.#cells.length; left > 0; left--) {
      if (to + 4 > view.byteLength) return this.#want(to + 4 - start + 2);
      const length = view.getInt32(to);
      if (length < -1) throw brokenStream('a value has a length below zero');
      to += 4 + Math.max(length, 0);
    }
    return to > view.byteLength ? this.#want(to - start + 2) : to;
  }

  #want(byteCount: number): 0 {
    this.#wanted = byteCount;
    return 0;
  }

  take(): readonly ColumnValues[] {
    this.rowCount = 0;
    return this.#cells.map((cell) => cell.take());
  }

  end(): void {
    if (!this.#isDone) throw brokenStream('it ended before its trailer');
  }
}

function brokenStream(what: string): SluiceError {
  return new SluiceError('SLUICE_TARGET_FAILED', `the binary COPY data cannot be read: ${what}`, {
    hint: 'what stands between sluice and the server may have cut or altered the stream; try again',
  });
}
