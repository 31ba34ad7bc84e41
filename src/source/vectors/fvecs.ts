/** `.fvecs`, `.bvecs`, `.ivecs` of the nearest-neighbour benchmarks: before each vector stands its length, which is the same for all. */
import { SluiceError } from '../../errors.ts';
import { maxDimensions } from '../../rows/column-type.ts';
import type { ByteFile } from '../files/byte-file.ts';
import type { FileFormat, OpenedFile } from '../file-format.ts';
import { decodeElements, type Element } from './element.ts';
import { openVectorFile } from './vector-file.ts';

/** By the ending of the file's name: 32-bit floats, bytes, 32-bit integers. @see http://corpus-texmex.irisa.fr */
const elements: Readonly<Record<string, Element>> = {
  fvecs: { kind: 'float', byteCount: 4, isBigEndian: false },
  bvecs: { kind: 'unsigned', byteCount: 1, isBigEndian: false },
  ivecs: { kind: 'signed', byteCount: 4, isBigEndian: false },
};

const lengthBytes = 4;

interface Layout {
  readonly element: Element;
  readonly dimensions: number;
  /** From one row's length to the next one's. */
  readonly rowBytes: number;
}

export const format: FileFormat = {
  name: 'fvecs',
  async open(file, options): Promise<OpenedFile> {
    const ending = /\.([fbi]vecs)(?:$|[?#])/i.exec(file.name)?.[1]?.toLowerCase() ?? 'fvecs';
    const element = elements[ending] as Element;
    const dimensions = await readLength(file);
    const rowBytes = lengthBytes + dimensions * element.byteCount;
    const rest = file.byteCount % rowBytes;
    if (rest !== 0) {
      const last = String(file.byteCount - rest);
      const what = `its first row has ${String(dimensions)} numbers, so rows of ${String(rowBytes)} bytes, and ${String(rest)} bytes are left from byte ${last} on`;
      throw invalid(file, what, 'Copy or write the file again: it is cut short, or its rows differ in length.');
    }
    const rowCount = file.byteCount / rowBytes;
    const layout = { element, dimensions, rowBytes };
    const read = (start: number, end: number): Promise<Float32Array<ArrayBuffer>> => readRows(file, layout, { start, end });
    return openVectorFile({ name: file.name, rowCount, dimensions, byteCount: file.byteCount, rowBytes, read }, options);
  },
};

/** The length of the first row; of a file without one, it can't be told what it is. */
async function readLength(file: ByteFile): Promise<number> {
  if (file.byteCount === 0) {
    throw new SluiceError('SLUICE_SOURCE_EMPTY', `${file.name} is empty`, {
      hint: 'Check what was to write it; a load of no rows is not made by mistake.',
    });
  }
  const head = Buffer.from(await file.read(0, Math.min(lengthBytes, file.byteCount)));
  const dimensions = head.length < lengthBytes ? 0 : head.readInt32LE(0);
  if (dimensions >= 1 && dimensions <= maxDimensions) return dimensions;
  throw invalid(
    file,
    `its first row is said to have ${String(dimensions)} numbers, and 1 to ${String(maxDimensions)} can be`,
    'Check that it is a file of vectors, each with its length before it.',
  );
}

async function readRows(
  file: ByteFile,
  { dimensions, element, rowBytes }: Layout,
  { start, end }: { readonly start: number; readonly end: number },
): Promise<Float32Array<ArrayBuffer>> {
  const bytes = await file.read(start * rowBytes, end * rowBytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  // The lengths are taken out, so that the numbers stand one after another.
  const numbers = Buffer.allocUnsafeSlow((end - start) * (rowBytes - lengthBytes));
  for (let row = 0; row < end - start; row++) {
    const at = row * rowBytes;
    const length = view.getInt32(at, true);
    if (length !== dimensions) throw differs(file, { row: start + row, at: start * rowBytes + at, length, dimensions });
    numbers.set(bytes.subarray(at + lengthBytes, at + rowBytes), row * (rowBytes - lengthBytes));
  }
  return decodeElements(numbers, element);
}

interface Difference {
  readonly row: number;
  readonly at: number;
  readonly length: number;
  readonly dimensions: number;
}

function differs(file: ByteFile, { row, at, length, dimensions }: Difference): SluiceError {
  const what = `row ${String(row + 1)}, at byte ${String(at)}, is said to have ${String(length)} numbers where the first one has ${String(dimensions)}`;
  return invalid(file, what, 'All vectors of a file need one length; write it again.');
}

function invalid(file: ByteFile, what: string, hint: string): SluiceError {
  return new SluiceError('SLUICE_SOURCE_INVALID', `${file.name} can't be read as a file of vectors: ${what}`, { hint });
}
