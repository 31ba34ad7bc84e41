/** NumPy's `.npy`: an array of numbers, row by row a vector. The header is Python text, read by hand; what it says is checked against the file's size. */
import { SluiceError } from '../../errors.ts';
import { maxDimensions } from '../../rows/column-type.ts';
import type { ByteFile } from '../files/byte-file.ts';
import type { FileFormat, OpenedFile } from '../file-format.ts';
import { decodeElements, isReadable, type Element } from './element.ts';
import { openVectorFile, type VectorLayout } from './vector-file.ts';

/** `\x93NUMPY`, then two bytes of version. @see https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
const magic = Buffer.from('\x93NUMPY', 'latin1');

/** NumPy itself refuses to read longer headers unasked. */
const maxHeaderBytes = 64 * 1024;

interface Header {
  readonly element: Element;
  readonly rowCount: number;
  readonly dimensions: number;
  /** Column after column instead of row after row. */
  readonly isByColumn: boolean;
  /** Where the numbers begin. */
  readonly start: number;
}

export const format: FileFormat = {
  name: 'npy',
  async open(file, options): Promise<OpenedFile> {
    const header = await readHeader(file);
    const { dimensions, element, rowCount, start } = header;
    const rowBytes = dimensions * element.byteCount;
    const wanted = start + rowCount * rowBytes;
    const shape = `${String(rowCount)} rows of ${String(rowBytes)} bytes from byte ${String(start)} on`;
    if (wanted > file.byteCount) {
      throw invalid(
        file,
        `its header tells of ${shape}, and it ends at byte ${String(file.byteCount)}`,
        'Copy or write the file again: it is cut short, or its header is wrong.',
      );
    }
    if (wanted < file.byteCount) {
      const rest = String(file.byteCount - wanted);
      throw invalid(
        file,
        `its header tells of ${shape}, and ${rest} bytes follow them`,
        'A file holds one array; save a second one into a file of its own.',
      );
    }
    const layout: VectorLayout = {
      name: file.name,
      rowCount,
      dimensions,
      byteCount: file.byteCount,
      rowBytes,
      read: (from, to) => (header.isByColumn ? readColumns(file, header, { from, to }) : readRows(file, header, { from, to })),
    };
    return openVectorFile(layout, options);
  },
};

interface RowRange {
  readonly from: number;
  readonly to: number;
}

async function readRows(
  file: ByteFile,
  { dimensions, element, start }: Header,
  { from, to }: RowRange,
): Promise<Float32Array<ArrayBuffer>> {
  const rowBytes = dimensions * element.byteCount;
  return decodeElements(await file.read(start + from * rowBytes, start + to * rowBytes), element);
}

/** Fortran's order: a piece of every column is read and its numbers are put into their rows. */
async function readColumns(file: ByteFile, header: Header, { from, to }: RowRange): Promise<Float32Array<ArrayBuffer>> {
  const { dimensions, element, rowCount, start } = header;
  const rows = to - from;
  const floats = new Float32Array(rows * dimensions);
  for (let column = 0; column < dimensions; column++) {
    const at = start + (column * rowCount + from) * element.byteCount;
    const numbers = decodeElements(await file.read(at, at + rows * element.byteCount), element);
    for (let row = 0; row < rows; row++) floats[row * dimensions + column] = numbers[row] as number;
  }
  return floats;
}

/** @throws SLUICE_SOURCE_INVALID */
async function readHeader(file: ByteFile): Promise<Header> {
  const fixed = Buffer.from(await file.read(0, Math.min(12, file.byteCount)));
  if (fixed.length < 10 || !magic.equals(fixed.subarray(0, magic.length))) {
    throw invalid(
      file,
      'it does not begin as an .npy file does',
      'Check that it was written by numpy.save; an .npz archive has to be unpacked first.',
    );
  }
  const version = fixed[6] ?? 0;
  const lengthBytes = version === 1 ? 2 : 4;
  const isKnown = version >= 1 && version <= 3;
  if (!isKnown || fixed.length < 8 + lengthBytes) {
    throw invalid(
      file,
      `its format version ${String(version)} is not known`,
      'Versions 1 to 3 can be read; write it again with numpy.save.',
    );
  }
  const length = version === 1 ? fixed.readUInt16LE(8) : fixed.readUInt32LE(8);
  const start = 8 + lengthBytes + length;
  if (length > maxHeaderBytes || start > file.byteCount) {
    throw invalid(file, `its header is said to have ${String(length)} bytes`, 'Copy or write the file again: it is cut short, or damaged.');
  }
  const text = Buffer.from(await file.read(8 + lengthBytes, start)).toString('latin1');
  return { ...readShape(file, text), element: readElement(file, text), isByColumn: readOrder(file, text), start };
}

const savedAgain = 'Save it again from NumPy: numpy.save(FILE, array.astype("float32")).';

/** By the letter of NumPy's type; a boolean is a byte of 0 or 1. */
const kinds: Readonly<Record<string, Element['kind']>> = { f: 'float', i: 'signed', u: 'unsigned', b: 'unsigned' };

function readElement(file: ByteFile, text: string): Element {
  const [, order = '', letter = '', width = ''] = /['"]descr['"]\s*:\s*['"]([<>|=])([a-z])(\d{1,2})['"]/i.exec(text) ?? [];
  const kind = Object.hasOwn(kinds, letter) ? kinds[letter] : undefined;
  const element = kind === undefined ? undefined : { kind, byteCount: Number(width), isBigEndian: order === '>' };
  if (element !== undefined && isReadable(element)) return element;
  const what = letter === '' ? 'its elements are no plain numbers' : `its elements are ${order}${letter}${width}`;
  throw invalid(file, `${what}, which vectors can't be made of`, savedAgain);
}

function readOrder(file: ByteFile, text: string): boolean {
  const order = /['"]fortran_order['"]\s*:\s*(True|False)/.exec(text)?.[1];
  if (order === undefined) throw invalid(file, 'its header does not say in which order its numbers stand', savedAgain);
  return order === 'True';
}

/** Rows and numbers of a row; of a plain list each number is a row. */
function readShape(file: ByteFile, text: string): { readonly rowCount: number; readonly dimensions: number } {
  const shape = /['"]shape['"]\s*:\s*\(([\d\s,L]*)\)/.exec(text)?.[1];
  if (shape === undefined) throw invalid(file, 'its header names no shape', savedAgain);
  const sizes = shape.split(',').flatMap((size) => (size.trim() === '' ? [] : [Number.parseInt(size, 10)]));
  const [rowCount, dimensions = 1] = sizes;
  const isTwo = rowCount !== undefined && sizes.length <= 2 && sizes.every((size) => Number.isSafeInteger(size));
  if (isTwo && dimensions >= 1 && dimensions <= maxDimensions) return { rowCount, dimensions };
  const why = isTwo ? `rows have 1 to ${String(maxDimensions)} numbers` : 'rows of vectors have two dimensions';
  throw invalid(file, `its shape is (${sizes.join(', ')}), and ${why}`, 'Reshape it: numpy.save(FILE, array.reshape(rows, -1)).');
}

function invalid(file: ByteFile, what: string, hint: string): SluiceError {
  return new SluiceError('SLUICE_SOURCE_INVALID', `${file.name} can't be read as .npy: ${what}`, { hint });
}
