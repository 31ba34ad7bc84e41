/** A nested field (struct, map, list of anything) as JSON text, one a row: the columns of its leaves put together by their levels. */
import type { ColumnValues } from '../../rows/batch.ts';
import type { Scalar } from '../../rows/schema.ts';
import type { ColumnCursor } from './cursor.ts';
import { PageFault, SizeFault } from './fault.ts';
import type { LeafFeed } from './leaf-feed.ts';
import type { ScalarType } from '../../rows/schema.ts';
import { isListGroup, isTupleName, type SchemaNode } from './schema.ts';

/** A longer text is no row any more; V8's longest string is about twice that. */
const maxTextLength = 256 * 1024 * 1024;

export class NestedCursor implements ColumnCursor {
  private readonly node: SchemaNode;
  private readonly feeds: ReadonlyMap<number, LeafFeed>;
  private rows: (string | null)[] = [];

  /** `feeds` by the ordinals of the field's leaves. */
  constructor(node: SchemaNode, feeds: ReadonlyMap<number, LeafFeed>) {
    this.node = node;
    this.feeds = feeds;
  }

  async ready(maxRows: number, maxBytes: number): Promise<number> {
    let bytes = this.measure(this.rows.length);
    while (this.rows.length < maxRows && (bytes < maxBytes || this.rows.length === 0)) {
      const filled: boolean[] = [];
      for (const feed of this.feeds.values()) filled.push(await feed.fillRow());
      if (!filled.includes(true)) break;
      if (filled.includes(false)) throw new PageFault('its parts have different numbers of rows');
      const text = this.assembleRow();
      this.rows.push(text === 'null' ? null : text);
      bytes += text.length;
    }
    return Math.min(maxRows, this.rows.length);
  }

  measure(rows: number): number {
    let bytes = 0;
    for (let row = 0; row < rows; row++) bytes += (this.rows[row]?.length ?? 0) + 8;
    return bytes;
  }

  take(rows: number): ColumnValues {
    const values = this.rows.slice(0, rows);
    this.rows = this.rows.slice(rows);
    return { kind: 'scalar', values };
  }

  private assembleRow(): string {
    const text = this.writeField(this.node);
    for (const feed of this.feeds.values()) if (feed.repetition !== 0) throw contradiction();
    return text;
  }

  private writeField(node: SchemaNode): string {
    return node.repetition === 'REPEATED' ? this.writeRepeated(node, () => this.writeThere(node)) : this.writeOptional(node);
  }

  /** A node that may be null. */
  private writeOptional(node: SchemaNode): string {
    if (node.leaf === -1 && this.head(node).definition < node.definition) {
      this.passEntry(node);
      return 'null';
    }
    return this.writeThere(node);
  }

  private writeThere(node: SchemaNode): string {
    if (node.leaf !== -1) return this.writeLeaf(node);
    const [only] = node.children;
    if (only?.repetition === 'REPEATED' && node.children.length === 1) {
      if (isListGroup(node)) return this.writeRepeated(only, () => this.writeElement(only, node));
      if (isMap(node, only)) return this.writeMap(only);
    }
    const members = node.children.map((child) => `${JSON.stringify(child.name)}:${this.writeField(child)}`);
    return `{${checkLength(members).join(',')}}`;
  }

  /** Of a list of three levels the middle one is no part of the value. */
  private writeElement(repeated: SchemaNode, list: SchemaNode): string {
    const [element] = repeated.children;
    const isWrapping = element !== undefined && repeated.children.length === 1 && !isTupleName(repeated, list);
    return isWrapping ? this.writeField(element) : this.writeThere(repeated);
  }

  private writeRepeated(node: SchemaNode, write: () => string): string {
    return `[${checkLength(this.repeat(node, write)).join(',')}]`;
  }

  /** JSON has text for keys; two equal keys both stay. */
  private writeMap(entry: SchemaNode): string {
    const [key, value] = entry.children as [SchemaNode, SchemaNode];
    const members = this.repeat(entry, () => {
      const name = this.writeField(key);
      return `${name.startsWith('"') ? name : JSON.stringify(name)}:${this.writeField(value)}`;
    });
    return `{${checkLength(members).join(',')}}`;
  }

  private repeat(node: SchemaNode, write: () => string): readonly string[] {
    const head = this.head(node);
    if (head.definition < node.definition) {
      this.passEntry(node);
      return [];
    }
    const items = [write()];
    while (head.repetition === node.repeated) items.push(write());
    return items;
  }

  private writeLeaf(leaf: SchemaNode): string {
    const feed = this.feed(leaf);
    const value = feed.shift();
    return value === undefined || value === null ? 'null' : writeScalar(value, feed.kind.type);
  }

  /** A null or empty node has one entry in each of its leaves. */
  private passEntry(node: SchemaNode): void {
    for (const leaf of node.leaves) this.feed(leaf).shift();
  }

  private head(node: SchemaNode): LeafFeed {
    return this.feed(node.leaves[0] as SchemaNode);
  }

  private feed(leaf: SchemaNode): LeafFeed {
    const feed = this.feeds.get(leaf.leaf);
    if (feed === undefined) throw contradiction();
    return feed;
  }
}

function contradiction(): PageFault {
  return new PageFault('the levels of its parts contradict each other');
}

function checkLength(parts: readonly string[]): readonly string[] {
  let length = 0;
  for (const part of parts) length += part.length;
  if (length > maxTextLength) throw new SizeFault(`a row of more than ${String(maxTextLength)} characters`);
  return parts;
}

function isMap({ element }: SchemaNode, entry: SchemaNode): boolean {
  const isAnnotated =
    element.converted_type === 'MAP' || element.converted_type === 'MAP_KEY_VALUE' || element.logical_type?.type === 'MAP';
  return isAnnotated && entry.leaf === -1 && entry.children.length === 2 && entry.children[0]?.leaf !== -1;
}

/** What JSON can't hold is written so that it is none: the row is refused instead of altered. */
function writeScalar(value: Exclude<Scalar, null>, type: ScalarType): string {
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value);
  if (value instanceof Uint8Array)
    return type === 'bytes' ? `"${Buffer.from(value.buffer, value.byteOffset, value.length).toString('base64')}"` : 'no UTF-8';
  if (typeof value === 'string' && type !== 'json' && type !== 'decimal') return JSON.stringify(value);
  return String(value);
}
