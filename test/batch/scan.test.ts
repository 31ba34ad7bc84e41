/** Files of statements however they are cut into pieces, and read on from every place that an earlier session may have left. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { StatementFormat } from '../../src/batch/options.ts';
import type { FileStatement } from '../../src/batch/scan.ts';
import { parseStatement } from '../../src/batch/statement-json.ts';
import { openStatements } from '../../src/batch/statement-source.ts';
import { cutUnits, type Unit } from '../../src/batch/unit-cut.ts';
import { isSluiceError } from '../../src/errors.ts';
import { makeFolder } from '../fixtures/load-folder.ts';

const start = { offset: 0, line: 0, crc: 0 };

interface Reading {
  readonly units: readonly Unit[];
  readonly error: unknown;
}

async function read(
  from: string | AsyncIterable<Uint8Array>,
  format: StatementFormat,
  options: { size?: number; isTransaction?: boolean; at?: typeof start } = {},
): Promise<Reading> {
  const units: Unit[] = [];
  const { size = 3, isTransaction = false, at = start } = options;
  try {
    for await (const unit of cutUnits({ input: openStatements({ from, format }), dialect: 'sqlite', from: at, size, isTransaction }))
      units.push(unit);
  } catch (error) {
    return { units, error };
  }
  return { units, error: undefined };
}

async function* inPieces(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (const cut of [...cuts, bytes.length]) {
    const end = Math.min(bytes.length, Math.max(at, cut));
    yield bytes.subarray(at, end);
    at = end;
  }
}

function list({ units }: Reading): readonly FileStatement[] {
  return units.flatMap((unit) => unit.statements);
}

/** Texts with everything that could be taken for an end. */
const sqlText = fc.constantFrom(
  'SELECT 1',
  "INSERT INTO t VALUES ('a;b', \"c;\", 'ü''–🎈\n;')",
  '-- first; line\nSELECT 2 /* ; */ + 3',
  'CREATE TRIGGER r AFTER INSERT ON t BEGIN UPDATE t SET a = CASE WHEN 1 THEN 2 END; DELETE FROM u; END',
  '/* öffnet; */ UPDATE "ta;ble" SET x = 1',
);
const blank = fc.constantFrom('', '\n', ' \r\n', '\n-- only; a comment\n', ';\n', '/* ; */');
const value = fc.oneof(
  fc.integer(),
  fc.string({ unit: 'grapheme' }),
  fc.constant(null),
  fc.boolean(),
  fc.constant([0, 255]),
  fc.constant('x]"[,\\'),
);
const jsonStatement = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.tuple(fc.string(), value, value),
  fc.tuple(fc.string(), fc.dictionary(fc.string(), value)),
);

function assertSame(found: readonly FileStatement[], expected: readonly FileStatement[]): void {
  assert.deepEqual(
    found.map(({ statement, start: place }) => ({ ...statement, ...place })),
    expected.map(({ statement, start: place }) => ({ ...statement, ...place })),
  );
}

async function checkCuts(text: string, format: StatementFormat, cuts: readonly number[]): Promise<void> {
  const bytes = Buffer.from(text);
  const whole = await read(inPieces(bytes, []), format);
  assert.equal(whole.error, undefined);
  const cut = await read(inPieces(bytes, cuts), format);
  assertSame(list(cut), list(whole));
  assert.deepEqual(
    cut.units.map(({ end, crc }) => ({ end, crc })),
    whole.units.map(({ end, crc }) => ({ end, crc })),
  );
  // From the end of each unit on come those after it, and no other; behind the last one nobody reads.
  for (const [index, { end, crc }] of whole.units.slice(0, -1).entries()) {
    const rest = await read(inPieces(bytes, cuts), format, { at: { ...end, crc } });
    assert.equal(rest.error, undefined);
    assertSame(
      list(rest),
      whole.units.slice(index + 1).flatMap((unit) => unit.statements),
    );
  }
}

const cutsOf = fc.array(fc.nat(400), { maxLength: 8 }).map((cuts) => cuts.toSorted((a, b) => a - b));

test('SQL in any pieces and from any place gives the same statements, each at its line and byte', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(sqlText, blank), { maxLength: 9 }), cutsOf, async (parts, cuts) => {
      const text = parts.map(([sql, between]) => `${sql};${between}`).join('');
      await checkCuts(text, 'sql', cuts);
      const statements = list(await read(inPieces(Buffer.from(text), cuts), 'sql'));
      assert.deepEqual(
        statements.map(({ statement }) => statement.sql.replace(/^(?:\s|--.*\n|\/\*.*?\*\/)*/u, '')),
        parts.map(([sql]) => sql.replace(/^(?:\s|--.*\n|\/\*.*?\*\/)*/u, '')),
      );
      for (const { start: place } of statements)
        assert.equal(Buffer.from(text).subarray(0, place.offset).toString().split('\n').length - 1, place.line);
    }),
    { numRuns: 150 },
  );
});

test('JSON in any pieces and from any place gives the same statements', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(jsonStatement, { maxLength: 9 }), cutsOf, fc.boolean(), async (statements, cuts, isPretty) => {
      const lines = statements.map((statement) => JSON.stringify(statement));
      await checkCuts(
        `\ufeff${lines.join('\r\n')}\n`,
        'jsonl',
        cuts.filter((cut) => cut > 2),
      );
      await checkCuts(isPretty ? JSON.stringify(statements, null, 2) : ` [${lines.join(',')}]\n`, 'json', cuts);
    }),
    { numRuns: 150 },
  );
});

test('integers of JSON keep all their digits, and bytes are arrays of them', () => {
  const readJson = (text: string): unknown => {
    const parsed = parseStatement(text, 'sqlite');
    return 'problem' in parsed ? parsed.problem : Object.fromEntries(Object.entries(parsed.parameters));
  };
  assert.deepEqual(readJson('["?", 9223372036854775807, -9007199254740993, 9007199254740991, 1.5, 1e3, "12345678901234567890"]'), {
    0: 9223372036854775807n,
    1: -9007199254740993n,
    2: 9007199254740991,
    3: 1.5,
    4: 1000,
    5: '12345678901234567890',
  });
  assert.deepEqual(readJson('["SELECT ?, ?", [1, "x"]]'), { 0: 1, 1: 'x' });
  assert.deepEqual(readJson('["SELECT ?", [7]]'), { 0: 7 });
  assert.deepEqual(readJson('["SELECT ?", [7, 8]]'), { 0: Uint8Array.of(7, 8) });
  assert.deepEqual(readJson('["SELECT ?, ?", [[7, 8], null]]'), { 0: Uint8Array.of(7, 8), 1: null });
  assert.deepEqual(readJson('["SELECT :a", {"a": [1], "__proto__": 2}]'), { a: Uint8Array.of(1), ['__proto__']: 2 });
  for (const text of [
    '["?", 1e400]',
    '5',
    '[]',
    '[1, 2]',
    '{"a":1}',
    'null',
    '["?", {"a":1}, 2]',
    '["?", 1, [256]]',
    '["?", {"a":{}}]',
    '["?"',
    `${'['.repeat(100_000)}`,
  ]) {
    assert.equal(typeof readJson(text), 'string', text.slice(0, 20));
  }
});

test('what stands before a fault is handed out, except of a transaction, and the fault names its line', async (context) => {
  const folder = makeFolder(context);
  const good = Array.from({ length: 7 }, (_, index) => `"SELECT ${index}"`);
  const faults: readonly (readonly [StatementFormat, string | Buffer, number])[] = [
    ['jsonl', `${good.join('\n')}\n["SELECT 1", \n${good.join('\n')}`, 8],
    ['jsonl', Buffer.concat([Buffer.from(`${good.join('\n')}\n"`), Buffer.of(0xff), Buffer.from('"\n')]), 8],
    ['json', `[\n${good.join(',\n')},\n{"sql": 1}\n]`, 9],
    ['json', `[\n${good.join(',\n')}\n${good.join(',\n')}\n]`, 9],
    ['json', `[\n${good.join(',\n')},\n["SELECT`, 9],
    ['json', `[\n${good.join(',\n')}\n]\n[`, 10],
    [
      'sql',
      Buffer.concat([
        Buffer.from(`${good.map((text) => `${text.slice(1, -1)};`).join('\n')}\nSELECT '`),
        Buffer.of(0xc3),
        Buffer.from("';"),
      ]),
      8,
    ],
  ];
  for (const [format, bytes, line] of faults) {
    const file = path.join(folder, `faulty.${format}`);
    writeFileSync(file, bytes);
    const found = await read(file, format);
    assert.equal(list(found).length, 7, String(found.error));
    assert.ok(isSluiceError(found.error, 'SLUICE_SOURCE_INVALID'), String(found.error));
    assert.match(found.error.message, new RegExp(`faulty.${format}, line ${line}:`));
    assert.match(found.error.hint ?? '', /Mend line/);
    assert.equal(list(await read(file, format, { isTransaction: true, size: 1_000 })).length, 0);
  }
});

test('a file that was changed before the place is refused, and one that was changed behind it is read', async (context) => {
  const file = path.join(makeFolder(context), 'a.jsonl');
  const lines = Array.from({ length: 9 }, (_, index) => `"SELECT ${index}"`);
  writeFileSync(file, lines.join('\n'));
  const [first] = (await read(file, 'jsonl')).units;
  assert.ok(first);
  const at = { ...first.end, crc: first.crc };
  writeFileSync(file, [...lines.slice(0, 3), '"SELECT 99"'].join('\n'));
  assert.deepEqual(
    list(await read(file, 'jsonl', { at })).map(({ statement }) => statement.sql),
    ['SELECT 99'],
  );
  for (const text of [lines.join('\n').replace('1', '7'), 'short']) {
    writeFileSync(file, text);
    assert.ok(isSluiceError((await read(file, 'jsonl', { at })).error, 'SLUICE_SOURCE_CHANGED'), text);
  }
});
