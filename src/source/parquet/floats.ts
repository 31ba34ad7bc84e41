/** Numbers of pages into a Float32Array: single, double and half precision, plain or by a dictionary. */
import { readFloat16 } from './kinds.ts';
import type { Dictionary } from './dictionary.ts';
import { fixedWidth, type SchemaNode } from './schema.ts';
import type { Values } from './value-reader.ts';

/** Whether the values of a leaf are floats. */
export function isFloat({ element }: SchemaNode): boolean {
  const { logical_type: logical, type, type_length: length } = element;
  return type === 'FLOAT' || type === 'DOUBLE' || (type === 'FIXED_LEN_BYTE_ARRAY' && length === 2 && logical?.type === 'FLOAT16');
}

/** Copies all of the values to the target from `at` on. */
export function copyFloats(values: Values, leaf: SchemaNode, { at, target }: { readonly target: Float32Array; readonly at: number }): void {
  if (values.kind === 'indexed') {
    const floats = openFloats(values.dictionary, leaf);
    const { count, indexes } = values;
    for (let index = 0; index < count; index++) target[at + index] = floats[indexes[index]!]!;
    return;
  }
  if (values.kind === 'sliced') return;
  readFloats(values, leaf, { at, target });
}

/** The values of a dictionary, converted once. */
function openFloats(dictionary: Dictionary, leaf: SchemaNode): Float32Array {
  if (dictionary.floats === undefined) {
    const { bytes, count } = dictionary;
    dictionary.floats = new Float32Array(count);
    readFloats({ bytes, count, offset: 0, width: fixedWidth(leaf) ?? 0 }, leaf, { at: 0, target: dictionary.floats });
  }
  return dictionary.floats;
}

interface Stored {
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly count: number;
  readonly width: number;
}

function readFloats(
  { bytes, count, offset, width }: Stored,
  leaf: SchemaNode,
  { at, target }: { readonly target: Float32Array; readonly at: number },
): void {
  if (width === 4) {
    // As bytes: values stand at any place of a page. Little-endian here as there, as everywhere that Node runs.
    new Uint8Array(target.buffer, target.byteOffset + at * 4, count * 4).set(bytes.subarray(offset, offset + count * 4));
    return;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, count * width);
  if (leaf.element.type === 'DOUBLE') for (let index = 0; index < count; index++) target[at + index] = view.getFloat64(index * 8, true);
  else for (let index = 0; index < count; index++) target[at + index] = readFloat16(view.getUint16(index * 2, true));
}
