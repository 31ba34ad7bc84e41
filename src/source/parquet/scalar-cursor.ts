/** A field of plain values: decoded page by page, no more at once than a stretch takes. */
import type { ColumnValues } from '../../rows/batch.ts';
import type { Scalar } from '../../rows/schema.ts';
import type { ColumnCursor } from './cursor.ts';
import { readHybrid } from './hybrid.ts';
import type { Kind } from './kinds.ts';
import type { Page, PageReader } from './pages.ts';
import { openScalars } from './scalars.ts';
import type { SchemaNode } from './schema.ts';
import type { ValueReader } from './value-reader.ts';
import { openValues } from './values.ts';

/** Definition levels that are read at once. */
const slabRows = 8192;

/** A null in memory. */
const nullBytes = 8;

interface OpenPage {
  readonly page: Page;
  readonly values: ValueReader;
  /** Rows whose levels have not been read. */
  left: number;
}

export class ScalarCursor implements ColumnCursor {
  private readonly pages: PageReader;
  private readonly leaf: SchemaNode;
  private readonly kind: Kind;
  private open: OpenPage | undefined;
  /** Levels that were read and not used. */
  private readonly levels: Uint8Array = new Uint8Array(slabRows);
  private levelStart = 0;
  private levelEnd = 0;
  /** Rows that are ready, from `first` on. */
  private rows: Scalar[] = [];
  private first = 0;

  /** The pages stand before the page of the first wanted row. */
  constructor(pages: PageReader, leaf: SchemaNode, kind: Kind) {
    this.pages = pages;
    this.leaf = leaf;
    this.kind = kind;
  }

  /** Passes over rows of the next page. */
  async skip(count: number): Promise<void> {
    let left = count;
    while (left > 0 && (await this.fill())) {
      const levels = Math.min(left, this.levelEnd - this.levelStart);
      this.open?.values.skip(this.countPresent(levels));
      this.levelStart += levels;
      left -= levels;
    }
  }

  async ready(maxRows: number, maxBytes: number): Promise<number> {
    if (this.first === this.rows.length && (await this.fill())) this.decode(Math.min(maxRows, this.levelEnd - this.levelStart), maxBytes);
    const count = Math.min(maxRows, this.rows.length - this.first);
    const { memoryBytes } = this.kind;
    if (memoryBytes !== undefined) return Math.min(count, Math.max(1, Math.floor(maxBytes / memoryBytes)));
    // What a dictionary's indexes stand for may be much more than they are: such rows are taken a few at a time.
    let bytes = 0;
    for (let row = 0; row < count; row++) {
      bytes += measureText(this.rows[this.first + row]);
      if (bytes > maxBytes) return Math.max(1, row);
    }
    return count;
  }

  measure(rows: number): number {
    const { memoryBytes } = this.kind;
    if (memoryBytes !== undefined) return rows * memoryBytes;
    let bytes = 0;
    for (let row = 0; row < rows; row++) bytes += measureText(this.rows[this.first + row]);
    return bytes;
  }

  take(rows: number): ColumnValues {
    const values = this.rows;
    const start = this.first;
    this.first += rows;
    return { kind: 'scalar', values: start === 0 && rows === values.length ? values : values.slice(start, start + rows) };
  }

  /** Makes sure of levels; of a column without any they are counted all the same. False behind the last page. */
  private async fill(): Promise<boolean> {
    if (this.levelStart < this.levelEnd) return true;
    while (this.open === undefined || this.open.left === 0) {
      const page = await this.pages.next();
      if (page === undefined) return false;
      this.open = { page, values: openValues(page, this.leaf), left: page.entryCount };
    }
    const { open } = this;
    const count = Math.min(slabRows, open.left);
    const { definitions } = open.page;
    if (definitions === undefined) this.levels.fill(this.leaf.definition, 0, count);
    else readHybrid(definitions, this.levels, count);
    open.left -= count;
    this.levelStart = 0;
    this.levelEnd = count;
    return true;
  }

  private countPresent(count: number): number {
    const { definition } = this.leaf;
    let present = 0;
    for (let at = this.levelStart; at < this.levelStart + count; at++) if (this.levels[at] === definition) present++;
    return present;
  }

  /** Rows up to a value that is too much for now. */
  private decode(count: number, maxBytes: number): void {
    const { kind, leaf, levels, open } = this;
    const present = this.countPresent(count);
    const values = present === 0 || open === undefined ? undefined : open.values.read(present, maxBytes);
    const read = values === undefined ? undefined : openScalars(values, kind.convert);
    const rows: Scalar[] = [];
    let used = 0;
    for (let left = count; left > 0; left--) {
      if (levels[this.levelStart] !== leaf.definition) rows.push(null);
      else if (read === undefined || values === undefined || used === values.count) break;
      else rows.push(read(used++));
      this.levelStart++;
    }
    this.rows = rows;
    this.first = 0;
  }
}

function measureText(value: Scalar | undefined): number {
  return typeof value === 'string' || value instanceof Uint8Array ? value.length + nullBytes : nullBytes;
}
