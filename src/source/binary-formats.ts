/** The binary formats: by which names and first bytes each is known, and where its reader is. A new one is one line here. */
import type { FileFormat } from './file-format.ts';

/** Which format the first (and last) bytes of a file are of. */
export interface BinaryFormatEntry {
  /** Endings of file names, lower case, with the dot. */
  readonly extensions: readonly string[];
  /** Whether the file's first bytes (up to 64) are those of the format; undefined where they tell nothing. */
  readonly matches?: ((head: Uint8Array) => boolean) | undefined;
  readonly open: () => Promise<{ readonly format: FileFormat }>;
}

function startsWith(text: string): (head: Uint8Array) => boolean {
  const wanted = Buffer.from(text, 'latin1');
  return (head) => wanted.equals(head.subarray(0, wanted.length));
}

/** The binary formats by name; each is imported when a file of it is opened. */
export const binaryFormats: Readonly<Record<string, BinaryFormatEntry>> = {
  parquet: { extensions: ['.parquet', '.pq'], matches: startsWith('PAR1'), open: () => import('./parquet/index.ts') },
  arrow: { extensions: ['.arrow', '.arrows', '.feather', '.ipc'], matches: startsWith('ARROW1'), open: () => import('./arrow/index.ts') },
  npy: { extensions: ['.npy'], matches: startsWith('\x93NUMPY'), open: () => import('./vectors/npy.ts') },
  fvecs: { extensions: ['.fvecs', '.bvecs', '.ivecs'], open: () => import('./vectors/fvecs.ts') },
};
