/** Promise of the range of texts: whatever is told without the engine is what the engine would have told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isBetween, openTextRange, widenTextRange } from '../../src/check/text-range.ts';

const texts = fc.array(
  fc.oneof(
    fc.string({ unit: fc.constantFrom('a', 'b', '\u0000', 'é', '\ud83d', '\udc1d'), maxLength: 6 }),
    fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 30, maxLength: 40 }),
  ),
  { minLength: 1, maxLength: 30 },
);

test('the least and the greatest of any texts are those that comparing all of them gives', () => {
  fc.assert(
    fc.property(texts, texts, (first, second) => {
      const range = openTextRange(undefined, undefined);
      for (const text of first) if (!isBetween(range, text)) widenTextRange(range, text);
      // As over two batches.
      const again = openTextRange(range.min, range.max);
      for (const text of second) if (!isBetween(again, text)) widenTextRange(again, text);
      const sorted = [...first, ...second].toSorted((left, right) => (left < right ? -1 : left > right ? 1 : 0));
      assert.equal(again.min, sorted[0]);
      assert.equal(again.max, sorted.at(-1));
    }),
  );
});
