/** Promises about single commits: rows, rejects and mark together or not at all, and fencing. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { load } from '../load/load.ts';
import { createBatchBuilder } from '../rows/builder.ts';
import type { Batch, Position } from '../rows/batch.ts';
import type { Column } from '../rows/schema.ts';
import { claimShard, insertLoad, insertShard } from '../ledger/statements.ts';
import { openSource } from '../source/open.ts';
import type { Connection, Mark, TablePlan } from '../target/driver.ts';
import { connect } from '../target/registry.ts';
import type { ConformanceOptions } from './contract.ts';
import { loadOf, streamLines, withDatabase } from './database.ts';

const columns: readonly Column[] = [
  { name: 'id', field: 'id', type: 'integer', isNullable: false },
  { name: 'name', field: 'name', type: 'text', isNullable: true },
];

const start: Position = { offset: 0, row: 0, line: 0 };

/** A load of one shard in the ledger, claimed, and a connection that may commit for it. */
interface Claimed {
  readonly plan: TablePlan;
  readonly mark: Mark;
  readonly batch: Batch;
}

async function makeBatch(rows: readonly Readonly<Record<string, unknown>>[]): Promise<Batch> {
  const source = await openSource(rows, {});
  const builder = createBatchBuilder(columns);
  for await (const records of source.read({ ordinal: 0, file: 0, start: 0, head: '', tail: '' }, start, { columns })) builder.add(records);
  await source.close();
  return builder.take();
}

async function claimLoad(connection: Connection): Promise<Claimed> {
  const request = {
    load: 'l1',
    table: 'items',
    columns,
    key: ['id'],
    mode: 'insert',
    expectedRows: undefined,
    expectedBytes: undefined,
  } as const;
  const plan = await connection.planTable(request);
  const common = { label: undefined, fingerprint: 'f', source: 's', table: 'items', mode: 'insert', plan: '{}', parent: undefined };
  await connection.prepare('l1', plan, [
    insertLoad({ ...common, load: 'l1', totalBytes: undefined, baseRows: 0, baseDigest: undefined, earlierCount: 0 }),
    insertShard('l1', { ordinal: 0, file: 0, start: 0, head: '', tail: '' }),
  ]);
  await connection.transact([claimShard('l1', 0, { epoch: 0, owner: 'a' })]);
  await connection.begin('l1', plan, { keepsRows: true, maxBytes: 1024 });
  const batch = await makeBatch([
    { id: 1, name: 'one' },
    { id: 2, name: 'two' },
  ]);
  const embedded = { texts: 0, distinct: 0, cached: 0, embedded: 0 };
  const mark: Mark = {
    load: 'l1',
    shard: 0,
    epoch: 1,
    from: start,
    to: { offset: 2, row: 2, line: 2 },
    isLast: true,
    readCount: 2,
    byteCount: 2,
    embedded,
  };
  return { plan, mark, batch };
}

export function describeCommits(options: ConformanceOptions): void {
  describe('commits', () => {
    it('a commit is in the ledger and in the table, and settling finds it', async () => {
      await withDatabase(options, async ({ connection, rows, url }) => {
        const { mark, batch } = await claimLoad(connection);
        assert.equal(await connection.settle(mark), 'not_landed');
        const outcome = await connection.commit({ batch, rejects: [], mark });
        assert.deepEqual(outcome, { kind: 'committed', written: 2, skipped: 0, rejects: [] });
        const other = await connect(url);
        assert.equal(await other.settle(mark), 'landed');
        await other.close();
        assert.equal((await rows('items', ['id'])).length, 2);
      });
    });

    it('the same commit a second time changes nothing', async () => {
      await withDatabase(options, async ({ connection, rows }) => {
        const { mark, batch } = await claimLoad(connection);
        await connection.commit({ batch, rejects: [], mark });
        assert.deepEqual(await connection.commit({ batch, rejects: [], mark }), { kind: 'fenced' });
        assert.equal((await rows('items', ['id'])).length, 2);
      });
    });

    it('a commit with an older epoch is fenced and writes nothing', async () => {
      await withDatabase(options, async ({ connection, rows }) => {
        const { mark, batch } = await claimLoad(connection);
        await connection.transact([claimShard('l1', 0, { epoch: 1, owner: 'b' })]);
        assert.deepEqual(await connection.commit({ batch, rejects: [], mark }), { kind: 'fenced' });
        assert.equal(await connection.settle(mark), 'fenced');
        assert.deepEqual(await rows('items', ['id']), []);
      });
    });

    it('a claim with an epoch that is no longer the shard’s changes nothing', async () => {
      await withDatabase(options, async ({ connection }) => {
        await claimLoad(connection);
        assert.deepEqual(await connection.transact([claimShard('l1', 0, { epoch: 0, owner: 'b' })]), [0]);
      });
    });

    it('refused rows stand in the ledger with place, code and text, and their neighbours are written', async () => {
      await withDatabase(options, async ({ connection, url }) => {
        const lines = ['{"id":1}', '{"id":', '{"id":1}', '{"id":2}'];
        const report = await load({ ...loadOf([], url), from: streamLines(lines), format: 'jsonl' });
        assert.deepEqual(report.counts, { read: 4, written: 2, skipped: 0, rejected: 2 });
        const found = await connection.query({
          sql: 'SELECT shard_row, byte_offset, class, raw FROM sluice_rejects ORDER BY shard_row',
          parameters: [],
        });
        assert.deepEqual(
          found.map((row) => ({ ...row })),
          [
            { shard_row: 1, byte_offset: 9, class: 'unreadable', raw: '{"id":' },
            { shard_row: 2, byte_offset: 16, class: 'refused', raw: '{"id":1}' },
          ],
        );
      });
    });
  });
}
