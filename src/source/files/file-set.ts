/** Several files, opened one by one, as one source: Parquet, Arrow, vectors, compressed text, text behind an HTTP server. A file is open only while it is read, and every thread opens its own. */
import { hash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { Position } from '../../rows/batch.ts';
import { createCancelCheck } from '../cancellation.ts';
import { checkAgreement, type FileShape } from './disagreement.ts';
import { readJoined } from '../../rows/joined-place.ts';
import { joinPieces, readJoinedFiles, type ShardPiece } from '../joined-shard.ts';
import { joinSamples } from './joined-sample.ts';
import { changedError, cutParts, joinDigests, readPartHead, toPiece, writeEntry, type ReadPart } from './file-set-shard.ts';
import type { Member, MemberFile } from './member-file.ts';
import { OpenFiles } from './open-files.ts';
import { maxSmallBytes } from './small-decompression.ts';
import type { Records, ReadOptions, Sample, Shard, Source, SourceDecision, SourceDescriptor, SourceOptions } from '../source.ts';

export interface FileSetInput {
  readonly members: readonly Member[];
  readonly name: string;
  readonly format: string;
  readonly options: SourceOptions;
  /** What the session's readers need and nobody may keep. */
  readonly shared?: string | undefined;
  /** Some of the files are no paths: what they hold is told by their digests. */
  readonly isRemote?: boolean | undefined;
  /** How many files are opened at once while they are looked at: more where each costs a round trip. */
  readonly openAtOnce?: number | undefined;
  readonly decisions?: readonly SourceDecision[] | undefined;
}

/** Files that a sample is taken from. */
const sampledFiles = 8;

/**
 * Opens every file once: each can be read, and has the fields and types of the first.
 * @throws SLUICE_SOURCE_… of the first file that can't be read; SLUICE_SOURCES_DISAGREE with every file that differs
 */
export async function openFileSet(input: FileSetInput): Promise<Source> {
  const set = new FileSet(input);
  try {
    await set.check();
  } catch (error) {
    await set.files.close();
    throw error;
  }
  return createSource(input, set);
}

/** Opens files that were looked at before, in another thread or process; each is opened when it is first read. */
export function reopenFileSet(input: FileSetInput): Source {
  return createSource(input, new FileSet(input));
}

function createSource(input: FileSetInput, set: FileSet): Source {
  const { decisions, format, members, name, options, shared } = input;
  const descriptor: SourceDescriptor = {
    files: members.map(({ path }) => path),
    options: { ...options, format },
    reader: 'set',
    ...(shared === undefined ? {} : { shared }),
    ...(input.isRemote === true ? { identity: set.identify() } : {}),
  };
  return {
    name,
    format,
    get byteCount() {
      return set.sumSizes();
    },
    get wholeShards() {
      return set.countWholeShards();
    },
    get largestWholeBytes() {
      return set.measureLargest();
    },
    isSeekable: true,
    descriptor,
    decisions,
    guarantee: set.describeGuarantee(),
    sample: (signal) => set.sample(signal),
    shards: (targetBytes, signal) => set.cut(targetBytes, signal),
    // Behind a server every look at a file is a round trip.
    ...(input.isRemote === true ? {} : { joinedShards: (bytes, signal) => joinPieces(set.cutPieces(bytes, signal), bytes) }),
    read: (shard, from, readOptions) => set.read(shard, from, readOptions),
    countRows: (shard) => set.count(shard),
    changed: (shards) => set.findChanged(shards),
    close: () => set.files.close(),
  };
}

/** What is kept of a file that was looked at; the file itself is closed again when others are read. */
interface Known {
  readonly byteCount: number | undefined;
  readonly rowCount: number | undefined;
  readonly isWhole: boolean;
  readonly digest: string;
  /** Of a small file, as one piece: it need not be opened again to be cut. */
  readonly piece: ShardPiece | undefined;
}

class FileSet {
  readonly files: OpenFiles;
  private readonly input: FileSetInput;
  private readonly known: (Known | undefined)[];

  constructor(input: FileSetInput) {
    this.input = input;
    this.known = input.members.map(() => undefined);
    this.files = new OpenFiles(input.members);
  }

  /** Looks at every file; what each says of itself is compared with the first, so that all disagreements are told at once. */
  async check(): Promise<void> {
    const { members, openAtOnce = 1 } = this.input;
    const shapes: FileShape[] = [];
    for (let first = 0; first < members.length; first += openAtOnce) {
      const group = members.slice(first, first + openAtOnce).map((_, at) => this.look(first + at));
      shapes.push(...(await Promise.all(group)));
      await setImmediate();
    }
    checkAgreement(shapes);
  }

  private look(file: number): Promise<FileShape> {
    return this.files.use(file, async (opened) => {
      const { declared, fields } = opened;
      this.known[file] = { ...know(opened), piece: await this.cutWhole(file, opened) };
      return { name: this.input.members[file]?.path ?? '', fields, declared };
    });
  }

  /** Of 10,000 small files each would else be opened once more, and a Parquet file's description read, which takes longer than reading its rows. */
  private async cutWhole(file: number, opened: MemberFile): Promise<ShardPiece | undefined> {
    const { byteCount = Infinity, isWhole } = opened;
    if (this.input.isRemote === true || (isWhole !== true && byteCount > maxSmallBytes)) return undefined;
    const [part, ...others] = await Array.fromAsync(opened.parts(Infinity));
    return others.length > 0 ? undefined : toPiece(file, { opened, part, isWhole: true });
  }

  sumSizes(): number | undefined {
    let sum = 0;
    for (const known of this.known) {
      if (known?.byteCount === undefined) return undefined;
      sum += known.byteCount;
    }
    return sum;
  }

  countWholeShards(): number | undefined {
    return this.known.every((known) => known?.isWhole === true) ? this.known.length : undefined;
  }

  measureLargest(): number {
    return this.known.reduce((largest, known) => Math.max(largest, known?.byteCount ?? Infinity), 0);
  }

  /** Equal for the same files with the same content; of files that were not looked at, by their names alone. */
  identify(): string {
    const files = this.input.members.map(({ path }, file) => `${path}\n${this.known[file]?.digest ?? ''}\n`);
    return hash('sha256', files.join(''), 'hex');
  }

  describeGuarantee(): string | undefined {
    const isRemote = this.input.isRemote === true;
    const hasWhole = this.known.some((known) => known?.isWhole === true);
    const parts = [
      ...(isRemote
        ? ['every answer is compared with what its server said of the file first (ETag, time, size), and refused if it differs']
        : []),
      ...(hasWhole
        ? [
            'a file that can only be read from its start (compressed, or from a server without ranges) is read from there on a resume, and what was committed is passed over',
          ]
        : []),
    ];
    return parts.length === 0 ? undefined : parts.join('; ');
  }

  /** Rows of files in equal distances, the first and the last among them. */
  async sample(signal: AbortSignal | undefined): Promise<Sample> {
    const count = this.input.members.length;
    const chosen = Array.from({ length: Math.min(count, sampledFiles) }, (_, at) =>
      Math.floor((at * (count - 1)) / Math.max(1, Math.min(count, sampledFiles) - 1)),
    );
    const samples: Sample[] = [];
    const checkCancelled = createCancelCheck(this.input.name, signal);
    for (const file of chosen) {
      checkCancelled();
      samples.push(await this.files.use(file, (opened) => opened.sample(signal)));
    }
    const rowCounts = this.known.map((known) => known?.rowCount);
    return joinSamples(samples, { rowCounts, byteCount: this.sumSizes() });
  }

  async *cut(targetBytes: number, signal: AbortSignal | undefined): AsyncGenerator<Shard, void, undefined> {
    let ordinal = 0;
    for await (const { shard } of this.cutPieces(targetBytes, signal)) if (shard !== undefined) yield { ...shard, ordinal: ordinal++ };
  }

  /** Shards in the order of the files, not numbered. */
  async *cutPieces(targetBytes: number, signal: AbortSignal | undefined): AsyncGenerator<ShardPiece, void, undefined> {
    const checkCancelled = createCancelCheck(this.input.name, signal);
    for (let file = 0; file < this.input.members.length; file++) {
      const piece = this.known[file]?.piece;
      if (piece?.whole !== undefined && (piece.whole.byteCount <= targetBytes || this.known[file]?.isWhole === true)) {
        yield piece;
        continue;
      }
      const { opened, release } = await this.files.take(file);
      try {
        for await (const cut of cutParts(opened.parts(targetBytes, signal))) {
          checkCancelled();
          yield toPiece(file, { opened, ...cut });
        }
      } finally {
        release();
      }
      await setImmediate();
    }
  }

  read(shard: Shard, from: Position, options: ReadOptions): AsyncIterable<Records> {
    const joined = readJoined(shard);
    if (joined === undefined) return this.readFile(shard, from, options);
    const readFile = (index: number, start: Position): AsyncIterable<Records> =>
      this.readFile({ file: shard.file + index, head: joined[index] ?? '', start: 0, isWhole: true }, start, options);
    return readJoinedFiles(shard, { from, readFile, signal: options.signal });
  }

  /** The file must be the one that the shard was cut from: a lane may open it long after the plan was made. */
  private async *readFile(part: ReadPart, from: Position, options: ReadOptions): AsyncGenerator<Records, void, undefined> {
    const { name, members } = this.input;
    const { file } = part;
    const checkCancelled = createCancelCheck(name, options.signal);
    checkCancelled();
    const { opened, release } = await this.files.take(file);
    const interrupt = (): void => members[file]?.interrupt?.();
    options.signal?.addEventListener('abort', interrupt, { once: true });
    try {
      if (part.head !== joinDigests(opened.digest, readPartHead(part))) throw changedError(members[file]?.path ?? '');
      // Some readers take no rows for rows that are missing.
      if (part.isWhole !== true || opened.rowCount !== 0) yield* opened.read(part, from, options);
    } catch (error) {
      // What was interrupted fails somehow: the reason is the interruption.
      checkCancelled();
      throw error;
    } finally {
      options.signal?.removeEventListener('abort', interrupt);
      release();
    }
  }

  /** Parts of a file that knows its rows are rows of it. */
  async count({ end, file, start }: Shard): Promise<number | undefined> {
    return this.files.use(file, async ({ rowCount }) => (rowCount === undefined || end === undefined ? undefined : end - start));
  }

  /** The shards of files that are no longer what they were. */
  async findChanged(shards: readonly Shard[]): Promise<readonly Shard[]> {
    const changed: Shard[] = [];
    for (const shard of shards) {
      if (!(await this.isUnchanged(shard))) changed.push(shard);
      await setImmediate();
    }
    return changed;
  }

  private async isUnchanged(shard: Shard): Promise<boolean> {
    const joined = readJoined(shard);
    if (shard.file + (joined?.length ?? 1) > this.input.members.length) return false;
    if (joined === undefined) return this.isSamePart(shard);
    for (const [index, head] of joined.entries()) if (!(await this.isSameFile(shard.file + index, head))) return false;
    return true;
  }

  private isSamePart(shard: Shard): Promise<boolean> {
    return this.files.use(shard.file, async (opened) => {
      this.known[shard.file] ??= know(opened);
      if (shard.head !== joinDigests(opened.digest, readPartHead(shard))) return false;
      const part = await opened.digestPart?.(shard);
      return part === undefined || (part.head === readPartHead(shard) && part.tail === shard.tail);
    });
  }

  private isSameFile(file: number, entry: string): Promise<boolean> {
    return this.files.use(file, async (opened) => {
      this.known[file] ??= know(opened);
      const { rowCount } = opened;
      const part = rowCount === undefined || rowCount === 0 ? undefined : await opened.digestPart?.({ start: 0, end: rowCount });
      return entry === writeEntry(opened, part);
    });
  }
}

function know({ byteCount, digest, isWhole, rowCount }: MemberFile): Known {
  return { byteCount, rowCount, isWhole: isWhole === true, digest, piece: undefined };
}
