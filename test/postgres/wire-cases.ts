/** Values for every type of column that PostgreSQL has, beside what is no value of it. */
import fc from 'fast-check';
import type { ColumnType, Scalar } from '../../src/rows/schema.ts';

export type Value = Exclude<Scalar, null>;

/** What is written into a column of a type. */
export interface Case {
  readonly declared: string;
  readonly from: ColumnType;
  readonly values: fc.Arbitrary<Value>;
  /** The text that the server is asked about, where it isn't the value's own. */
  readonly spell?: (value: Value) => string;
  /** True where sluice reads less than the server does: a refusal alone proves nothing. */
  readonly isStricter?: boolean;
}

export function spellPlainly(value: Value): string {
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`;
  return Object.is(value, -0) ? '-0' : String(value);
}

const digits = (least: number, most: number): fc.Arbitrary<string> => fc.stringMatching(new RegExp(`^\\d{${least},${most}}$`));
const pad = (width: number, most: number): fc.Arbitrary<string> =>
  fc.integer({ min: 0, max: most }).map((n) => String(n).padStart(width, '0'));
const edges = (bits: bigint): fc.Arbitrary<Value> =>
  fc
    .oneof(
      fc.bigInt(-(2n ** bits) * 2n, 2n ** bits * 2n),
      fc.constantFrom(2n ** bits - 1n, -(2n ** bits), 2n ** bits, 0n, -1n, 2n ** 32n, -(2n ** 32n)),
    )
    .map((n) => (n >= -(2n ** 63n) && n < 2n ** 63n ? n : 0n))
    .map((n) => (Number.isSafeInteger(Number(n)) ? Number(n) : n));
const decimals = fc
  .tuple(fc.constantFrom('', '-'), fc.oneof(digits(1, 9), digits(1, 40), fc.constant('0')), fc.oneof(fc.constant(''), digits(1, 20)))
  .map(([sign, whole, fraction]) => {
    const body = `${whole.replace(/^0+(?=\d)/u, '')}${fraction === '' ? '' : `.${fraction}`}`;
    return /[1-9]/u.test(body) ? sign + body : body;
  });
const days = fc
  .tuple(fc.integer({ min: 1, max: 9999 }), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 28 }))
  .map(([y, m, d]) => `${String(y).padStart(4, '0')}-${String(m).padStart(2, '0')}-${String(d).padStart(2, '0')}`);
const clock = fc.tuple(pad(2, 23), pad(2, 59), pad(2, 59)).map((parts) => parts.join(':'));
const fraction = fc.oneof(
  fc.constant(''),
  digits(1, 9).map((text) => `.${text}`),
  fc.constantFrom('.5', '.0000005', '.9999995', '.9999999', '.1234565'),
);
const moments = fc.tuple(days, clock, fraction).map(([day, time, rest]) => `${day}T${time}${rest}`);
const texts = fc
  .oneof(
    fc.string({ unit: 'grapheme' }),
    fc.string({ unit: 'binary-ascii', maxLength: 60 }),
    fc.constantFrom('\\N', '\\.', '', '\t\\\n\r', 'ß'.repeat(300)),
  )
  .filter((text) => !text.includes('\0'));
/** Near enough to what is valid that both sides have to look. */
const near = (valid: fc.Arbitrary<string>, alphabet: string): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 3, arbitrary: valid },
    fc.tuple(valid, fc.nat(), fc.constantFrom(...alphabet.split(''))).map(([text, at, one]) => {
      const place = at % (text.length + 1);
      return text.slice(0, place) + one + text.slice(place + 1);
    }),
  );
const addresses = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc.tuple(fc.ipV4(), fc.nat(33)).map(([address, mask]) => `${address}/${mask}`),
  fc.tuple(fc.ipV6(), fc.nat(129)).map(([address, mask]) => `${address}/${mask}`),
  fc.constantFrom('::', '::1', '1::', '0:0:1::', '1:0:0:2:0:0:0:3', '::ffff:1.2.3.4', '::1.2.3.4', '1:2:3:4:5:6:7::'),
);
const amounts = fc.oneof(
  fc.integer({ min: -200, max: 200 }).map(String),
  fc.constantFrom('1.5', '-0.5', '0.25', '2.75', '-1.1', '-.5', '4.'),
  // Halves of a microsecond among them, where the server cuts off.
  fc.tuple(fc.integer({ min: -4000, max: 4000 }), fc.nat(9_999_999)).map((parts) => parts.join('.')),
  fc.integer({ min: -99_999_999, max: 99_999_999 }).map((tenths) => (tenths / 10_000_000).toFixed(7)),
);
const units = fc.constantFrom('year', 'years', 'mon', 'month', 'weeks', 'day', 'hours', 'minute', 'sec', 'ms', 'us', 'century', 'decades');
const intervals = fc.oneof(
  fc
    .array(fc.tuple(amounts, fc.constantFrom('year', 'mon', 'day')), { minLength: 1, maxLength: 1 })
    .map((list) => list.map((part) => part.join(' ')).join(' ')),
  fc.tuple(amounts, units).map((part) => part.join(' ')),
  fc.tuple(fc.nat(9), fc.nat(11), fc.nat(40), clock).map(([y, m, d, time]) => `${y} years ${m} mons -${d} days ${time}.5`),
  fc.tuple(clock, fc.nat(99_999_999)).map((parts) => parts.join('.')),
  fc.tuple(fc.nat(9), amounts, fc.nat(40), amounts).map(([y, m, d, s]) => `P${y}Y${m}M${d}DT1H2M${s.replace('-.', '-0.')}S`),
  fc.constantFrom('1 day ago', '@ 1 year 2 mons ago', '5', '1 2:03:04', '1-2', '-1-2', 'P1W', 'PT-5M', '-00:00:01', '3 -1:30'),
);
const elements = fc.array(fc.option(fc.oneof(texts, fc.constantFrom('NULL', 'null', '{}', ' a '))), { maxLength: 5 });
const floats = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true, min: Math.fround(-65_519), max: Math.fround(65_519) }), {
  minLength: 3,
  maxLength: 3,
});

export const cases: readonly Case[] = [
  { declared: 'int2', from: 'integer', values: edges(15n) },
  { declared: 'int4', from: 'integer', values: edges(31n) },
  { declared: 'int8', from: 'integer', values: fc.oneof(edges(63n), edges(53n)) },
  { declared: 'oid', from: 'integer', values: fc.integer({ min: 0, max: 0xffff_ffff }) },
  { declared: 'float8', from: 'real', values: fc.double({ noNaN: true, noDefaultInfinity: true }) },
  { declared: 'float4', from: 'real', values: fc.float({ noNaN: true, noDefaultInfinity: true }) },
  { declared: 'numeric', from: 'decimal', values: fc.oneof(decimals, fc.constantFrom('NaN', 'Infinity', '-Infinity')) },
  {
    declared: 'numeric(12,3)',
    from: 'decimal',
    values: fc.oneof(decimals, fc.constantFrom('999999999.9994', '999999999.9995', '-0.0005', 'NaN', 'Infinity')),
  },
  { declared: 'numeric', from: 'integer', values: edges(63n) },
  { declared: 'int8', from: 'decimal', values: decimals.map((text) => text.replace(/\..*/u, '')) },
  { declared: 'text', from: 'text', values: texts },
  { declared: 'varchar(5)', from: 'text', values: fc.oneof(texts, fc.stringMatching(/^[a😀]{3,6} *$/u)) },
  { declared: 'char(4)', from: 'text', values: fc.oneof(texts, fc.stringMatching(/^[a😀]{1,5} *$/u)) },
  { declared: 'mood', from: 'text', values: fc.constantFrom('sad', 'schön', 'so so') },
  { declared: 'small', from: 'integer', values: fc.integer({ min: 0, max: 99 }) },
  { declared: 'bool', from: 'boolean', values: fc.boolean() },
  { declared: 'bytea', from: 'bytes', values: fc.uint8Array({ maxLength: 40 }).map((bytes) => Uint8Array.from(bytes)) },
  { declared: 'json', from: 'json', values: fc.json() },
  { declared: 'jsonb', from: 'json', values: fc.oneof(fc.json(), fc.constantFrom('"\\u0000"', '"\\\\u0000"', '{"a\\u0000":1}')) },
  { declared: 'uuid', from: 'uuid', values: fc.uuid() },
  { declared: 'date', from: 'date', values: days },
  {
    declared: 'date',
    from: 'text',
    values: fc.constantFrom(
      'infinity',
      '-infinity',
      '0044-03-15 BC',
      '12026-01-31',
      '5874897-12-31',
      '4714-11-24 BC',
      '2024-02-29',
      '0004-02-29',
    ),
  },
  {
    declared: 'timestamp',
    from: 'timestamp',
    values: fc.oneof(
      moments,
      moments.map((text) => `${text}Z`),
    ),
  },
  { declared: 'timestamp(3)', from: 'timestamp', values: moments },
  {
    declared: 'timestamptz',
    from: 'timestamp',
    values: fc.oneof(
      moments,
      moments.map((text) => `${text}Z`),
    ),
    spell: (value) => `${String(value).replace('Z', '')}Z`,
  },
  {
    declared: 'timestamptz',
    from: 'text',
    values: fc.constantFrom(
      'infinity',
      '294276-12-31T23:59:59Z',
      '294277-01-01T00:00:00Z',
      '2020-02-03 04:05:06+05:30',
      '0044-03-15T00:00:00Z BC',
    ),
  },
  {
    declared: 'time',
    from: 'text',
    values: near(
      fc.tuple(clock, fraction).map((parts) => parts.join('')),
      ':.59 ',
    ),
    isStricter: true,
  },
  {
    declared: 'timetz',
    from: 'text',
    values: fc.tuple(clock, fraction, fc.constantFrom('Z', '+00', '-08', '+05:30', '+15:59', '-1545')).map((parts) => parts.join('')),
  },
  { declared: 'interval', from: 'text', values: intervals },
  { declared: 'inet', from: 'text', values: near(addresses, '0:./5g'), isStricter: true },
  {
    declared: 'cidr',
    from: 'text',
    values: near(fc.oneof(addresses, fc.constantFrom('10', '10.1', '192.168', '128.1', '10/8', '224.1', '240', '10.0.0.0/8')), '0:./5g'),
    isStricter: true,
  },
  {
    declared: 'macaddr',
    from: 'text',
    values: fc
      .tuple(fc.constantFrom(':', '-'), fc.array(fc.stringMatching(/^[\da-f]{2}$/u), { minLength: 6, maxLength: 6 }))
      .map(([by, parts]) => parts.join(by)),
  },
  { declared: 'bit(5)', from: 'text', values: fc.stringMatching(/^[01]{4,6}$/u) },
  {
    declared: 'varbit(12)',
    from: 'text',
    values: near(fc.oneof(fc.stringMatching(/^[01]{0,13}$/u), fc.stringMatching(/^X[\dA-F]{0,4}$/u)), '0129'),
  },
  { declared: 'text[]', from: 'json', values: elements.map((list) => JSON.stringify(list)), spell: (value) => spellArray(String(value)) },
  {
    declared: 'int8[]',
    from: 'json',
    values: fc
      .array(fc.option(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)))
      .map((list) => `[${list.join(',')}]`.replace(/(?<=[[,])(?=,|\])/gu, 'null').replace('[null]', '[]')),
    spell: (value) => String(value).replace('[', '{').replace(']', '}'),
  },
  { declared: 'mood[]', from: 'text', values: fc.constantFrom('{}', '{sad,"so so",NULL}', '{schön}') },
  {
    declared: 'numeric(6,2)[]',
    from: 'text',
    values: fc.array(decimals.map((text) => text.slice(0, 7).replace(/\.$/u, ''))).map((list) => `{${list.join(',')}}`),
  },
  {
    declared: 'vector(3)',
    from: 'text',
    values: near(
      floats.map((list) => `[${list.join(', ')}]`),
      // No x: the server takes hexadecimal floats, sluice does not.
      '19,. y',
    ),
  },
  { declared: 'halfvec(3)', from: 'json', values: floats.map((list) => JSON.stringify(list.map((one) => (Object.is(one, -0) ? 0 : one)))) },
  {
    declared: 'sparsevec(9)',
    from: 'text',
    values: fc
      .tuple(fc.uniqueArray(fc.integer({ min: 1, max: 10 })), floats)
      .map(([list, [value = 1]]) => `{${list.map((index) => `${index}:${value}`).join(',')}}/9`),
  },
  { declared: 'tsvector', from: 'text', values: fc.constantFrom('a b', "a:1 'b c':2") },
  { declared: 'int4range', from: 'text', values: fc.constantFrom('[1,5)', 'empty', '(,3)') },
];

function spellArray(json: string): string {
  const list = JSON.parse(json) as (string | null)[];
  return `{${list.map((one) => (one === null ? 'NULL' : `"${one.replace(/["\\]/gu, '\\$&')}"`)).join(',')}}`;
}
