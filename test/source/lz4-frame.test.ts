/** Promises of the LZ4 decoder: what a frame holds, and nothing for one that is damaged or says other lengths than it has. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { decompressLz4 } from '../../src/source/arrow/lz4-frame.ts';
import { compressLz4 } from './lz4-writer.ts';

test('LZ4 frames: literals, matches that overlap, blocks that stand as they are, and lengths that lie', () => {
  const frame = (block: readonly number[], isPlain = false): Buffer => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE((block.length | (isPlain ? 0x80_00_00_00 : 0)) >>> 0);
    return Buffer.concat([Buffer.of(0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82), length, Buffer.from(block), Buffer.alloc(4)]);
  };
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
  assert.equal(text(decompressLz4(frame([97, 98, 99], true), 3)), 'abc');
  // Two literals, then eight bytes from two back, then one literal.
  assert.equal(text(decompressLz4(frame([0x24, 97, 98, 2, 0, 0x10, 99]), 11)), 'ababababab' + 'c');
  assert.throws(() => decompressLz4(frame([0x24, 97, 98, 9, 0, 0x10, 99]), 11), RangeError);
  assert.throws(() => decompressLz4(frame([97, 98, 99], true), 2), RangeError);
  assert.throws(() => decompressLz4(frame([97, 98, 99], true), 4), RangeError);
  assert.throws(() => decompressLz4(zstdCompressSync(Buffer.from('abc')), 3), RangeError);
});

test('LZ4: a block that is larger than its frame says, and a frame that does not say it, are errors', () => {
  const bytes = Buffer.alloc(100_000, 'text');
  const frame = compressLz4(bytes, { sizeCode: 5, hasExtras: false });
  assert.ok(bytes.equals(decompressLz4(frame, bytes.length)));
  for (const sizeCode of [4, 3, 0]) {
    frame[5] = sizeCode << 4;
    assert.throws(() => decompressLz4(frame, bytes.length), RangeError);
  }
  // One that would have to be read into memory before it can be seen that it holds nothing.
  const long = Buffer.concat([frame.subarray(0, 5), Buffer.of(0x40, 0, 0xff, 0xff, 0x40, 0x00), Buffer.alloc(4_300_000)]);
  assert.throws(() => decompressLz4(long, 100), /larger than its frame allows/u);
});

test('an LZ4 frame that is cut anywhere is an error', () => {
  const bytes = Buffer.from('some text, some more text, and some text again, so that there are matches in it');
  for (const hasExtras of [false, true]) {
    const frame = compressLz4(bytes, { sizeCode: 4, hasExtras });
    assert.ok(bytes.equals(decompressLz4(frame, bytes.length)));
    for (let length = 0; length < frame.length; length++)
      assert.throws(() => decompressLz4(frame.subarray(0, length), bytes.length), RangeError);
  }
});
