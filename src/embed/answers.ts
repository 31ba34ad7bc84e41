/** What an embedder returns is checked before anyone uses it: count, dimension, finite numbers, unit length where it is promised. */
import { SluiceError } from '../errors.ts';
import type { EmbedderIdentity } from './embedder.ts';

/** How far a squared norm may be from 1: servers that compute in 16-bit floats miss it by up to 0.002. */
const NORM_TOLERANCE = 0.02;

/** Whether the vector at `row` of `[rows, dimensions]` can be what the embedder promises. Also finds most damage to stored bytes. */
export function isSoundVector(vectors: Float32Array, row: number, { dimensions, isNormalised }: EmbedderIdentity): boolean {
  let squares = 0;
  const end = (row + 1) * dimensions;
  // NaN and Infinity survive the sum, so one comparison at the end finds them.
  for (let i = row * dimensions; i < end; i++) squares += vectors[i]! * vectors[i]!;
  return isNormalised ? Math.abs(squares - 1) <= NORM_TOLERANCE : Number.isFinite(squares);
}

/** @throws SLUICE_EMBEDDER_ANSWER unless `answer` holds one sound vector for each of `count` texts. */
export function checkAnswer(answer: unknown, count: number, identity: EmbedderIdentity): asserts answer is Float32Array {
  const { provider, model, dimensions, isNormalised } = identity;
  const refuse = (what: string): SluiceError =>
    new SluiceError('SLUICE_EMBEDDER_ANSWER', `The embedder ${provider}/${model} returned ${what}.`, {
      hint: 'Nothing of this answer was used. Check the model and its dimension, then resume.',
    });
  if (!(answer instanceof Float32Array)) throw refuse('something else than a Float32Array');
  if (answer.length !== count * dimensions) throw refuse(`${answer.length} numbers for ${count} texts of ${dimensions} dimensions`);
  for (let row = 0; row < count; row++) {
    if (isSoundVector(answer, row, identity)) continue;
    const isFinite = answer.subarray(row * dimensions, (row + 1) * dimensions).every(Number.isFinite);
    throw refuse(isNormalised && isFinite ? 'a vector that is not of unit length' : 'a vector with numbers that are not finite');
  }
}
