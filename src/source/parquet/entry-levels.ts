/** The levels of a nested leaf, a slab at a time over the ends of pages, with the reader of the values that belong to them. */
import { PageFault } from './fault.ts';
import { readHybrid } from './hybrid.ts';
import type { Page, PageReader } from './pages.ts';
import type { SchemaNode } from './schema.ts';
import type { ValueReader } from './value-reader.ts';
import { openValues } from './values.ts';

/** Entries that are looked at together: some 170 rows of 384 numbers. */
const slabEntries = 65_536;

/** Levels of a leaf, read forward. The entries `start … end` of `repetitions` and `definitions` have not been used. */
export class EntryLevels {
  readonly leaf: SchemaNode;
  repetitions: Uint8Array = new Uint8Array(0);
  definitions: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;
  /** Every entry of the slab has a value. */
  isFull = false;
  private readonly pages: PageReader;
  private page: Page | undefined;
  private left = 0;
  /** The next slab is the first of the chunk. */
  private isFirst = false;
  private reader: ValueReader | undefined;

  constructor(pages: PageReader, leaf: SchemaNode) {
    this.pages = pages;
    this.leaf = leaf;
  }

  /** Of the page that the slab belongs to. */
  get values(): ValueReader {
    if (this.reader === undefined) throw new PageFault('it has levels without values');
    return this.reader;
  }

  /** Makes sure of an unused entry; false behind the last one. */
  async fill(): Promise<boolean> {
    if (this.start < this.end) return true;
    while (this.left === 0) {
      this.page = await this.pages.next();
      if (this.page === undefined) return false;
      this.left = this.page.entryCount;
      this.isFirst = this.page.isFirst;
      this.reader = openValues(this.page, this.leaf);
    }
    const count = Math.min(slabEntries, this.left);
    if (count > this.definitions.length) {
      this.repetitions = new Uint8Array(count);
      this.definitions = new Uint8Array(count);
    }
    this.readLevels(this.page as Page, count);
    if (this.isFirst && this.repetitions[0] !== 0) throw new PageFault('it begins in the middle of a row');
    this.isFirst = false;
    this.left -= count;
    this.start = 0;
    this.end = count;
    return true;
  }

  private readLevels({ definitions, repetitions }: Page, count: number): void {
    const { definition } = this.leaf;
    if (repetitions === undefined) this.repetitions.fill(0, 0, count);
    else readHybrid(repetitions, this.repetitions, count);
    if (definitions === undefined) {
      this.definitions.fill(definition, 0, count);
      this.isFull = true;
    } else {
      this.isFull = readHybrid(definitions, this.definitions, count) === definition;
    }
  }

  /** Goes to the start of the n-th row that starts from here on; entries before, of a row that began in an earlier page, are passed over too. */
  async skipRows(count: number): Promise<void> {
    let left = count;
    let from = 0;
    while (await this.fill()) {
      const next = this.nextStart(this.start + from);
      this.pass(next);
      if (next === this.end) {
        from = 0;
        continue;
      }
      if (left === 0) return;
      left--;
      from = 1;
    }
    throw new PageFault('it has fewer rows than its group');
  }

  /** Where the first row from an entry on starts in the slab; its end if none does. */
  nextStart(from: number): number {
    const at = this.repetitions.indexOf(0, from);
    return at === -1 || at >= this.end ? this.end : at;
  }

  /** Passes over entries and their values. */
  private pass(end: number): void {
    const present = this.countPresent(this.start, end);
    if (present > 0) this.values.skip(present);
    this.start = end;
  }

  countPresent(start: number, end: number): number {
    if (this.isFull) return end - start;
    let present = 0;
    for (let at = start; at < end; at++) if (this.definitions[at] === this.leaf.definition) present++;
    return present;
  }
}
