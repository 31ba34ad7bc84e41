/** What is wrong with a Parquet file, said with its place: file, row group, column. Decoders throw a {@link PageFault}, which knows no place; readers add it. */
import { SluiceError } from '../../errors.ts';

/** Bytes that can't be what they should be. */
export class PageFault extends Error {
  override readonly name: string = 'PageFault';
}

/** A page, dictionary or row larger than a limit of this reader. */
export class SizeFault extends PageFault {
  override readonly name: string = 'SizeFault';
}

/** Where in a file something is. */
export interface FilePlace {
  readonly file: string;
  /** Ordinal of the row group, from 0. */
  readonly group?: number | undefined;
  readonly column?: string | undefined;
}

/** SLUICE_SOURCE_INVALID, with the place. */
export function invalidFile(place: FilePlace, what: string, cause?: unknown): SluiceError {
  return new SluiceError('SLUICE_SOURCE_INVALID', `${describePlace(place)}: ${what}`, {
    ...(cause === undefined ? {} : { cause }),
    hint: 'Copy or write the file again; a reader of Parquet such as `duckdb` or `pyarrow` tells whether others can read it.',
  });
}

/** What a decoder threw, as an error with its place; anything that is no fault of the file goes on as it is. */
export function placeFault(error: unknown, place: FilePlace): unknown {
  if (error instanceof SizeFault) {
    return new SluiceError('SLUICE_SOURCE_TOO_LARGE', `${describePlace(place)}: ${error.message}`, {
      hint: 'Write the file again with smaller pages and row groups, such as pyarrow’s data_page_size=1048576 and row_group_size=100000.',
    });
  }
  // A RangeError is a DataView's: a length in the file leads beyond its page.
  if (error instanceof PageFault || error instanceof RangeError) return invalidFile(place, error.message, error);
  return error;
}

function describePlace({ column, file, group }: FilePlace): string {
  const parts = [...(group === undefined ? [] : [`row group ${String(group + 1)}`]), ...(column === undefined ? [] : [`column ${column}`])];
  return parts.length === 0 ? file : `${file}, ${parts.join(', ')}`;
}
