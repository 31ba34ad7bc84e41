/** The arithmetic of index plans, and the relatives of PostgreSQL, told from what they say: no server is needed. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { ServerState } from '../../src/target/postgres/catalog/server.ts';
import { findUnsupported, recognizeFamily } from '../../src/target/postgres/plan/family.ts';
import { estimateHnswSeconds, estimateIndexCost, forecastHnswMemory } from '../../src/target/postgres/plan/index-cost.ts';
import { isBelow } from '../../src/target/postgres/plan/vector.ts';

describe('the cost of indexes', () => {
  it('an HNSW index stays for a few rows and is made again for many, a B-tree once as many come as are there', () => {
    const choose = (kind: 'hnsw' | 'btree', existingRows: number, addedRows: number): string => {
      const cost = estimateIndexCost({ kind, dimensions: 384, existingRows, addedRows, processes: 2 });
      return cost !== undefined && cost.keepSeconds > cost.rebuildSeconds ? 'rebuild' : 'keep';
    };
    assert.equal(choose('hnsw', 20_000, 20_000), 'rebuild');
    assert.equal(choose('hnsw', 100_000, 10_000), 'keep');
    assert.equal(choose('btree', 1_000_000, 900_000), 'keep');
    assert.equal(choose('btree', 1_000_000, 1_100_000), 'rebuild');
    assert.equal(estimateIndexCost({ kind: 'other', dimensions: 0, existingRows: 0, addedRows: 1, processes: 1 }), undefined);
  });

  it('more rows never make keeping an index the better choice, and estimates are finite', () => {
    const rows = fc.integer({ min: 0, max: 2_000_000_000 });
    const kinds = fc.constantFrom('btree', 'gin', 'hnsw', 'ivfflat');
    const check = fc.property(
      fc.tuple(kinds, rows, rows, rows, fc.integer({ min: 1, max: 16_000 })),
      ([kind, existingRows, added, more, dimensions]) => {
        const gain = (addedRows: number): number => {
          const cost = estimateIndexCost({ kind, dimensions, existingRows, addedRows, processes: 3 });
          assert.ok(cost !== undefined && Number.isFinite(cost.keepSeconds) && Number.isFinite(cost.rebuildSeconds));
          return cost.keepSeconds - cost.rebuildSeconds;
        };
        if (gain(added) > 0) assert.ok(gain(added + more) > 0);
      },
    );
    fc.assert(check, { verbose: true });
  });

  it('the build over short vectors is forecast within a factor of two of what was measured', () => {
    for (const [rows, dimensions, seconds] of [
      [60_000, 32, 5.4],
      [240_000, 8, 30],
    ] as const) {
      const forecast = estimateHnswSeconds(rows, dimensions, 2);
      assert.ok(forecast > seconds / 2 && forecast < seconds * 2, `${String(rows)} × ${String(dimensions)}: ${String(forecast)} s`);
    }
  });

  it('the memory of a graph agrees with what users measured', () => {
    const bytes = forecastHnswMemory(22_900_000, 768, false);
    assert.ok(Math.abs(bytes / 80e9 - 1) < 0.15, String(bytes));
    assert.ok(forecastHnswMemory(1000, 768, true) < forecastHnswMemory(1000, 768, false));
  });

  it('versions are compared part by part', () => {
    assert.deepEqual(
      [
        ['0.8.1', '0.8.4'],
        ['0.8.4', '0.8.4'],
        ['0.10.0', '0.8.4'],
        ['0.7', '0.7.0'],
        ['0.5.1', '0.6.0'],
      ].map(([a = '', b = '']) => isBelow(a, b)),
      [true, false, false, false, true],
    );
  });
});

describe('relatives of PostgreSQL', () => {
  const server = {
    version: 170000,
    versionText: 'PostgreSQL 17.0 on x86_64-pc-linux-gnu',
    vectorVersion: undefined,
    extensionTypes: new Map<number, string>(),
  };
  const asked = { marks: {}, extensions: [], serviceRoles: [] };

  it('each is told by what it says of itself, and an unknown one is PostgreSQL', () => {
    const name = (
      change: Partial<typeof server>,
      state: Partial<Pick<ServerState, 'marks' | 'extensions' | 'serviceRoles'>> = {},
    ): string => recognizeFamily({ ...server, ...change }, { ...asked, ...state }).name;
    assert.equal(name({}), 'PostgreSQL');
    assert.equal(name({ versionText: 'PostgreSQL 15.12-YB-2025.1.0.0-b0 on x86_64' }), 'YugabyteDB (YSQL)');
    assert.equal(name({}, { extensions: ['citus', 'plpgsql'] }), 'Citus');
    assert.equal(name({}, { extensions: ['timescaledb'] }), 'TimescaleDB');
    assert.equal(name({}, { marks: { 'neon.project_id': 'x' } }), 'Neon');
    assert.equal(name({}, { marks: { 'supautils.privileged_role': 'x' } }), 'Supabase');
    assert.equal(name({}, { serviceRoles: ['supabase_admin'] }), 'Supabase');
    assert.equal(name({}, { marks: { 'rds.extensions': 'x' } }), 'Amazon RDS');
    assert.equal(name({}, { marks: { 'rds.extensions': 'x', aurora_compute_plan_id: 'on' } }), 'Amazon Aurora');
  });

  it('what only speaks the protocol, and what is too old, is refused by name', () => {
    assert.match(findUnsupported({ version: 80002, versionText: 'PostgreSQL 8.0.2 on i686, Redshift 1.0.77467' }) ?? '', /Redshift/u);
    assert.match(findUnsupported({ version: 130000, versionText: 'CockroachDB CCL v24.1.0' }) ?? '', /CockroachDB/u);
    assert.match(findUnsupported({ version: 120017, versionText: 'PostgreSQL 12.17' }) ?? '', /12\.17; sluice needs 13/u);
    assert.equal(findUnsupported({ version: 130000, versionText: 'PostgreSQL 13.0' }), undefined);
  });
});
