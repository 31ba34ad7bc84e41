/** The embedder for tests: a vector of noise, fixed by the text and a seed, the same in every process. */
import { SluiceError } from '../errors.ts';
import type { Embedder, EmbedSpec } from './embedder.ts';
import { checkDimensions, writeUnitVector } from './hash.ts';
import { mixBits } from './words.ts';

const FNV_PRIME = 0x01000193;
const STEP = 0x9e3779b9 | 0;

/** Two independent 32-bit states from text and seed, so that texts do not share their noise. */
function seedStates(text: string, seed: number): [number, number] {
  let first = mixBits(seed | 0);
  let second = mixBits(first ^ Math.floor(seed / 0x100000000) ^ STEP);
  for (let i = 0; i < text.length; i++) {
    first = Math.imul(first ^ text.charCodeAt(i), FNV_PRIME);
    second = mixBits(second + Math.imul(text.charCodeAt(i) + 1, STEP));
  }
  return [mixBits(first ^ text.length), second];
}

function writeNoise(noise: Int32Array, text: string, seed: number): void {
  let [first, second] = seedStates(text, seed);
  for (let i = 0; i < noise.length; i++) {
    first = (first + STEP) | 0;
    second = mixBits(second ^ first);
    // 16 bits each: the squares of 4,096 of them add up exactly. Odd, so never all zero.
    noise[i] = (second >> 16) | 1;
  }
}

/**
 * Makes the mock embedder: unit vectors `[texts, dimensions]`, 16 to 4,096 dimensions, 384 by default; seed a whole number, 0 by default.
 *
 * @throws SLUICE_USAGE for other dimensions or seeds.
 */
export function createMockEmbedder(spec: Pick<EmbedSpec, 'dimensions' | 'seed'>): Embedder {
  const dimensions = checkDimensions(spec.dimensions);
  const seed = spec.seed ?? 0;
  if (!Number.isSafeInteger(seed))
    throw new SluiceError('SLUICE_USAGE', 'The seed of the mock embedder is not a whole number.', { hint: 'Leave it out for 0.' });
  const noise = new Int32Array(dimensions);
  return {
    identity: { provider: 'sluice', model: 'mock', revision: `1-seed${seed}`, dimensions, isNormalised: true },
    limits: { maxInputs: 4_096, maxTokens: Infinity, maxBytes: Infinity, maxInputBytes: 64 * 1024 * 1024 },
    placement: 'lane',
    async embed(texts) {
      const vectors = new Float32Array(texts.length * dimensions);
      texts.forEach((text, index) => {
        writeNoise(noise, text, seed);
        writeUnitVector(noise, vectors, index * dimensions);
      });
      return vectors;
    },
  };
}
