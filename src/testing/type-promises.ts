/** Promises about values: what goes in comes out, digit by digit, and what does not fit is refused. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { load } from '../load/load.ts';
import type { ColumnType } from '../rows/schema.ts';
import type { ConformanceOptions } from './contract.ts';
import { loadOf, streamLines, withDatabase } from './database.ts';

interface RoundTrip {
  readonly type: ColumnType;
  /** JSON texts as they stand in the input. */
  readonly values: readonly string[];
  /** As text, after the round trip; the same as the input when left out. */
  readonly stored?: readonly string[];
}

const roundTrips: readonly RoundTrip[] = [
  { type: 'integer', values: ['0', '-1', '9007199254740993', '9223372036854775807', '-9223372036854775808'] },
  { type: 'real', values: ['0.1', '-2.5e-300', '1.7976931348623157e+308'] },
  { type: 'decimal', values: ['0.10', '123456789012345678901234567890.123456789', '-5'] },
  { type: 'text', values: ['"plain"', '""', '"Grüße, 世界 🌍"', '"a\\"b\\nc"'] },
  { type: 'uuid', values: ['"123e4567-e89b-12d3-a456-426614174000"'] },
  { type: 'date', values: ['"2024-02-29"', '"0001-01-01"'] },
  { type: 'timestamp', values: ['"2026-11-21T10:00:00.123456Z"'] },
  { type: 'json', values: ['{"a":[1,12345678901234567890]}', '[]'] },
];

function toText(value: unknown): string {
  return value === null ? 'null' : String(value);
}

/** PostgreSQL prints json values with spaces of its own; none of the values above has one inside a text. */
function dropSpaces(text: string): string {
  return text.replaceAll(' ', '');
}

function asText(json: string): string {
  return json.startsWith('"') ? (JSON.parse(json) as string) : json;
}

export function describeTypes(options: ConformanceOptions): void {
  describe('types', () => {
    for (const { type, values, stored } of roundTrips) {
      it(`${type} values come out as they went in`, async () => {
        await withDatabase(options, async (database) => {
          const lines = [...values, 'null'].map((value, index) => `{"id":${String(index)},"value":${value}}`);
          const report = await load({ ...loadOf([], database.url), from: streamLines(lines), format: 'jsonl', types: { value: type } });
          assert.equal(report.counts.written, lines.length);
          const texts = (await database.rows('items', ['id', 'value'])).map(([, value]) => toText(value));
          const found = type === 'json' ? texts.map(dropSpaces) : texts;
          assert.deepEqual(found, [...(stored ?? values.map(asText)), 'null']);
        });
      });
    }

    it('booleans and bytes come out as they went in', async () => {
      await withDatabase(options, async (database) => {
        await load(
          loadOf(
            [
              { id: 1, flag: true, data: new Uint8Array([0, 255, 7]) },
              { id: 2, flag: false, data: new Uint8Array() },
            ],
            database.url,
            { types: { flag: 'boolean', data: 'bytes' } },
          ),
        );
        const rows = await database.rows('items', ['id', 'flag', 'data']);
        assert.deepEqual(
          rows.map(([, flag]) => Boolean(flag)),
          [true, false],
        );
        assert.deepEqual(
          rows.map(([, , data]) => [...(data as Uint8Array)]),
          [[0, 255, 7], []],
        );
      });
    });

    it('a vector is stored as little-endian float32', async () => {
      await withDatabase(options, async (database) => {
        await load(loadOf([{ id: 1, v: new Float32Array([1, -0.5, 3e-5]) }], database.url));
        const bytes = (await database.rows('items', ['id', 'v']))[0]?.[1] as Uint8Array;
        assert.deepEqual([...new Float32Array(bytes.slice().buffer)], [...new Float32Array([1, -0.5, 3e-5])]);
      });
    });

    it('a value that does not fit its column is refused with its code, and its neighbours are written', async () => {
      await withDatabase(options, async (database) => {
        const values = ['1', '9223372036854775808', '1.5', '"abc"', '2'];
        const lines = values.map((value, index) => `{"id":${String(index)},"value":${value}}`);
        const report = await load({ ...loadOf([], database.url), from: streamLines(lines), format: 'jsonl', types: { value: 'integer' } });
        assert.deepEqual(report.counts, { read: 5, written: 2, skipped: 0, rejected: 3 });
        assert.equal(report.rejectsByClass.unfit, 3);
      });
    });

    it('vectors of another length, not finite or all zero are refused', async () => {
      await withDatabase(options, async (database) => {
        const rows = [
          { id: 1, v: [1, 2] },
          { id: 2, v: [1, 2, 3] },
          { id: 3, v: [1, Number.NaN] },
          { id: 4, v: [0, 0] },
          { id: 5, v: [1, null] },
        ];
        const report = await load(loadOf(rows, database.url, { types: { v: 'vector(2)' } }));
        assert.deepEqual(report.rejectsByCause.map((cause) => cause.code).sort(), [
          'VECTOR_DIMENSION',
          'VECTOR_ELEMENT',
          'VECTOR_NOT_FINITE',
          'VECTOR_ZERO',
        ]);
        assert.equal(report.counts.written, 1);
      });
    });
  });
}
