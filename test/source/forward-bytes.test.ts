/** Promises of a compressed buffer that is read forward: any ranges in any order are the buffer's, what was handed on does not change, and a length that lies takes no memory. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ForwardBytes, type PieceDecoder } from '../../src/source/arrow/forward-bytes.ts';

const buffer = Buffer.from(Uint8Array.from({ length: 3_000_000 }, (_, at) => (at * 2_654_435_761) >>> 13));

/** Pieces of some sizes, over and over; each needs what stands 64 KiB before it. */
function openPieces(sizes: readonly number[], written: number[]): () => PieceDecoder {
  return () => {
    let place = 0;
    let ordinal = 0;
    return {
      get room() {
        return sizes[ordinal % sizes.length] ?? 1;
      },
      fill(memory, at) {
        if (place === buffer.length) return undefined;
        const back = Math.min(place, 64 * 1024);
        assert.ok(memory.subarray(at - back, at).equals(buffer.subarray(place - back, place)), 'what a match may reach is there');
        const length = Math.min(sizes[ordinal++ % sizes.length] ?? 1, buffer.length - place);
        if (at + length > memory.length) throw new RangeError('there is no room');
        buffer.copy(memory, at, place, place + length);
        place += length;
        written.push(length);
        return length;
      },
      close: () => undefined,
    };
  };
}

const pieceSizes = fc.array(fc.constantFrom(0, 1, 500, 64 * 1024, 300_001, 1024 * 1024), { minLength: 1, maxLength: 4 });
const ranges = fc.array(fc.tuple(fc.nat(buffer.length), fc.nat(700_000)), { minLength: 1, maxLength: 8 });

test('any ranges, forward or back, are those of the buffer, and stay so', async () => {
  await fc.assert(
    fc.asyncProperty(pieceSizes, ranges, fc.boolean(), async (sizes, wanted, isForward) => {
      const open = openPieces([...sizes, 100_000], []);
      const bytes = new ForwardBytes({ open, byteCount: buffer.length, packedBytes: 1_000_000, checkCancelled: undefined });
      const ordered = isForward ? wanted.toSorted(([a], [b]) => a - b) : wanted;
      const found = [];
      for (const [start, length] of ordered) {
        const end = Math.min(buffer.length, start + length);
        found.push({ start, end, slice: await bytes.slice(start, end) });
      }
      for (const { end, slice, start } of found) assert.ok(buffer.subarray(start, end).equals(slice));
    }),
    { numRuns: 60 },
  );
});

test('ranges that go forward are decompressed once, also where each begins a little before the end of the last', async () => {
  const written: number[] = [];
  const open = openPieces([64 * 1024], written);
  const bytes = new ForwardBytes({ open, byteCount: buffer.length, packedBytes: 1_000_000, checkCancelled: undefined });
  for (let start = 0; start < buffer.length; start += 500_000) {
    const end = Math.min(buffer.length, start + 500_004);
    assert.ok(buffer.subarray(start, end).equals(await bytes.slice(start, end)));
  }
  assert.equal(
    written.reduce((sum, length) => sum + length, 0),
    buffer.length,
  );
});

test('a length that lies takes no more memory than its bytes give reason for', async () => {
  let most = 0;
  let pieces = 0;
  const open = (): PieceDecoder => ({
    room: 1000,
    fill(memory) {
      most = Math.max(most, memory.length);
      return ++pieces > 2000 ? undefined : 1000;
    },
    close: () => undefined,
  });
  const bytes = new ForwardBytes({ open, byteCount: 2 ** 40, packedBytes: 5000, checkCancelled: undefined });
  await assert.rejects(bytes.slice(0, 2 ** 32), RangeError);
  assert.ok(most < 5_000_000, `${String(most)} bytes for 2,000,000`);
  await assert.rejects(bytes.slice(0, 2 ** 40 + 1), RangeError);
});

test('passing over much of a buffer is ended by whoever does not wait any more', async () => {
  let checks = 0;
  const checkCancelled = (): void => {
    if (++checks === 2) throw new Error('enough');
  };
  const bytes = new ForwardBytes({ open: openPieces([64 * 1024], []), byteCount: buffer.length, packedBytes: 1_000_000, checkCancelled });
  await assert.rejects(bytes.slice(2_900_000, 2_900_010), /enough/u);
});
