/** Every type in every form: what a column takes arrives as the server itself would have read it, comes back unchanged, and what it refuses is found before. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import type { Scalar } from '../../src/rows/schema.ts';
import { openLink } from '../../src/target/postgres/connect/connect.ts';
import { checkBatch } from '../../src/target/postgres/wire/encode.ts';
import type { PgLink } from '../../src/target/postgres/link.ts';
import { chooseSeed } from '../rows/records.ts';
import type { TestDatabase } from './server.ts';
import { createDatabase, skipReason } from './server.ts';
import type { Value } from './wire-cases.ts';
import { cases, spellPlainly } from './wire-cases.ts';
import { askServer, createBatch, createColumn, makeTable, takeTrip } from './wire-trip.ts';

/** A sparse vector with its numbers as the floats that they stand for. */
function readFloats(sparse: string): string {
  return sparse.replace(/:([^,}]+)/gu, (_, number: string) => `:${Math.fround(Number(number))}`);
}

/** What a decoded value must be, told by the server's own text. */
function readDecoded(value: Scalar, serverText: string, isReal: boolean): unknown {
  const isInteger = (typeof value === 'number' || typeof value === 'bigint') && !isReal;
  if (isInteger) return Number.isSafeInteger(Number(serverText)) ? Number(serverText) : BigInt(serverText);
  if (typeof value === 'number') return Math.fround(value) === Math.fround(Number(serverText)) ? value : Number(serverText);

  if (typeof value === 'boolean') return serverText === 't';
  if (value instanceof Uint8Array) return Uint8Array.from(Buffer.from(serverText.slice(2), 'hex'));
  // The same numbers, however spelt: of two shortest texts of a float the server takes the even one.
  if (/\}\/\d+$/u.test(serverText)) return readFloats(serverText) === readFloats(String(value)) ? value : serverText;
  const isMoment = /^\d+-\d\d-\d\d[T ]\d\d:/u.test(String(value));
  return isMoment ? serverText.replace(' ', 'T').replace('+00', 'Z') : serverText;
}

describe('values on the wire', { skip: skipReason }, () => {
  let database: TestDatabase;
  let link: PgLink;

  before(async () => {
    database = await createDatabase();
    link = await openLink(database.url, {});
    await link.script("create type mood as enum ('sad', 'so so', 'schön'); create domain small as int4 check (value < 100)");
  });
  after(async () => {
    await link.close();
    await database.dispose();
  });

  for (const { declared, from, values, spell = spellPlainly, isStricter = false } of cases) {
    it(`${from} into ${declared}: taken, refused and given back as the server would`, async (context) => {
      const type = await makeTable(link, declared);
      const wire = createColumn('v', from, type);
      const property = fc.asyncProperty(fc.array(values, { minLength: 1, maxLength: 120 }), async (list) => {
        const wanted = await askServer(link, declared, list.map(spell));
        const refusals = checkBatch([wire], createBatch([wire], [{ kind: 'scalar', values: list }], list.length));
        if (!isStricter)
          for (const row of refusals.keys())
            assert.equal(wanted[row], null, `${spell(list[row] as Value)} is refused and the server takes it`);
        const kept = list.flatMap((value, row) => (refusals.has(row) ? [] : [{ value, wanted: wanted[row] ?? null }]));
        for (const one of kept) assert.notEqual(one.wanted, null, `${spell(one.value)} is let through and the server refuses it`);
        const trip = await takeTrip(link, wire, { kind: 'scalar', values: [...kept.map(({ value }) => value), null] });
        const expected = [...kept.map((one) => one.wanted), null];
        assert.deepEqual(trip.text, expected, 'text format');
        assert.deepEqual(trip.binary ?? expected, expected, 'binary format');
        assert.deepEqual(trip.arrays ?? expected, expected, 'arrays');
        if (trip.decoded?.kind !== 'scalar') return;
        assert.deepEqual(
          trip.decoded.values,
          trip.decoded.values.map((value, row) => (value === null ? null : readDecoded(value, expected[row] ?? '', from === 'real'))),
          'decoded',
        );
      });
      await fc.assert(property, { seed: chooseSeed(context), numRuns: 3 });
    });
  }
});
