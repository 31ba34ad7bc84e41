/** The entries of one nested leaf with their values, row by row, for those who put rows together. */
import type { Scalar } from '../../rows/schema.ts';
import type { EntryLevels } from './entry-levels.ts';
import { PageFault, SizeFault } from './fault.ts';
import type { Kind } from './kinds.ts';
import { openScalars } from './scalars.ts';

/** Entries that are decoded together. */
const chunkEntries = 1024;
/** Of the values of one chunk, before more are read. */
const chunkBytes = 256 * 1024;
/** A row with more elements is refused: it is held in memory whole. */
const maxRowEntries = 4 * 1024 * 1024;

export class LeafFeed {
  readonly kind: Kind;
  private readonly levels: EntryLevels;
  private repetitions: number[] = [];
  private definitions: number[] = [];
  private values: (Scalar | undefined)[] = [];
  private at = 0;
  private isInRow = false;

  constructor(levels: EntryLevels, kind: Kind) {
    this.levels = levels;
    this.kind = kind;
  }

  /** Makes sure that the next row is here to its end; false behind the last one. */
  async fillRow(): Promise<boolean> {
    this.isInRow = false;
    let seen = this.at + 1;
    for (;;) {
      const end = this.repetitions.indexOf(0, seen);
      if (end !== -1) return true;
      seen = Math.max(seen, this.repetitions.length) - this.at;
      this.dropUsed();
      if (this.repetitions.length > maxRowEntries) throw new SizeFault(`a row of more than ${String(maxRowEntries)} elements`);
      if (!(await this.levels.fill())) return this.repetitions.length > 0;
      this.decode();
    }
  }

  /** Definition level of the entry that comes next in this row. @throws PageFault when the row has none */
  get definition(): number {
    this.checkInside();
    return this.definitions[this.at] as number;
  }

  /** Repetition level of the next entry; 0 at the row's end. */
  get repetition(): number {
    return this.repetitions[this.at] ?? 0;
  }

  /** Takes the next entry of this row; undefined where it has no value. */
  shift(): Scalar | undefined {
    this.checkInside();
    this.isInRow = true;
    return this.values[this.at++];
  }

  private checkInside(): void {
    const isStart = this.repetition === 0;
    if (this.at >= this.repetitions.length || isStart === this.isInRow)
      throw new PageFault('the levels of its parts contradict each other');
  }

  private dropUsed(): void {
    if (this.at === 0) return;
    this.repetitions = this.repetitions.slice(this.at);
    this.definitions = this.definitions.slice(this.at);
    this.values = this.values.slice(this.at);
    this.at = 0;
  }

  private decode(): void {
    const { levels } = this;
    const count = Math.min(chunkEntries, levels.end - levels.start);
    let present = levels.countPresent(levels.start, levels.start + count);
    let read: (() => Scalar | undefined) | undefined;
    let available = 0;
    for (let left = count; left > 0; left--, levels.start++) {
      const definition = levels.definitions[levels.start] as number;
      this.repetitions.push(levels.repetitions[levels.start] as number);
      this.definitions.push(definition);
      if (definition !== levels.leaf.definition) {
        this.values.push(undefined);
        continue;
      }
      if (available === 0) {
        const values = levels.values.read(present, chunkBytes);
        const scalars = openScalars(values, this.kind.convert);
        let used = 0;
        read = () => scalars(used++);
        available = values.count;
        present -= available;
      }
      available--;
      this.values.push(read?.());
    }
  }
}
