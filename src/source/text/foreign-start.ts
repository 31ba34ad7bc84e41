/** First bytes of what is often passed off as text, with what it is and what makes text of it: said once, whoever looks at a file's beginning. */

/** What a file turns out to be that was to be text. */
export interface ForeignStart {
  readonly what: string;
  /** The next step. */
  readonly hint: string;
}

interface KnownStart extends ForeignStart {
  readonly bytes: readonly number[];
}

const converted = (encoding: string): ForeignStart => ({
  what: `${encoding} text`,
  hint: `Convert it first: iconv -f ${encoding} -t UTF-8 FILE | sluice load - --format …`,
});

const unpacked = (what: string, command: string): ForeignStart => ({
  what,
  hint: `Unpack it first: ${command} FILE | sluice load - --format …`,
});

/** Of two that begin alike the longer one stands first. */
const knownStarts: readonly KnownStart[] = [
  { bytes: [0xff, 0xfe, 0, 0], ...converted('UTF-32') },
  { bytes: [0xff, 0xfe], ...converted('UTF-16') },
  { bytes: [0xfe, 0xff], ...converted('UTF-16') },
  {
    bytes: [0x1f, 0x8b],
    what: 'compressed by gzip',
    hint: 'Leave --compression out. If it is compressed twice, undo one of them: gzip -dc FILE | sluice load - --format …',
  },
  {
    bytes: [0x28, 0xb5, 0x2f, 0xfd],
    what: 'compressed by zstd',
    hint: 'Leave --compression out. If it is compressed twice, undo one of them first.',
  },
  { bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], ...unpacked('compressed by xz, which sluice does not read', 'xz -dc') },
  { bytes: [0x42, 0x5a, 0x68], ...unpacked('compressed by bzip2, which sluice does not read', 'bzip2 -dc') },
  { bytes: [0x04, 0x22, 0x4d, 0x18], ...unpacked('compressed by lz4, which sluice does not read', 'lz4 -dc') },
  { bytes: [0x50, 0x4b, 0x03, 0x04], ...unpacked('a ZIP archive', 'unzip -p') },
  { bytes: [0x50, 0x41, 0x52, 0x31], what: 'a Parquet file', hint: 'Leave --format out, or say --format parquet.' },
  { bytes: [...Buffer.from('ARROW1')], what: 'an Arrow file', hint: 'Leave --format out, or say --format arrow.' },
  { bytes: [...Buffer.from('\x93NUMPY', 'latin1')], what: 'an .npy file', hint: 'Leave --format out, or say --format npy.' },
  {
    bytes: [...Buffer.from('SQLite format 3\0')],
    what: 'an SQLite database',
    hint: 'Name it as one, with its table: sqlite:FILE?table=NAME.',
  },
];

/** Where a tar archive says that it is one: behind its first entry's name and numbers. */
const tarMark = { at: 257, bytes: [...Buffer.from('ustar')] } as const;

/** What the bytes are, if they are known not to be text of UTF-8. */
export function findForeignStart(head: Uint8Array): ForeignStart | undefined {
  const known = knownStarts.find(({ bytes }) => bytes.every((byte, at) => head[at] === byte));
  if (known !== undefined) return known;
  if (tarMark.bytes.every((byte, at) => head[tarMark.at + at] === byte)) return unpacked('a tar archive', 'tar -xOf');
  const order = findWideText(head);
  return order === undefined ? undefined : converted(order);
}

/** UTF-16 without its mark: the first four characters are ASCII, so every other byte is a zero. */
function findWideText(head: Uint8Array): string | undefined {
  if (head.length < 8) return undefined;
  const isZero = [...head.subarray(0, 8)].map((byte) => byte === 0);
  if (isZero.every((zero, at) => zero === (at % 2 === 1))) return 'UTF-16LE';
  return isZero.every((zero, at) => zero === (at % 2 === 0)) ? 'UTF-16BE' : undefined;
}
