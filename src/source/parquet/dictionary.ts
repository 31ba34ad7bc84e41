/** The dictionary of a column chunk: its values where they stand in the page, each made into a scalar once. */
import type { Scalar } from '../../rows/schema.ts';
import { PageFault } from './fault.ts';
import { fixedWidth, type SchemaNode } from './schema.ts';

export interface Dictionary {
  readonly count: number;
  readonly bytes: Uint8Array;
  /** Place of each value; undefined where all have one width. */
  readonly starts: Int32Array | undefined;
  readonly ends: Int32Array | undefined;
  readonly width: number;
  /** Values that were made already, by index; made room for when the first one is asked for, for floats have none. */
  scalars: (Scalar | undefined)[] | undefined;
  /** The same as floats, of a dictionary of floats. */
  floats: Float32Array | undefined;
}

/** Reads where the values of a dictionary page stand. @throws PageFault when it has fewer than `count` */
export function openDictionary(bytes: Uint8Array, { count, leaf }: { readonly count: number; readonly leaf: SchemaNode }): Dictionary {
  if (leaf.element.type === 'BOOLEAN') throw new PageFault('booleans have no dictionary');
  const width = fixedWidth(leaf);
  if (width !== undefined) {
    if (count * width > bytes.length) throw tooFew();
    return { count, bytes, starts: undefined, ends: undefined, width, scalars: undefined, floats: undefined };
  }
  // Each has at least its length.
  if (count * 4 > bytes.length) throw tooFew();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const starts = new Int32Array(count);
  const ends = new Int32Array(count);
  let offset = 0;
  for (let index = 0; index < count; index++) {
    if (offset + 4 > bytes.length) throw tooFew();
    const length = view.getUint32(offset, true);
    if (length > bytes.length - offset - 4) throw tooFew();
    starts[index] = offset + 4;
    offset += 4 + length;
    ends[index] = offset;
  }
  return { count, bytes, starts, ends, width: 0, scalars: undefined, floats: undefined };
}

/** Dictionaries larger than this are no such thing any more; their values are made again each time. */
const maxKept = 4 * 1024 * 1024;

/** Where the values of a dictionary are kept; undefined where it is too large for that. An array that grew from its far end would be a hash table. */
export function openScalarRoom(dictionary: Dictionary): (Scalar | undefined)[] | undefined {
  const { count } = dictionary;
  if (count > maxKept || dictionary.scalars !== undefined) return dictionary.scalars;
  const room: (Scalar | undefined)[] = [];
  room.length = count;
  dictionary.scalars = room;
  return room;
}

function tooFew(): PageFault {
  return new PageFault('a dictionary has fewer values than its header says');
}
