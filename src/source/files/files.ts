/** One or several files as one source. Files are opened when they are read, and every thread that reads opens its own. */
import { setImmediate } from 'node:timers/promises';
import type { Position } from '../../rows/batch.ts';
import { ByteWindow, fitCapacity } from '../text/byte-window.ts';
import { createCancelCheck } from '../cancellation.ts';
import { digestEnds, isUnchanged, readFileSize, writeFileEntry } from '../digest.ts';
import { checkAgreement, type FileShape } from './disagreement.ts';
import { FileHandles } from './file-handles.ts';
import { readJoined } from '../../rows/joined-place.ts';
import { joinPieces, readJoinedFiles, type ShardPiece } from '../joined-shard.ts';
import { countRows } from '../text/row-count.ts';
import { assembleSample, sampleHead, samplePlace, samplePlaces, type SampledFile } from '../sample.ts';
import type { Records, ReadOptions, Sample, Shard, Source, SourceOptions } from '../source.ts';
import { findCuts } from '../text/split.ts';
import { fitStretch, readStretches, type Head, type TextFormat } from '../text/text-format.ts';

/** Of files whose rows name their own fields; no text says its types. */
const noFields: FileShape['fields'] = [];
const noTypes: FileShape['declared'] = [];

export interface FilesInput {
  /** Absolute. */
  readonly paths: readonly string[];
  readonly name: string;
  readonly format: TextFormat;
  readonly options: SourceOptions;
}

/** Bytes that are read to find the first row: a header is rarely longer, and 10,000 files have to be looked at. */
const headBytes = 64 * 1024;

/** Files that are looked at before other events get their turn. */
const filesAtOnce = 64;

/** What of a file is read. */
interface ReadPart {
  readonly file: number;
  readonly from: Position;
  /** The file's end when undefined. */
  readonly end: number | undefined;
}

/** Opens files as a source and looks at every one: each can be read, is not empty, and has the fields of the first. */
export async function openFiles(input: FilesInput): Promise<Source> {
  const files = new TextFiles(input);
  try {
    await files.check();
  } catch (error) {
    files.handles.close();
    throw error;
  }
  return createSource(input, files);
}

/** Opens files that were looked at before, in another thread or process; each is opened when it is first read. */
export function reopenFiles(input: FilesInput): Source {
  return createSource(input, new TextFiles(input));
}

function createSource(input: FilesInput, files: TextFiles): Source {
  const { paths, name, format } = input;
  return {
    name,
    format: format.name,
    get byteCount() {
      return files.sumSizes();
    },
    isSeekable: true,
    descriptor: { files: paths, options: { ...input.options, format: format.name } },
    sample: (signal) => files.sample(createCancelCheck(name, signal)),
    shards: (targetBytes, signal) => files.cut(targetBytes, createCancelCheck(name, signal)),
    joinedShards: (targetBytes, signal) => joinPieces(files.cutPieces(targetBytes, createCancelCheck(name, signal)), targetBytes),
    read: (shard, from, options) => files.read(shard, from, options),
    countRows: (shard, signal) => files.count(shard, createCancelCheck(name, signal)),
    changed: (shards) => files.findChanged(shards),
    close: async () => files.handles.close(),
  };
}

/** The open files of a source in one thread, with what is known of each. */
class TextFiles {
  readonly handles: FileHandles;
  private readonly input: FilesInput;
  private readonly heads = new Map<number, Head>();
  private size: number | undefined;

  constructor(input: FilesInput) {
    this.input = input;
    this.handles = new FileHandles(input.paths);
  }

  /** Opens every file once; sizes and heads are then known, and later growth is not read. */
  async check(): Promise<void> {
    const shapes: FileShape[] = [];
    for (let file = 0; file < this.input.paths.length; file++) {
      const { fields } = await this.readHead(file);
      shapes.push({ name: this.input.paths[file]!, fields: fields ?? noFields, declared: noTypes });
      await setImmediate();
    }
    checkAgreement(shapes);
  }

  sumSizes(): number {
    this.size ??= this.input.paths.reduce((sum, _path, file) => sum + this.handles.identify(file).size, 0);
    return this.size;
  }

  /** What stands before the first row of a file; read once. */
  async readHead(file: number): Promise<Head> {
    const known = this.heads.get(file);
    if (known !== undefined) return known;
    const { size } = this.handles.identify(file);
    const window = this.openWindow(file, { start: 0, end: size }, Math.min(headBytes, fitCapacity(size)));
    const head = await this.input.format.readHead(window, this.input.paths[file]!);
    // The names are kept once, not once a file.
    const first = this.heads.get(0);
    const shared = first !== undefined && hasSameFields(first, head) ? { ...head, fields: first.fields } : head;
    this.heads.set(file, shared);
    return shared;
  }

  async *cut(targetBytes: number, checkCancelled: () => void): AsyncGenerator<Shard, void, undefined> {
    let ordinal = 0;
    for await (const { shard } of this.cutPieces(targetBytes, checkCancelled)) yield { ...shard, ordinal: ordinal++ };
  }

  /** Shards in the order of the files, not numbered. The last one of a file ends where the file ended when it was opened. */
  async *cutPieces(
    targetBytes: number,
    checkCancelled: () => void,
  ): AsyncGenerator<ShardPiece & { readonly shard: Shard }, void, undefined> {
    for (let file = 0; file < this.input.paths.length; file++) {
      const { size } = this.handles.identify(file);
      let start = 0;
      for await (const end of this.findEnds(file, targetBytes)) {
        checkCancelled();
        const digests = digestEnds(this.handles, file, { start, end });
        yield { file, shard: { ordinal: 0, file, start, end, ...digests }, whole: undefined };
        start = end;
      }
      checkCancelled();
      const digests = digestEnds(this.handles, file, { start, end: size });
      const whole = start > 0 ? undefined : { byteCount: size, entry: writeFileEntry(size, digests) };
      yield { file, shard: { ordinal: 0, file, start, end: size, ...digests }, whole };
      if (file % filesAtOnce === 0) await setImmediate();
    }
  }

  /** Rows that start in the shard, from a position on. */
  read(shard: Shard, from: Position, options: ReadOptions): AsyncIterable<Records> {
    const { file } = shard;
    const joined = readJoined(shard);
    if (joined === undefined) return this.readFile({ file, from, end: shard.end }, options);
    const readFile = (index: number, start: Position): AsyncIterable<Records> =>
      this.readFile({ file: file + index, from: start, end: readFileSize(joined[index] ?? '') }, options);
    return readJoinedFiles(shard, { from, readFile, signal: options.signal });
  }

  /** The head of a file belongs to its first shard. */
  private async *readFile(part: ReadPart, options: ReadOptions): AsyncGenerator<Records, void, undefined> {
    const { format, name } = this.input;
    const { file, from } = part;
    const { size } = this.handles.identify(file);
    const end = part.end ?? size;
    const head = await this.readHead(file);
    const isAtHead = from.offset < head.byteCount;
    const start = isAtHead ? { offset: head.byteCount, row: from.row, line: from.line + head.lines } : from;
    const byteCount = end - start.offset;
    const window = this.openWindow(file, { start: start.offset, end }, fitCapacity(byteCount));
    yield* readStretches(window, {
      tokenizer: format.createTokenizer(head, fitStretch(byteCount), options.columns),
      maxRowBytes: format.maxRowBytes,
      from: start,
      headBytes: start.offset - from.offset,
      reread: this.createReread(file),
      isCut: end < size,
      checkCancelled: createCancelCheck(name, options.signal),
    });
  }

  async count(shard: Shard, checkCancelled: () => void): Promise<number> {
    const { format } = this.input;
    const { file, start } = shard;
    const { size } = this.handles.identify(file);
    const head = await this.readHead(file);
    const end = shard.end ?? size;
    const window = this.openWindow(file, { start: Math.max(start, head.byteCount), end });
    return countRows(window, { counter: format.openCounter(head), maxRowBytes: format.maxRowBytes, isCut: end < size, checkCancelled });
  }

  /** Rows of the first file's start, then of places all over the files. */
  async sample(checkCancelled: () => void): Promise<Sample> {
    const stretches: Records[] = [];
    const first = await sampleHead(await this.openSampled(0));
    if (first !== undefined) stretches.push(first);
    const { fields } = await this.readHead(0);
    const meanRowBytes = assembleSample(fields, stretches).meanRowBytes ?? headBytes;
    let seen = { file: 0, end: first?.end.offset ?? 0 };
    for (const { file, offset } of this.choosePlaces(seen.end)) {
      checkCancelled();
      if (this.input.format.openCutter?.(await this.readHead(file)) !== undefined) continue;
      const notBefore = seen.file === file ? seen.end : 0;
      const records = await samplePlace(await this.openSampled(file), { offset, notBefore, meanRowBytes });
      if (records === undefined || records.rowCount === 0) continue;
      stretches.push(records);
      seen = { file, end: records.end.offset };
    }
    return assembleSample(fields, stretches);
  }

  /** The shards whose digests differ now. */
  async findChanged(shards: readonly Shard[]): Promise<readonly Shard[]> {
    const changed: Shard[] = [];
    for (const shard of shards) {
      if (!isUnchanged(this.handles, shard)) changed.push(shard);
      await setImmediate();
    }
    return changed;
  }

  /** Places in equal distances over all bytes, the last one at the end; none in what the head sample has seen. */
  private choosePlaces(seenBytes: number): { file: number; offset: number }[] {
    const places: { file: number; offset: number }[] = [];
    const total = this.sumSizes();
    let file = 0;
    let fileStart = 0;
    for (let place = 1; place <= samplePlaces; place++) {
      const at = Math.floor((total * place) / samplePlaces) - 1;
      if (at <= seenBytes) continue;
      for (let { size } = this.handles.identify(file); at >= fileStart + size; { size } = this.handles.identify(file)) {
        fileStart += size;
        file++;
      }
      places.push({ file, offset: at - fileStart });
    }
    return places;
  }

  private async *findEnds(file: number, targetBytes: number): AsyncGenerator<number, void, undefined> {
    const { format } = this.input;
    const head = await this.readHead(file);
    const { size } = this.handles.identify(file);
    const { maxRowBytes } = format;
    yield* findCuts(
      {
        handles: this.handles,
        file,
        size,
        start: head.byteCount,
        maxRowBytes,
        dialect: format.describeRows(head),
        cutter: format.openCutter?.(head),
      },
      targetBytes,
    );
  }

  private async openSampled(file: number): Promise<SampledFile> {
    const { format } = this.input;
    const { size } = this.handles.identify(file);
    return {
      format,
      head: await this.readHead(file),
      size,
      reread: this.createReread(file),
      openWindow: (start, capacityBytes) => this.openWindow(file, { start, end: size }, capacityBytes),
    };
  }

  private createReread(file: number): (offset: number, byteCount: number) => string {
    return (offset, byteCount) => this.handles.readText(file, offset, byteCount);
  }

  private openWindow(file: number, range: { readonly start: number; readonly end: number }, capacityBytes?: number): ByteWindow {
    const { maxRowBytes } = this.input.format;
    const capacity = capacityBytes === undefined ? {} : { capacityBytes };
    return new ByteWindow(this.handles.createInput(file, range.start, range.end), { offset: range.start, maxRowBytes, ...capacity });
  }
}

/** Whether two files name the same fields in the same order. */
function hasSameFields(first: Head, other: Head): boolean {
  if (first.fields === undefined || other.fields === undefined) return first.fields === other.fields;
  return first.fields.length === other.fields.length && first.fields.every((name, field) => name === other.fields?.[field]);
}
