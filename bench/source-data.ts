/** The inputs of the other sources, with the rows of the JSONL files: Parquet by pyarrow, npy, gzip, Arrow, JSON array. Made once, whole or not at all. */
import { createReadStream, createWriteStream, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { pipeline } from 'node:stream/promises';
import { createGzip, createZstdCompress } from 'node:zlib';
import { dataFolder, makeVectorRows, provideData } from './data.ts';
import { provideFloats, provideTexts, textInput } from './postgres-data.ts';
import { runPython } from './rivals/python.ts';

const dimensions = 384;

async function provideBy(name: string, make: (file: string) => Promise<void> | void): Promise<string> {
  const file = path.join(dataFolder, name);
  if (existsSync(file)) return file;
  const unfinished = `${file}.${process.pid}.new`;
  await make(unfinished);
  renameSync(unfinished, file);
  return file;
}

/** id, text, and a list of 384 floats; row groups of 10,000. */
export async function provideParquet(rows: number, codec: 'snappy' | 'zstd'): Promise<string> {
  return provideBy(`vectors-${rows}.${codec}.parquet`, (file) => {
    runPython('write-parquet.py', [file, codec, String(rows), provideFloats(textInput(rows)), provideTexts(textInput(rows))]);
  });
}

/** The same as an Arrow file with LZ4, in batches of 65,536 rows. */
export async function provideArrow(rows: number): Promise<string> {
  return provideBy(`vectors-${rows}.lz4.arrow`, (file) => {
    runPython('write-arrow.py', [file, 'lz4', String(rows), provideFloats(textInput(rows)), provideTexts(textInput(rows))]);
  });
}

/** The vectors alone, as numpy saves them. */
export async function provideNpy(rows: number): Promise<string> {
  return provideBy(`vectors-${rows}.npy`, (file) => {
    const dictionary = `{'descr': '<f4', 'fortran_order': False, 'shape': (${rows}, ${dimensions}), }`;
    // Magic, version, length and dictionary together are a multiple of 64 bytes.
    const header = Buffer.from(`${dictionary.padEnd(128 - 10 - 1)}\n`);
    const start = Buffer.concat([
      Buffer.from('\x93NUMPY\x01\x00', 'latin1'),
      Buffer.from([header.length & 255, header.length >> 8]),
      header,
    ]);
    writeFileSync(file, start);
    writeFileSync(file, readFileSync(provideFloats(textInput(rows))), { flag: 'a' });
  });
}

/** The rows without their vectors, one JSON object a line. */
export async function provideTextLines(rows: number): Promise<string> {
  return provideBy(`texts-${rows}.jsonl`, (file) => {
    let pending = '';
    for (const { id, text } of makeVectorRows(rows)) pending += `${JSON.stringify({ id, text })}\n`;
    writeFileSync(file, pending);
  });
}

/** The small rows of {@link provideData}, compressed. */
export async function provideCompressed(rows: number, way: 'gz' | 'zst'): Promise<string> {
  const plain = provideData('jsonl', rows);
  return provideBy(`${path.basename(plain)}.${way}`, (file) =>
    pipeline(createReadStream(plain), way === 'gz' ? createGzip() : createZstdCompress(), createWriteStream(file)),
  );
}
