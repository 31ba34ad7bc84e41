/** What is wrong with an Arrow file, and where; told to the user as SLUICE_SOURCE_INVALID. */
import { SluiceError } from '../../errors.ts';

const writeAgain = 'Copy or write the file again: it is damaged.';

/** A fault at a byte of the file. */
export class ArrowFault extends Error {
  override readonly name = 'ArrowFault';
  readonly at: number;
  readonly hint: string;

  constructor(at: number, message: string, hint: string = writeAgain) {
    super(message);
    this.at = at;
    this.hint = hint;
  }
}

/** An error of reading as one of sluice: what the bytes brought about is the file's fault, all else is left as it is. */
export function toArrowError(name: string, error: unknown, at?: number): unknown {
  const isFault = error instanceof ArrowFault;
  if (!isFault && !(error instanceof RangeError)) return error;
  const place = isFault ? error.at : at;
  const where = place === undefined ? '' : `at byte ${String(place)} `;
  const detail = { cause: error, hint: isFault ? error.hint : writeAgain };
  return new SluiceError('SLUICE_SOURCE_INVALID', `${name} can't be read as Arrow: ${where}${error.message}`, detail);
}
