/** A field of float lists of one length: the numbers go from the page into one Float32Array, without an object for a row. A list of another length comes as text, alone. */
import type { ColumnValues } from '../../rows/batch.ts';
import type { ColumnCursor } from './cursor.ts';
import type { EntryLevels } from './entry-levels.ts';
import { SizeFault } from './fault.ts';
import { copyFloats } from './floats.ts';
import type { ListShape } from './schema.ts';

/** A longer list is no vector; its elements are not gathered. */
const maxOddElements = 1024 * 1024;

/** A row whose list is not as long as the others, or lacks an element. */
type OddRow = (number | null)[];

/** Rows that are decoded. */
interface Rows {
  values: Float32Array;
  nulls: Uint8Array | undefined;
  count: number;
  /** Rows that were taken. */
  taken: number;
}

const noRows: Rows = { values: new Float32Array(0), nulls: undefined, count: 0, taken: 0 };

export class VectorCursor implements ColumnCursor {
  private readonly levels: EntryLevels;
  private readonly list: ListShape;
  private readonly dimensions: number;
  private rows: Rows = noRows;
  /** Comes behind the rows. */
  private odd: OddRow | undefined;

  constructor(levels: EntryLevels, list: ListShape, dimensions: number) {
    this.levels = levels;
    this.list = list;
    this.dimensions = dimensions;
  }

  async ready(maxRows: number, maxBytes: number): Promise<number> {
    const room = Math.max(1, Math.min(maxRows, Math.floor(maxBytes / (this.dimensions * 4))));
    if (this.rows.taken === this.rows.count && this.odd === undefined) await this.decode(room);
    const left = this.rows.count - this.rows.taken;
    return left > 0 ? Math.min(room, left) : this.odd === undefined ? 0 : 1;
  }

  measure(rows: number): number {
    return this.rows.taken < this.rows.count ? rows * this.dimensions * 4 : (this.odd?.length ?? 0) * 8;
  }

  take(count: number): ColumnValues {
    const { dimensions, rows } = this;
    if (rows.taken === rows.count) {
      const text = `[${(this.odd ?? []).map(String).join(',')}]`;
      this.odd = undefined;
      return { kind: 'scalar', values: [text] };
    }
    const start = rows.taken;
    rows.taken += count;
    return {
      kind: 'vector',
      dimensions,
      values: rows.values.subarray(start * dimensions, rows.taken * dimensions),
      nulls: rows.nulls?.subarray(start, rows.taken),
    };
  }

  private async decode(room: number): Promise<void> {
    const rows: Rows = { values: new Float32Array(room * this.dimensions), nulls: undefined, count: 0, taken: 0 };
    this.rows = rows;
    while (rows.count < room && this.odd === undefined && (await this.levels.fill())) await this.decodeRow(rows, room);
  }

  /** One row, whose entries may go on in the next slab or page. */
  private async decodeRow(rows: Rows, room: number): Promise<void> {
    const { dimensions, levels, list } = this;
    const first = levels.definitions[levels.start] as number;
    let length = 0;
    let odd: OddRow | undefined;
    do {
      const end = levels.nextStart(levels.start + 1);
      const count = end - levels.start;
      if (first < list.element) {
        levels.start = end;
      } else if (odd === undefined && length + count <= dimensions && levels.countPresent(levels.start, end) === count) {
        this.copy(rows.values, rows.count * dimensions + length, count);
        length += count;
        levels.start = end;
      } else {
        odd ??= Array.from(rows.values.subarray(rows.count * dimensions, rows.count * dimensions + length));
        this.gather(odd, end);
      }
    } while (levels.start === levels.end && (await levels.fill()) && levels.repetitions[levels.start] !== 0);
    if (first < list.list) {
      rows.nulls ??= new Uint8Array(room);
      rows.nulls[rows.count++] = 1;
    } else if (odd !== undefined || length !== dimensions) {
      this.odd = odd ?? Array.from(rows.values.subarray(rows.count * dimensions, rows.count * dimensions + length));
    } else rows.count++;
  }

  private copy(target: Float32Array, at: number, count: number): void {
    for (let done = 0; done < count;) {
      const values = this.levels.values.read(count - done, count * 8);
      copyFloats(values, this.list.leaf, { target, at: at + done });
      done += values.count;
    }
  }

  /** The elements of a row that is no vector, one by one. */
  private gather(odd: OddRow, end: number): void {
    const { levels, list } = this;
    const numbers = new Float32Array(levels.countPresent(levels.start, end));
    if (odd.length + end - levels.start > maxOddElements) throw new SizeFault(`a list of more than ${String(maxOddElements)} numbers`);
    this.copy(numbers, 0, numbers.length);
    let used = 0;
    for (; levels.start < end; levels.start++)
      odd.push(levels.definitions[levels.start] === list.leaf.definition ? numbers[used++]! : null);
  }
}
