/** The digest of keys: what sluice computes from a batch is what the server computes from its table. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import type { ColumnType, Scalar } from '../../src/rows/schema.ts';
import { openLink } from '../../src/target/postgres/connect/connect.ts';
import { createRowEncoder } from '../../src/target/postgres/wire/encode.ts';
import { canHashKey, digestRows, writeKeyDigest } from '../../src/target/postgres/wire/key-hash.ts';
import type { PgLink } from '../../src/target/postgres/link.ts';
import { chooseSeed } from '../rows/records.ts';
import type { TestDatabase } from './server.ts';
import { createDatabase, skipReason } from './server.ts';
import { createBatch, createColumn, int4Type, makeTable } from './wire-trip.ts';

const longs = fc
  .oneof(
    fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
    fc.bigInt(-(2n ** 34n), 2n ** 34n),
    fc.constantFrom(0n, -1n, 2n ** 32n, 2n ** 53n, -(2n ** 53n)),
  )
  .map((n) => (Number.isSafeInteger(Number(n)) ? Number(n) : n));
const texts = fc.string({ unit: 'grapheme', maxLength: 60 }).filter((text) => !text.includes('\0'));
const moments = fc
  .date({ min: new Date('0001-01-02'), max: new Date('9999-12-30'), noInvalidDate: true })
  .map((date) => date.toISOString().replace('Z', '321Z'));

const keys: readonly (readonly [declared: string, from: ColumnType, values: fc.Arbitrary<Scalar>])[] = [
  ['int8', 'integer', longs],
  ['int2', 'integer', fc.integer({ min: -32_768, max: 32_767 })],
  ['numeric(20,2)', 'decimal', fc.tuple(fc.maxSafeInteger(), fc.nat(99_999)).map(([whole, fraction]) => `${whole}.${fraction}`)],
  ['numeric', 'integer', longs],
  ['text', 'text', texts],
  ['varchar(4)', 'text', fc.stringMatching(/^[a-zé😀]{0,4} *$/u)],
  ['char(4)', 'text', fc.stringMatching(/^[a-zé😀]{0,4} *$/u)],
  ['uuid', 'uuid', fc.uuid()],
  ['bytea', 'bytes', fc.uint8Array().map((bytes) => Uint8Array.from(bytes))],
  ['date', 'date', moments.map((text) => text.slice(0, 10))],
  ['timestamp', 'timestamp', moments],
  ['timestamptz', 'timestamp', moments],
  ['bool', 'boolean', fc.boolean()],
];

describe('the digest of keys', { skip: skipReason }, () => {
  let database: TestDatabase;
  let link: PgLink;

  before(async () => {
    database = await createDatabase();
    link = await openLink(database.url, {});
  });
  after(async () => {
    await link.close();
    await database.dispose();
  });

  for (const [declared, from, values] of keys) {
    it(`${from} in ${declared}, alone and behind an integer: client and server agree, in any order`, async (context) => {
      const type = await makeTable(link, declared);
      assert.ok(canHashKey([int4Type, type]));
      const columns = [createColumn('i', 'integer', int4Type), createColumn('v', from, type)];
      const property = fc.asyncProperty(fc.array(fc.option(values, { freq: 20 }), { maxLength: 200 }), async (list) => {
        const ordinals = list.map((_, row) => row - 3);
        const batch = createBatch(
          columns,
          [ordinals, list].map((one) => ({ kind: 'scalar' as const, values: one })),
          list.length,
        );
        const rows = Int32Array.from(ordinals, (row) => row + 3);
        await link.script('truncate trip');
        await link.copyIn(
          'copy trip (i, v) from stdin (format binary)',
          createRowEncoder(columns, { format: 'binary' }).pieces(batch, rows),
        );
        for (const key of [columns.slice(1), columns]) {
          const { high, low } = writeKeyDigest(
            key.map(({ column, type: keyType }) => ({ name: column.name, type: keyType })),
            't.',
          );
          const answer = await link.query(`select ${high} as high, ${low} as low from trip t`);
          assert.deepEqual({ ...answer.rows[0] }, digestRows(key, batch, rows.toReversed()));
        }
      });
      await fc.assert(property, { seed: chooseSeed(context), numRuns: 3 });
    });
  }

  it('integers that differ only beyond 32 bits have digests of their own', () => {
    const column = createColumn('i', 'integer', { ...int4Type, name: 'int8', oid: 20 });
    // hashint8 alone folds these into one another.
    const values = Array.from({ length: 64 }, (_, index) => index * 2 ** 32 + index);
    const batch = createBatch([column], [{ kind: 'scalar', values }], values.length);
    const digests = values.map((_, row) => JSON.stringify(digestRows([column], batch, Int32Array.of(row))));
    assert.equal(new Set(digests).size, values.length);
  });
});
