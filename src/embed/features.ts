/** Counts the signed features of one text: words, their trigrams, characters of scripts without blanks. Integers only, so the sums are the same everywhere. */
import { asciiFold, classOf, foldText, IGNORED, LETTER, SYMBOL, UNSPACED } from './characters.ts';
import { countFeatures, MAX_WORD_UNITS, mixBits, WordFeatures, writePlaces } from './words.ts';

/** Per place: a character of a script without blanks alone, with its neighbour (what a word is elsewhere), with two. */
const CHARACTER_WEIGHT = 40;
const PAIR_WEIGHT = 128;
const TRIPLE_WEIGHT = 64;
const SYMBOL_WEIGHT = 96;
/** Set the kinds of features apart: the same character is another feature as a symbol and as a letter. */
const CHARACTER_SEED = 0x31000000;
const PAIR_SEED = 0x32000000;
const TRIPLE_SEED = 0x33000000;
const SYMBOL_SEED = 0x34000000;

const FNV_OFFSET = 0x811c9dc5 | 0;
const FNV_PRIME = 0x01000193;

/** Counters of what a text repeats, by the low bits of a feature's hash. */
const SEEN_SLOTS = 1 << 16;

/** The sums of one text's features, over and over for one text after another. Not shared between threads. */
export class FeatureCounter {
  /** One sum per dimension; of the last text counted, and never all zero after it. */
  readonly sums: Int32Array;
  readonly #dimensions: number;
  readonly #words: WordFeatures;
  readonly #letters: Uint16Array = new Uint16Array(MAX_WORD_UNITS);
  #length = 0;
  #hash = FNV_OFFSET;
  readonly #places: Int32Array = new Int32Array(8);
  /** In which text a counter was last used, and how often there: the k-th time counts 1/k, so that repetition does not drown the rest. */
  readonly #seenIn: Uint32Array = new Uint32Array(SEEN_SLOTS);
  readonly #seenTimes: Uint32Array = new Uint32Array(SEEN_SLOTS);
  #textNumber = 0;
  #featureCount = 0;

  constructor(dimensions: number) {
    this.sums = new Int32Array(dimensions);
    this.#dimensions = dimensions;
    this.#words = new WordFeatures(dimensions);
  }

  /** Clears the sums and counts the text. */
  count(text: string): void {
    this.#restart();
    if (!this.#countAscii(text)) {
      this.#restart();
      this.#countAny(foldText(text));
    }
    if (this.#featureCount === 0) this.#countPunctuation(text);
    // A blank text, and one whose features cancel out, still gets a direction.
    if (this.sums.every((sum) => sum === 0)) this.sums[mixBits(text.length) & 15] = 1;
  }

  #restart(): void {
    this.sums.fill(0);
    this.#featureCount = 0;
    this.#length = 0;
    this.#hash = FNV_OFFSET;
    // The counters of 2³² texts ago must not be taken for this text's.
    if (this.#textNumber === 0xffffffff) {
      this.#seenIn.fill(0);
      this.#textNumber = 0;
    }
    this.#textNumber++;
  }

  /** The way of most texts. False at the first character that is not ASCII: begin again. */
  #countAscii(text: string): boolean {
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 127) return false;
      const folded = asciiFold[unit]!;
      if (folded !== 0) this.#addLetter(folded);
      else if (this.#length > 0) this.#endWord();
    }
    if (this.#length > 0) this.#endWord();
    return true;
  }

  #countAny(text: string): void {
    let before = 0;
    let twoBefore = 0;
    for (let i = 0; i < text.length; i++) {
      const character = text.codePointAt(i)!;
      if (character > 0xffff) i++;
      const kind = classOf(character);
      if (kind === IGNORED) continue;
      if (kind === LETTER) this.#addCharacter(character);
      else if (this.#length > 0) this.#endWord();
      if (kind === SYMBOL) this.#addFeature(character ^ SYMBOL_SEED, SYMBOL_WEIGHT);
      if (kind === UNSPACED) this.#addUnspaced(character, before, twoBefore);
      twoBefore = kind === UNSPACED ? before : 0;
      before = kind === UNSPACED ? character : 0;
    }
    if (this.#length > 0) this.#endWord();
  }

  #countPunctuation(text: string): void {
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 32) this.#addFeature(unit ^ SYMBOL_SEED, SYMBOL_WEIGHT);
    }
  }

  #addCharacter(character: number): void {
    if (character > 0xffff) this.#addLetter(0xd800 + ((character - 0x10000) >> 10));
    this.#addLetter(character > 0xffff ? 0xdc00 + (character & 0x3ff) : character);
  }

  #addLetter(unit: number): void {
    this.#letters[this.#length++] = unit;
    this.#hash = Math.imul(this.#hash ^ unit, FNV_PRIME);
    if (this.#length === MAX_WORD_UNITS) this.#endWord();
  }

  #endWord(): void {
    const length = this.#length;
    const hash = mixBits(this.#hash);
    const times = this.#see(hash);
    const start = this.#words.find(this.#letters, length, hash);
    this.#sum(this.#words.features, { start, end: start + countFeatures(length), times });
    this.#length = 0;
    this.#hash = FNV_OFFSET;
  }

  #addUnspaced(character: number, before: number, twoBefore: number): void {
    this.#addFeature(character ^ CHARACTER_SEED, CHARACTER_WEIGHT);
    if (before === 0) return;
    const pair = Math.imul(before, FNV_PRIME) ^ character;
    this.#addFeature(pair ^ PAIR_SEED, PAIR_WEIGHT);
    if (twoBefore !== 0) this.#addFeature(Math.imul(Math.imul(twoBefore, FNV_PRIME) ^ pair, FNV_PRIME) ^ TRIPLE_SEED, TRIPLE_WEIGHT);
  }

  #addFeature(value: number, weight: number): void {
    const hash = mixBits(value);
    const times = this.#see(hash);
    const end = writePlaces(this.#places, 0, { hash, weight, dimensions: this.#dimensions });
    this.#sum(this.#places, { start: 0, end, times });
  }

  /** How often this text has had the feature, this time included. Features that share a counter damp each other, which a long text does not notice. */
  #see(hash: number): number {
    const slot = hash & (SEEN_SLOTS - 1);
    const times = this.#seenIn[slot] === this.#textNumber ? this.#seenTimes[slot]! + 1 : 1;
    this.#seenIn[slot] = this.#textNumber;
    this.#seenTimes[slot] = times;
    this.#featureCount++;
    return times;
  }

  #sum(features: Int32Array, { start, end, times }: { start: number; end: number; times: number }): void {
    const { sums } = this;
    for (let i = start; i < end; i++) {
      const feature = features[i]!;
      const weight = feature >> 12;
      const dimension = feature & 0xfff;
      sums[dimension] = sums[dimension]! + (times === 1 ? weight : (weight / times) | 0);
    }
  }
}
