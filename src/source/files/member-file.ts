/** One file of a set, named and opened. */
import type { OpenedFile } from '../file-format.ts';

/** A file that is open, with what tells it from another one under the same name. */
export interface MemberFile extends OpenedFile {
  /** Of the file as it is stored: compressed bytes of a compressed one. Undefined where its server does not say. */
  readonly byteCount: number | undefined;
  /** Hex digest of what the file is: its size, its first and last bytes, or the validator that its server gives. */
  readonly digest: string;
}

/** One file of a set. */
export interface Member {
  /** Absolute path, or URL without secrets. */
  readonly path: string;
  readonly open: () => Promise<MemberFile>;
  /** Ends what is being read of it, for files whose bytes may be long in coming. */
  readonly interrupt?: () => void;
}
