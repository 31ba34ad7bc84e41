/** Properties of the conversions: writing a value and reading it is the identity, and no text makes a reader throw or hang. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createBatchBuilder } from '../../src/rows/builder.ts';
import { cutMember } from '../../src/rows/json-text.ts';
import { classifyNumeral, parseDecimal, parseInteger, parseReal } from '../../src/rows/numeral.ts';
import type { ColumnType, Scalar } from '../../src/rows/schema.ts';
import { parseDate, parseTimestamp } from '../../src/rows/temporal.ts';
import { checkJson, checkText, parseBoolean, parseBytes, parseUuid } from '../../src/rows/text-value.ts';
import type { Unfit } from '../../src/rows/unfit.ts';
import { isUnfit } from '../../src/rows/unfit.ts';
import { parseVectorText } from '../../src/rows/vector.ts';
import { chooseSeed, makeColumn, makeJsonRecords, makeTextRecords, repeat, scalars, vectors } from './records.ts';

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const digits = fc.stringMatching(/^\d{1,40}$/);
const moment = fc.date({ min: new Date('0001-01-02T00:00:00Z'), max: new Date('9999-12-30T00:00:00Z'), noInvalidDate: true });

/** A column type, values of it, and how each is written as text. */
interface Encoding {
  readonly type: Exclude<ColumnType, 'vector'>;
  readonly value: fc.Arbitrary<Scalar>;
  readonly encode: (value: Scalar) => string;
}

const narrow = (value: bigint): Scalar => (Number.isSafeInteger(Number(value)) ? Number(value) : value);

const encodings: readonly Encoding[] = [
  { type: 'integer', value: fc.oneof(int64, fc.bigInt({ min: -100n, max: 100n })).map(narrow), encode: String },
  { type: 'integer', value: fc.maxSafeInteger().filter((n) => !Object.is(n, -0)), encode: (n) => ` +${String(n)}`.replace('+-', '-') },
  { type: 'real', value: fc.double({ noDefaultInfinity: true, noNaN: true }), encode: (n) => (Object.is(n, -0) ? '-0' : String(n)) },
  {
    type: 'real',
    value: fc.tuple(fc.integer(), fc.nat(9)).map(([n, places]) => Number((n / 1e5).toFixed(places)) + 0),
    encode: (n) => Number(n).toFixed(9),
  },
  { type: 'decimal', value: fc.tuple(fc.bigInt(), digits).map(([whole, part]) => `${whole}.${part}`), encode: String },
  { type: 'text', value: fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed()), encode: String },
  { type: 'boolean', value: fc.boolean(), encode: String },
  { type: 'bytes', value: fc.uint8Array(), encode: (bytes) => Buffer.from(bytes as Uint8Array).toString('base64') },
  { type: 'bytes', value: fc.uint8Array(), encode: (bytes) => `\\x${Buffer.from(bytes as Uint8Array).toString('hex')}` },
  { type: 'json', value: fc.json(), encode: String },
  { type: 'timestamp', value: moment.map((date) => date.toISOString()), encode: String },
  { type: 'date', value: moment.map((date) => date.toISOString().slice(0, 10)), encode: String },
  { type: 'uuid', value: fc.uuid(), encode: (uuid) => `{${String(uuid).toUpperCase()}}` },
];

for (const { type, value, encode } of encodings) {
  test(`${type}: what is written as text is read as the same value, from delimited text and from JSON strings`, (context) => {
    fc.assert(
      fc.property(fc.array(value, { maxLength: 5 }), (values) => {
        const builder = createBatchBuilder([makeColumn('c', type)]);
        const quoted = values.map((one) => [{ quoted: encode(one) }]);
        assert.deepEqual(builder.add(makeTextRecords(quoted, { fields: ['c'] })), []);
        const isJson = type === 'json';
        assert.deepEqual(
          builder.add(makeJsonRecords(values.map((one) => `{"c":${isJson ? String(one) : JSON.stringify(encode(one))}}`))),
          [],
        );
        // JSON null is no value; as text in quotes it is JSON.
        const again = values.map((one) => (isJson && String(one).trim() === 'null' ? null : isJson ? String(one).trim() : one));
        assert.deepEqual(scalars(builder.take().values[0]), [...values, ...again]);
      }),
      { seed: chooseSeed(context), numRuns: 300 },
    );
  });
}

test('JSON numerals reach integer and decimal columns with every digit', (context) => {
  fc.assert(
    fc.property(int64, digits, (whole, part) => {
      const builder = createBatchBuilder([makeColumn('i', 'integer'), makeColumn('d', 'decimal'), makeColumn('t', 'text')]);
      const numeral = `${whole}.${part}`;
      assert.deepEqual(builder.add(makeJsonRecords([`{"i": ${whole} , "d":${numeral},"t":${numeral}}`])), []);
      const values = builder.take().values.map((column) => scalars(column)[0]);
      assert.deepEqual(values, [narrow(whole), numeral.replace(/^-(0\.0*)$/, '$1'), numeral]);
    }),
    { seed: chooseSeed(context), numRuns: 1_000 },
  );
});

test('float32 vectors keep every bit from base64, JSON and text', (context) => {
  const vector = fc.float32Array({ minLength: 4, maxLength: 4, noNaN: true, noDefaultInfinity: true });
  fc.assert(
    fc.property(vector, (v) => {
      const list = `[${[...v].map((n) => (Object.is(n, -0) ? '-0' : String(n))).join(', ')}]`;
      const base64 = Buffer.from(v.buffer, v.byteOffset, v.byteLength).toString('base64');
      const builder = createBatchBuilder([makeColumn('v', 'vector', { dimensions: 4 })]);
      assert.deepEqual(builder.add(makeJsonRecords([`{"v":${list}}`, `{"v":"${base64}"}`])), []);
      assert.deepEqual(builder.add(makeTextRecords([[{ quoted: list }], [base64]], { fields: ['v'] })), []);
      assert.deepEqual(vectors(builder.take().values[0]), repeat([...v], 4));
    }),
    { seed: chooseSeed(context), numRuns: 500 },
  );
});

test('the text of a member is cut out of any JSON object exactly as it stands there', (context) => {
  const spaced = fc
    .tuple(fc.jsonValue(), fc.constantFrom(undefined, 1, '\t', ' \n'))
    .map(([value, indent]) => JSON.stringify(value, null, indent));
  const key = fc.oneof(fc.string(), fc.constantFrom('a', '"', '\\', '__proto__', 'é'));
  fc.assert(
    fc.property(fc.array(fc.tuple(key, spaced), { maxLength: 6 }), fc.constantFrom('', ' ', '\r\n\t'), (members, space) => {
      const json = `${space}{${members.map(([name, text]) => `${space}${JSON.stringify(name)}${space}:${space}${text}${space}`).join(',')}}${space}`;
      JSON.parse(json);
      for (const [name] of members) assert.equal(cutMember(json, name), members.findLast(([other]) => other === name)?.[1]);
      assert.equal(cutMember(json, 'no such member'), undefined);
    }),
    { seed: chooseSeed(context), numRuns: 2_000 },
  );
});

/** Readers of text, each of which must answer whatever the text is. */
const readers: Readonly<Record<string, (text: string) => Scalar | Unfit>> = {
  integer: parseInteger,
  real: parseReal,
  decimal: parseDecimal,
  boolean: parseBoolean,
  bytes: parseBytes,
  json: checkJson,
  text: checkText,
  timestamp: parseTimestamp,
  date: parseDate,
  uuid: parseUuid,
};

const alphabet = '0123456789+-.eE:TZ[]{}"\\x,= \tafntruNI/é\ud800\0'.split('');
const noise = fc.oneof(
  fc.string({ unit: fc.constantFrom(...alphabet), maxLength: 24 }),
  fc.string({ unit: 'binary', maxLength: 24 }),
  fc.stringMatching(/^[+-]?\d{0,25}\.?\d{0,25}(e[+-]?\d{1,4})?$/),
  fc.stringMatching(/^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,10})?)?(Z|[+-]\d\d:?\d\d)?$/),
);

test('100,000 noisy texts: every reader answers with a value or a code, and a value that it printed itself is read as it is', (context) => {
  fc.assert(
    fc.property(noise, (text) => {
      for (const [name, read] of Object.entries(readers)) {
        const answer = read(text);
        if (isUnfit(answer)) assert.match(answer.code, /^VALUE_(FORMAT|RANGE|INEXACT)$/);
        else if (typeof answer === 'string') assert.equal(read(answer), answer, name);
      }
      const numeral = classifyNumeral(text);
      if (numeral === 'integer') assert.equal(typeof parseInteger(text) === 'object', false);
      if (numeral !== undefined) assert.equal(isUnfit(parseReal(text)) && numeral !== 'decimal', false);
      parseVectorText(text);
      assert.equal(cutMember(`{"b":${JSON.stringify(text)},"a":1}`, 'a'), '1');
    }),
    { seed: chooseSeed(context), numRuns: 100_000 },
  );
});

test('megabytes of digits, zeros or brackets are answered like any other text', () => {
  const long = 1 << 20;
  const texts = [
    '0'.repeat(long),
    `${'0'.repeat(long)}1`,
    '1'.repeat(long),
    `1.${'0'.repeat(long)}x`,
    '['.repeat(long),
    '-'.repeat(long),
    `1e${'9'.repeat(long)}`,
  ];
  for (const text of texts) {
    for (const read of Object.values(readers)) read(text);
    classifyNumeral(text);
    parseVectorText(text);
    cutMember(`{"a":${text}}`, 'b');
  }
});
