/** Parquet: columns of row groups, read page by page into columns of sluice, with memory bounded by pages and never by row groups. */
import { headSample } from '../sample.ts';
import type { ByteFile } from '../files/byte-file.ts';
import type { FileFormat, OpenedFile } from '../file-format.ts';
import type { ColumnRecords, Sample } from '../source.ts';
import { GroupColumns } from './chunks.ts';
import { findDimensions } from './dimensions.ts';
import { invalidFile, placeFault } from './fault.ts';
import { describeField, findFloatList, type Field } from './fields.ts';
import { readFooter, type Footer } from './footer.ts';
import { cutParts, digestPart } from './parts.ts';
import { readRows, type OpenedParquet } from './reading.ts';

/** Row groups that rows are sampled from: the first, and others in equal distances. */
const sampledGroups = 4;
/** Rows of each group after the first. */
const groupRows = 128;

/** Reads `.parquet` files; what others call partitions are several files of one load. */
export const format: FileFormat = { name: 'parquet', open: openParquet };

async function openParquet(file: ByteFile): Promise<OpenedFile> {
  const footer = await readFooter(file);
  const columns = new GroupColumns(file);
  const fields: Field[] = [];
  for (const node of footer.fields) {
    const list = findFloatList(node);
    const lengths = list === undefined ? undefined : await findDimensions(columns, list, { footer, file: file.name });
    try {
      fields.push(describeField(node, footer, lengths));
    } catch (error) {
      throw placeFault(error, { file: file.name, column: node.name });
    }
  }
  checkNames(fields, file.name);
  const opened: OpenedParquet = { file, footer, fields, columns };
  return {
    fields: fields.map(({ name }) => name),
    declared: fields.filter(({ isCertain }) => isCertain).map(({ declared }) => declared),
    rowCount: footer.rowCount,
    sample: (signal) => readSample(opened, signal),
    parts: (targetBytes) => cutParts(file, footer, targetBytes),
    read: (part, from, options) => readRows(opened, { start: part.start, end: part.end ?? footer.rowCount, from }, options),
    digestPart: ({ start }) => digestPart(file, footer, start),
    close: async () => undefined,
  };
}

/** Of two columns with one name only the first could be asked for. */
function checkNames(fields: readonly Field[], file: string): void {
  const names = fields.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw invalidFile({ file }, `it has two columns with the name ${twice}`);
  if (names.length === 0) throw invalidFile({ file }, 'it has no columns');
}

async function readSample(opened: OpenedParquet, signal: AbortSignal | undefined): Promise<Sample> {
  const { fields, file, footer } = opened;
  const stretches: ColumnRecords[] = [];
  for (const [start, end] of chooseRanges(footer)) {
    let bytes = 0;
    for await (const records of readRows(opened, { start, end, from: { offset: start, row: 0, line: 0 } }, { columns: [], signal })) {
      stretches.push(records);
      bytes += records.byteCount;
      if (bytes > headSample.maxBytes) break;
    }
  }
  return {
    fields: fields.map(({ name }) => name),
    stretches,
    meanRowBytes: footer.rowCount === 0 ? undefined : Math.max(1, file.byteCount / footer.rowCount),
    declared: fields.filter(({ isStated }) => isStated).map(({ declared }) => declared),
    estimatedRows: footer.rowCount,
  };
}

function chooseRanges({ groups }: Footer): readonly (readonly [number, number])[] {
  const filled = groups.filter(({ end, start }) => end > start);
  const step = Math.max(1, Math.floor((filled.length - 1) / (sampledGroups - 1)));
  return filled
    .filter((_, index) => index % step === 0)
    .slice(0, sampledGroups)
    .map(({ end, start }, index) => [start, Math.min(end, start + (index === 0 ? headSample.maxRows : groupRows))] as const);
}
