/** Packing: every text in exactly one request, and no request above a limit. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import type { EmbedderLimits } from '../../src/embed/embedder.ts';
import { estimateTokens, packRequests } from '../../src/embed/requests.ts';

const noLimit: EmbedderLimits = { maxInputs: Infinity, maxTokens: Infinity, maxBytes: Infinity, maxInputBytes: Infinity };

test('every text is in exactly one request and no request of several texts exceeds a limit', () => {
  const seed = randomInt(2 ** 31 - 1);
  console.log(`seed ${seed}`);
  const limit = fc.oneof(fc.integer({ min: 1, max: 3_000 }), fc.constant(Infinity));
  const limits = fc.record({
    maxInputs: limit,
    maxTokens: limit,
    maxBytes: limit,
    maxInputBytes: fc.constant(Infinity),
    maxPaddedTokens: limit,
  });
  fc.assert(
    fc.property(fc.array(fc.nat(400), { maxLength: 300 }), limits, (sizes, bounds) => {
      const requests = packRequests(sizes, bounds);
      assert.deepEqual(
        requests.flat().sort((a, b) => a - b),
        sizes.map((_, index) => index),
      );
      for (const request of requests) {
        assert.ok(request.length > 0 && request.length <= bounds.maxInputs);
        if (request.length === 1) continue;
        const bytes = request.map((index) => sizes[index]!);
        const tokens = bytes.map(estimateTokens);
        assert.ok(bytes.reduce((a, b) => a + b) <= bounds.maxBytes);
        assert.ok(tokens.reduce((a, b) => a + b) <= bounds.maxTokens);
        assert.ok(Math.max(...tokens) * request.length <= bounds.maxPaddedTokens);
      }
    }),
    { seed, numRuns: 500 },
  );
});

test('texts of a length go together, so that long ones do not pad short ones', () => {
  const sizes = Array.from({ length: 1_000 }, (_, index) => (index % 2 === 0 ? 30 : 3_000));
  const requests = packRequests(sizes, { ...noLimit, maxPaddedTokens: 8_000 });
  assert.equal(requests.length, Math.ceil(500 / 8) + Math.ceil(496 / 800));
});

test('a text above every limit is a request of its own', () => {
  assert.deepEqual(packRequests([10, 10_000, 10], { ...noLimit, maxTokens: 100 }), [[1], [0, 2]]);
});

test('no texts make no requests', () => {
  assert.deepEqual(packRequests([], noLimit), []);
  assert.deepEqual(packRequests([], { ...noLimit, maxBytes: 5 }), []);
});
