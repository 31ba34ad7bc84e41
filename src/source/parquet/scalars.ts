/** Stored values made into scalars; a value of a dictionary is made once. */
import type { Scalar } from '../../rows/schema.ts';
import { openScalarRoom, type Dictionary } from './dictionary.ts';
import { viewOctets, type Convert, type Octets } from './kinds.ts';
import type { Values } from './value-reader.ts';

/** Reads value after value of what a {@link ValueReader} gave. */
export type ReadScalar = (index: number) => Scalar;

/** Opens values for reading by index. */
export function openScalars(values: Values, convert: Convert): ReadScalar {
  if (values.kind === 'indexed') {
    const read = openDictionaryScalars(values.dictionary, convert);
    return (index) => read(values.indexes[index]!);
  }
  const octets = viewOctets(values.bytes);
  if (values.kind === 'sliced') return (index) => convert(octets, values.starts[index]!, values.ends[index]!);
  const { offset, width } = values;
  return (index) => convert(octets, offset + index * width, offset + (index + 1) * width);
}

function openDictionaryScalars(dictionary: Dictionary, convert: Convert): ReadScalar {
  const { ends, starts, width } = dictionary;
  const scalars = openScalarRoom(dictionary);
  const octets: Octets = viewOctets(dictionary.bytes);
  const make: ReadScalar = (index) =>
    starts === undefined || ends === undefined
      ? convert(octets, index * width, (index + 1) * width)
      : convert(octets, starts[index]!, ends[index]!);
  if (scalars === undefined) return make;
  return (index) => {
    const known = scalars[index];
    if (known !== undefined) return known;
    const made = make(index);
    scalars[index] = made;
    return made;
  };
}
