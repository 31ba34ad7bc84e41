/** The body parser: the same answer as a plain reference on any bytes, whichever way it takes, and none of them ends it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ParsedBody, readBody } from '../../src/server/engine/body.ts';
import { checkBody } from '../../src/server/engine/check-body.ts';
import { refer } from './engine-body-reference.ts';

const options = { isPlainText: false, keepsBlobText: false };
const encoder = new TextEncoder();

function read(text: string): ParsedBody {
  return readBody(encoder.encode(text), options);
}

/** A small generator with a seed, so that a failure can be played again. */
function createRandom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const pieces = [
  '[',
  ']',
  '{',
  '}',
  ',',
  ':',
  '"',
  '\\',
  ' ',
  '\n',
  '\t',
  '\u0001',
  '0',
  '1',
  '-',
  '.',
  'e5',
  '1.0',
  '-0',
  '-0.0',
  '1e400',
  '9223372036854775807',
  '9223372036854775808',
  '12345678901234567',
  '255',
  '256',
  'null',
  'true',
  'false',
  '"a"',
  '"x\'4f\'"',
  '" X\'\' "',
  '"x\'4\'"',
  '"\\u0041"',
  '"\\ud800"',
  '"\\ud83e\\udd8a"',
  '"é🦊"',
  '"INSERT INTO t VALUES(?)"',
  '["s",1,2.5]',
  '["s",{"a":1,"a":2}]',
  '["s",[1,2,3]]',
  '["s",[1,"x"]]',
  '{"k":null}',
  '[]',
  '{}',
  '"__proto__"',
];

test('100,000 bodies are read as a plain reference reads them', () => {
  const seed = Number(process.env['SLUICE_SEED'] ?? 20_261_121);
  console.log(`# seed ${String(seed)}`);
  const random = createRandom(seed);
  const pick = (): string => pieces[random(pieces.length)] ?? '';
  for (let round = 0; round < 100_000; round++) {
    let text = '';
    if (random(3) === 0) for (let count = random(9); count >= 0; count--) text += pick();
    else {
      const elements = Array.from({ length: random(4) }, () =>
        random(2) === 0 ? pick() : `["s"${Array.from({ length: random(4) }, () => `,${pick()}`).join('')}]`,
      );
      text = `[${elements.join(',')}]${random(5) === 0 ? pick() : ''}`;
      // A byte changed, lost or doubled makes most of what is malformed in practice.
      const place = random(text.length);
      if (random(3) === 0) text = text.slice(0, place) + pick() + text.slice(place + random(3));
    }
    assert.deepEqual(read(text), refer(text), `seed ${String(seed)}, round ${String(round)}: ${text}`);
  }
});

test('integers are exact up to 64 bits, all other numbers are reals', () => {
  const body = read('[["s", 9007199254740993, -9223372036854775808, 9223372036854775808, 1.0, 1e3, -0, -0.0, 0.1]]');
  assert.deepEqual(body.error === undefined && body.statements[0]?.values, [
    9007199254740993n,
    -9223372036854775808n,
    9223372036854775808,
    1,
    1000,
    0n,
    -0,
    0.1,
  ]);
});

test('bytes that are not UTF-8 become one U+FFFD each', () => {
  const bytes = Buffer.concat([Buffer.from('["'), Buffer.from([0xff, 0xe6, 0x97, 0x41, 0xed, 0xa0, 0x80]), Buffer.from('"]')]);
  const body = readBody(bytes, options);
  assert.equal(body.error === undefined && body.statements[0]?.sql, '\ufffd\ufffd\ufffdA\ufffd\ufffd\ufffd');
});

test('a byte order mark is no JSON', () => {
  assert.equal(read('\ufeff["SELECT 1"]').error, 'invalid JSON body');
});

for (const [name, text] of [
  ['lists', `[["s",${'['.repeat(100_000)}${']'.repeat(100_000)}]]`],
  ['objects', `[["s",${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}]]`],
  ['lists without an end', '['.repeat(100_000)],
] as const) {
  test(`100,000 levels of ${name} are refused, and the stack holds`, () => {
    const { error } = read(text);
    assert.ok(error === 'invalid JSON body' || error?.startsWith('unsupported type') === true, error ?? 'taken');
  });
}

test('a text that is to stay text stays it', () => {
  const body = readBody(encoder.encode(`[["s","x'41'"]]`), { isPlainText: false, keepsBlobText: true });
  assert.deepEqual(body.error === undefined && body.statements[0]?.values, ["x'41'"]);
});

test('checkBody tells what would be refused, and nothing else', () => {
  assert.equal(checkBody(encoder.encode('["INSERT INTO t VALUES(1)"]'), false), undefined);
  assert.equal(checkBody(encoder.encode('[["s",[256]]]'), false), 'unsupported type 256');
  assert.equal(checkBody(encoder.encode('anything'), true), undefined);
});
