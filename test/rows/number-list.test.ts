/** The quick way through lists of numbers gives what JSON.parse gives, or steps aside. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { readNumberList } from '../../src/rows/number-list.ts';

function read(text: string, count: number): Float32Array | undefined {
  const into = new Float32Array(count);
  const bytes = Buffer.from(`${text},`);
  return readNumberList(bytes, 0, { into, from: 0, count }) === text.length ? into : undefined;
}

/** Numerals as programs print them: short, of 17 digits, with exponents, near the middle of two float32. */
const numeral = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.float({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.double({ min: -1, max: 1, noNaN: true }).map((value) => value.toFixed(17)),
  fc.integer({ min: -9_999_999, max: 9_999_999 }).map((value) => (value / 1e7).toFixed(7)),
  fc.double({ min: -1e6, max: 1e6, noNaN: true }).map((value) => value.toExponential(16)),
  fc.float({ min: Math.fround(1e-6), max: 1, noNaN: true }).map((value) => (value + value * 2 ** -24).toPrecision(21)),
  fc.constantFrom('0', '-0', '0.0', '-0.0e5', '1e22', '1E-22', '1e+3', '123456789012345678901234567890', '3.4028235e38', '1e-45'),
);

/** A digit, a point and twelve digits or more: printed so by programs, exactly between two float32, or a hair beside. */
const long = fc.oneof(
  fc.double({ min: -1, max: 1, noNaN: true }).map((value) => value.toFixed(20)),
  fc.float({ min: Math.fround(-9.5), max: Math.fround(9.5), noNaN: true }).map((value) => value.toFixed(15)),
  fc.tuple(fc.float({ min: Math.fround(0.001), max: 1, noNaN: true }), fc.integer({ min: -2, max: 2 })).map(([value, beside]) => {
    const middle = value + value * 2 ** -24 * 0.5;
    return (middle + beside * 1e-13).toFixed(12 + Math.abs(beside) * 4);
  }),
  fc
    .tuple(fc.constantFrom('', '-'), fc.nat(9), fc.stringMatching(/^\d{12,24}$/))
    .map(([sign, whole, digits]) => `${sign}${whole}.${digits}`),
);

describe('lists of numbers', () => {
  it('of many digits are read the same, wherever in the bytes they end', () => {
    fc.assert(
      fc.property(fc.array(long, { minLength: 1, maxLength: 8 }), fc.nat(40), (numerals, behind) => {
        const text = `[${numerals.join(',')}]`;
        const expected = Float32Array.from(JSON.parse(text) as number[]);
        const into = new Float32Array(numerals.length);
        const bytes = Buffer.from(text + ' '.repeat(behind));
        const end = readNumberList(bytes, 0, { into, from: 0, count: numerals.length });
        // Some lie so near the middle of two float32 that they are left to the slow way.
        if (end !== -1) assert.deepEqual([end, new Uint32Array(into.buffer)], [text.length, new Uint32Array(expected.buffer)]);
        else assert.ok(numerals.some((each) => each.length > 17));
      }),
      { numRuns: 20_000 },
    );
  });

  it('are read as JSON.parse and rounding to float32 read them, bit by bit, or not at all', () => {
    let readCount = 0;
    fc.assert(
      fc.property(fc.array(numeral, { minLength: 1, maxLength: 6 }), fc.constantFrom('', ' '), (numerals, gap) => {
        const text = `[${gap}${numerals.join(`${gap},${gap}`)}${gap}]`;
        const expected = Float32Array.from(JSON.parse(text) as number[]);
        const found = read(text, numerals.length);
        if (found === undefined) return;
        readCount++;
        assert.deepEqual(new Uint32Array(found.buffer), new Uint32Array(expected.buffer));
      }),
      { numRuns: 20_000 },
    );
    assert.ok(readCount > 2_000, 'most lists go the quick way');
  });

  it('anything that JSON would refuse, another count and numbers beyond float32 are left to the slow way', () => {
    const odd = [
      '[01]',
      '[1.]',
      '[.5]',
      '[+1]',
      '[1e]',
      '[--1]',
      '[1,]',
      '[,1]',
      '[]',
      '[null]',
      '["1"]',
      '[1 2]',
      '[1',
      '1]',
      '[1e400]',
      '[1e39]',
      '[NaN]',
      '[0.123456789012.5]',
      '[0.12345678901234567]'.replace('.', '..'),
      '[0.123456789012:]',
      '[0.12345678901/]',
      '[,0.123456789012]',
      '[*0.123456789012]',
      '[+0.123456789012]',
      '[0.123456789012e]',
      '[0.1234567890123456',
      '[00.123456789012]',
    ];
    for (const text of odd) assert.equal(read(text, 1), undefined, text);
    assert.equal(read('[1,2]', 3), undefined);
    assert.equal(read('[1,2]', 1), undefined);
    assert.deepEqual(read('[1,2]', 2), new Float32Array([1, 2]));
  });
});
