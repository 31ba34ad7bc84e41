/** The features of a word, computed once and remembered: always the same for the same word, whatever was remembered before. */

/** Longer words are taken in pieces, so that one endless word stays bounded. */
export const MAX_WORD_UNITS = 64;
/** A feature goes to this many places: two that meet in one place still differ in three. Of WordNet definitions that hold either of two words, the ten best rose from 84 % to 96 %. */
const PLACES = 4;
/** Words up to this length are remembered; longer ones are rare. */
const MAX_REMEMBERED = 24;
/** 32,768 words take 6 MB per embedder; a word met later takes the slot of an earlier one. */
const SLOTS = 1 << 15;
const SLOT_FEATURES = PLACES + MAX_REMEMBERED;
/** Weight of a whole word of 0, 1, 2 … letters, shared by its places; short words say little. */
const lengthWeights: readonly number[] = [0, 64, 90, 154, 230, 256];
const FREQUENT_WEIGHT = 64;
/** The commonest words of three letters and more in English texts; shorter ones are light anyway. */
const frequentWords: ReadonlySet<string> = new Set(
  `the and for that with from are used being having not but was his her its their they them who which one other any has have had into than this
  these those when where while very all some such can may more most your you she him also been only over about between`.split(/\s+/),
);

const FNV_PRIME = 0x01000193;
/** 2³² / golden ratio: sets the places of one feature apart. */
const STEP = 0x9e3779b9 | 0;
/** Stand before and after a word in its trigrams. */
const WORD_START = 1;
const WORD_END = 2;

/** Spreads every bit of the state over all 32: the finishing steps of MurmurHash3. */
export function mixBits(state: number): number {
  let hash = state ^ (state >>> 16);
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** One feature in an integer: dimension in the low 12 bits, signed weight above. The sign and the dimension come from different bits of the hash. */
function packFeature(hash: number, weight: number, dimensions: number): number {
  const dimension = Math.imul(hash >>> 16, dimensions) >>> 16;
  return dimension | ((hash & 1 ? weight : -weight) << 12);
}

/** Writes a feature with the given weight per place into `into` from `start` on, and returns where the next goes. */
export function writePlaces(into: Int32Array, start: number, feature: { hash: number; weight: number; dimensions: number }): number {
  const { hash, weight, dimensions } = feature;
  for (let place = 0; place < PLACES; place++)
    into[start + place] = packFeature(mixBits(hash + Math.imul(place + 1, STEP)), weight, dimensions);
  return start + PLACES;
}

function weighWord(units: Uint16Array, length: number): number {
  const byLength = lengthWeights[Math.min(length, lengthWeights.length - 1)] ?? 0;
  if (length < 3 || length > 7) return byLength;
  return frequentWords.has(String.fromCharCode(...units.subarray(0, length))) ? FREQUENT_WEIGHT : byLength;
}

/** The features of words as packed integers, with a bounded memory. Not shared between threads. */
export class WordFeatures {
  readonly #dimensions: number;
  /** Last slot: the word that is not remembered. */
  readonly features: Int32Array = new Int32Array(SLOTS * SLOT_FEATURES + PLACES + MAX_WORD_UNITS);
  readonly #lengths: Uint8Array = new Uint8Array(SLOTS);
  readonly #units: Uint16Array = new Uint16Array(SLOTS * MAX_REMEMBERED);

  constructor(dimensions: number) {
    this.#dimensions = dimensions;
  }

  /** Where in `features` the word's begin; there are `PLACES + length` of them. `hash` must be a function of the word. */
  find(units: Uint16Array, length: number, hash: number): number {
    if (length > MAX_REMEMBERED) return this.#write(units, length, { hash, start: SLOTS * SLOT_FEATURES });
    const slot = hash & (SLOTS - 1);
    const start = slot * SLOT_FEATURES;
    // The letters themselves are compared: a hash alone could hand one word the features of another.
    if (this.#lengths[slot] === length && this.#isSame(units, length, slot * MAX_REMEMBERED)) return start;
    this.#lengths[slot] = length;
    this.#units.set(units.subarray(0, length), slot * MAX_REMEMBERED);
    return this.#write(units, length, { hash, start });
  }

  #isSame(units: Uint16Array, length: number, at: number): boolean {
    const known = this.#units;
    for (let i = 0; i < length; i++) if (units[i] !== known[at + i]) return false;
    return true;
  }

  /** The word in its places, then its trigrams in one each. All trigrams together weigh as much as the word, so each of them weighs less. */
  #write(units: Uint16Array, length: number, { hash, start }: { hash: number; start: number }): number {
    const weight = weighWord(units, length);
    let next = writePlaces(this.features, start, { hash, weight: weight >> 1, dimensions: this.#dimensions });
    const trigramWeight = Math.round(weight / Math.sqrt(length));
    for (let i = 0; i < length; i++) {
      const before = i === 0 ? WORD_START : units[i - 1]!;
      const after = i === length - 1 ? WORD_END : units[i + 1]!;
      const trigram = Math.imul(Math.imul(Math.imul(before, FNV_PRIME) ^ units[i]!, FNV_PRIME) ^ after, STEP);
      this.features[next++] = packFeature(mixBits(trigram), trigramWeight, this.#dimensions);
    }
    return start;
  }
}

/** How many features {@link WordFeatures.find} points at. */
export function countFeatures(length: number): number {
  return PLACES + length;
}
