/** A buffer that is LZ4, decompressed block by block: of its compressed bytes one block is in memory, of the others what a match may reach. */
import type { PieceDecoder } from './forward-bytes.ts';
import { cutShort, startLz4, stepLz4 } from './lz4-frame.ts';
import { PackedInput, type PackedRange } from './packed-input.ts';

export function openLz4(range: PackedRange): PieceDecoder {
  const input = new PackedInput(range);
  const frames = startLz4();
  return {
    get room() {
      return frames.maxBlockBytes;
    },
    async fill(memory, at) {
      for (;;) {
        if (frames.isBetween && !(await input.ensure(1))) return undefined;
        if (!(await input.ensure(frames.needed))) throw cutShort();
        const written = stepLz4(frames, input.bytes, { output: memory, to: at });
        input.take(frames.used);
        if (frames.used > 0) return written;
      }
    },
    close: () => undefined,
  };
}
