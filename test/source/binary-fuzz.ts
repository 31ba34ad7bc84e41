/** Mutates files and reads them: what comes out is rows, or an error of sluice that says what to do; never anything else, and never more memory than the file could fill. */
import assert from 'node:assert/strict';
import { isSluiceError } from '../../src/errors.ts';
import type { ByteFile } from '../../src/source/files/byte-file.ts';
import type { FileFormat } from '../../src/source/file-format.ts';
import type { Column } from '../../src/rows/schema.ts';

/** A file in memory that refuses to be read beyond its ends, as the contract of readers has it. */
export function memoryFile(bytes: Buffer, name: string): ByteFile {
  return {
    name,
    byteCount: bytes.length,
    read(start, end) {
      assert.ok(
        start >= 0 && start <= end && end <= bytes.length,
        `bytes ${String(start)} to ${String(end)} were asked for of ${String(bytes.length)}`,
      );
      return Buffer.from(bytes.subarray(start, end));
    },
    readInto(target, start) {
      assert.ok(start >= 0 && start + target.length <= bytes.length, `${String(target.length)} bytes at ${String(start)} were asked for`);
      return bytes.copy(target, 0, start);
    },
    close: () => undefined,
  };
}

/** Numbers that are the same for a seed (Numerical Recipes' generator). */
export function createRandom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const lies = [-1, 0x7f_ff_ff_ff, 1 << 28, 0, 1];

function mutate(bytes: Buffer, random: (below: number) => number): Buffer {
  const mutated = Buffer.from(bytes);
  for (let change = random(4); change >= 0; change--) {
    const at = random(mutated.length);
    const kind = random(4);
    if (kind === 0) mutated[at] = random(256);
    else if (kind === 1) mutated[at] = (mutated[at] ?? 0) ^ (1 << random(8));
    else if (kind === 2) mutated.writeInt32LE(lies[random(lies.length)] ?? 0, Math.min(at, mutated.length - 4));
    else mutated.copyWithin(at, random(mutated.length), random(mutated.length));
  }
  return random(6) === 0 ? mutated.subarray(0, random(mutated.length)) : mutated;
}

/** All rows of a file, with the columns that its sample declares. */
export async function readFileRows(format: FileFormat, file: ByteFile, targetBytes: number): Promise<number> {
  const opened = await format.open(file, {});
  const { declared = [] } = await opened.sample();
  const columns: Column[] = declared.map(({ name, ...rest }) => ({ name, field: name, ...rest }));
  let rows = 0;
  for await (const part of opened.parts(targetBytes)) {
    for await (const records of opened.read(part, { offset: part.start, row: 0, line: 0 }, { columns })) {
      rows += records.rowCount;
      if (records.rowCount > 0) records.places.raw(0);
    }
  }
  await opened.close();
  return rows;
}

/** Reads `count` mutations of a file. Answers how many could still be read. */
export async function fuzzFormat(
  format: FileFormat,
  bytes: Buffer,
  { count, name, seed }: { count: number; name: string; seed: number },
): Promise<number> {
  const random = createRandom(seed);
  let read = 0;
  for (let run = 0; run < count; run++) {
    const mutated = mutate(bytes, random);
    try {
      await readFileRows(format, memoryFile(mutated, name), 2_000);
      read++;
    } catch (error) {
      const isClear = isSluiceError(error) && error.code !== 'SLUICE_INTERNAL' && error.hint !== undefined;
      assert.ok(isClear, `seed ${String(seed)}, run ${String(run)}: ${String(error instanceof Error ? error.stack : error)}`);
    }
  }
  return read;
}
