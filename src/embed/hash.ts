/**
 * The embedder that only counts: signed feature hashing of words and characters, unit length. The same text gets the same bits on every platform
 * and Node version: integers up to the norm, then one correctly rounded square root and one division each.
 */
import { SluiceError } from '../errors.ts';
import type { Embedder, EmbedSpec } from './embedder.ts';
import { FeatureCounter } from './features.ts';

/** Raised whenever a text would get another vector than before; the golden vectors in the tests watch over it. */
const REVISION = '1';
const DEFAULT_DIMENSIONS = 384;
/** About 10 ms of work: a request after which the event loop gets a turn. */
const REQUEST_INPUTS = 4_096;
/** Sums stay within 32 bits for texts up to this: 65,536 counters bound what words can add. */
const MAX_INPUT_BYTES = 64 * 1024 * 1024;

/** Writes the sums, scaled to unit length, into `vectors` at `start`. Squares are added in the order of the dimensions. */
export function writeUnitVector(sums: Int32Array, vectors: Float32Array, start: number): void {
  let squares = 0;
  for (let i = 0; i < sums.length; i++) squares += sums[i]! * sums[i]!;
  const norm = Math.sqrt(squares);
  for (let i = 0; i < sums.length; i++) vectors[start + i] = sums[i]! / norm;
}

/** The dimension asked for, or the default. @throws SLUICE_USAGE outside 16 to 4,096. */
export function checkDimensions(dimensions: number = DEFAULT_DIMENSIONS): number {
  if (Number.isInteger(dimensions) && dimensions >= 16 && dimensions <= 4096) return dimensions;
  throw new SluiceError('SLUICE_USAGE', 'The dimension of the embedder is not a whole number from 16 to 4,096.', {
    hint: 'Leave it out for 384.',
  });
}

/**
 * Makes the hash embedder. `[texts, dimensions]`, 16 to 4,096 dimensions, 384 by default; keeps about 7 MB. Letters' case and Unicode form do not matter; a
 * text without words gets a vector by its symbols, and even a blank one a unit vector.
 *
 * @throws SLUICE_USAGE for other dimensions.
 */
export function createHashEmbedder(spec: Pick<EmbedSpec, 'dimensions'>): Embedder {
  const dimensions = checkDimensions(spec.dimensions);
  const counter = new FeatureCounter(dimensions);
  return {
    identity: { provider: 'sluice', model: 'hash', revision: REVISION, dimensions, isNormalised: true },
    limits: { maxInputs: REQUEST_INPUTS, maxTokens: Infinity, maxBytes: Infinity, maxInputBytes: MAX_INPUT_BYTES },
    placement: 'lane',
    async embed(texts) {
      const vectors = new Float32Array(texts.length * dimensions);
      texts.forEach((text, index) => {
        counter.count(text);
        writeUnitVector(counter.sums, vectors, index * dimensions);
      });
      return vectors;
    },
  };
}
