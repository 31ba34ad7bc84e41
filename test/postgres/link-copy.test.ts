/** COPY in both directions settles once with the right error, whatever the rows, the server or the wire do. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { isSluiceError } from '../../src/errors.ts';
import { readFaultyLine, toRefusal } from '../../src/target/postgres/errors.ts';
import { PgError, type PgLink } from '../../src/target/postgres/link.ts';
import { assertLost, assertUsable, block, blockRows, fail, openBench, pour, settle, type LinkBench } from './link-bench.ts';
import { runSql, skipReason } from './server.ts';

async function load(link: PgLink): Promise<void> {
  await link.script('BEGIN');
  await link.copyIn('COPY items FROM STDIN', [block, block, block]);
  await link.query('COMMIT');
}

/** A commit whose answer was cut may still be under way; the lock on the table waits for it. */
async function waitForCount(bench: LinkBench): Promise<number> {
  await runSql(bench.url, 'BEGIN; LOCK TABLE items; COMMIT');
  return bench.countItems();
}

describe('COPY over a link', { skip: skipReason }, () => {
  let bench: LinkBench;
  before(async () => {
    bench = await openBench();
  });
  after(() => bench.close());

  it('a bad row in mid-stream gives the server its say, stops the pulling, and leaves the link usable', async () => {
    const link = await bench.open();
    const source = pour();
    source.pieces.next();
    function* pieces(): Generator<Buffer> {
      yield block;
      try {
        yield Buffer.from('2\tbad\n');
        yield* source.pieces;
      } finally {
        source.pieces.return(undefined);
      }
    }
    const error = await fail(link.copyIn('COPY items FROM STDIN', pieces()));
    assert.ok(error instanceof PgError);
    assert.equal(error.sqlState, '23514');
    assert.equal(readFaultyLine(error), 65);
    assert.equal(toRefusal(error)?.code, 'REFUSED_CHECK');
    assert.ok(source.isClosed, 'the source was not closed');
    await assertUsable(link);
    assert.equal(await bench.countItems(), 0);
  });

  it('an error of the server is seen while rows are still being sent', async () => {
    const link = await bench.open();
    await link.script('BEGIN; SET LOCAL statement_timeout = 200');
    const source = pour();
    const error = await fail(link.copyIn('COPY items FROM STDIN', source.pieces));
    assert.ok(error instanceof PgError);
    assert.equal(error.sqlState, '57014');
    assert.ok(source.isClosed);
    await link.script('ROLLBACK');
    await assertUsable(link);
  });

  it('an error after the last row, at the end of the statement, is the answer', async () => {
    const link = await bench.open();
    await link.script('CREATE TABLE parents (id int4 PRIMARY KEY); CREATE TABLE children (id int4 REFERENCES parents)');
    const error = await fail(link.copyIn('COPY children FROM STDIN', [Buffer.from('7\n')]));
    assert.ok(error instanceof PgError);
    assert.equal(error.sqlState, '23503');
    await assertUsable(link);
  });

  it('pieces that throw fail the COPY on the server, and their error is thrown on', async () => {
    const link = await bench.open();
    const mine = new Error('mine');
    function* pieces(): Generator<Buffer> {
      yield block;
      throw mine;
    }
    assert.equal(await fail(link.copyIn('COPY items FROM STDIN', pieces())), mine);
    await assertUsable(link);
    assert.equal(await bench.countItems(), 0);
  });

  it('a COPY outside a transaction may have landed once its end was sent', async () => {
    const link = await bench.open(bench.proxied);
    const countBefore = await bench.countItems();
    // The answer to the COPY is lost, and nothing before it.
    await link.script('SELECT 1');
    bench.proxy.cutAfterBytes('toClient', 'G'.length + 4 + 3 + 4 + 1);
    assertLost(await fail(link.copyIn('COPY items FROM STDIN', [block])), 'unknown');
    assert.equal(await bench.countItems(), countBefore + blockRows);
    await bench.clearItems();
  });

  it('a socket cut at any byte of a load settles it, and what is told to have landed has', async () => {
    const link = await bench.open(bench.proxied);
    const measure = { ...bench.proxy.passed };
    await load(link);
    const sent = bench.proxy.passed.toServer - measure.toServer;
    await link.close();
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: sent }),
        fc.constantFrom('toServer' as const, 'toClient' as const),
        async (bytes, direction) => {
          await bench.clearItems();
          const other = await bench.open(bench.proxied);
          bench.proxy.cutAfterBytes(direction, bytes);
          const end = await settle(load(other));
          await other.close();
          bench.proxy.cutNow();
          const count = await waitForCount(bench);
          if ('value' in end) assert.equal(count, 3 * blockRows);
          else if (assertLost(end.error).landed === 'no') assert.equal(count, 0);
        },
      ),
      { numRuns: 25 },
    );
    await bench.clearItems();
  });

  it('an abort of a COPY that waits for a lock does not wait for the lock', async () => {
    const holder = await bench.open();
    const link = await bench.open();
    await holder.script('BEGIN; LOCK TABLE items');
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 50);
    const error = await fail(link.copyIn('COPY items FROM STDIN', pour().pieces, { signal: controller.signal }));
    assert.ok(isSluiceError(error, 'SLUICE_CANCELLED'), String(error));
    await assertUsable(link);
    await holder.script('ROLLBACK');
  });

  it('a reading that ends early, or whose reader throws, leaves the link usable', async () => {
    const link = await bench.open();
    const sql = "COPY (SELECT i, repeat('x', 100) FROM generate_series(1, 2000000) i) TO STDOUT";
    for await (const piece of link.copyOut(sql)) {
      assert.ok(piece.length > 0);
      break;
    }
    await assertUsable(link);
    const mine = new Error('mine');
    const reading = async (): Promise<void> => {
      for await (const piece of link.copyOut(sql)) if (piece.length > 0) throw mine;
    };
    assert.equal(await fail(reading()), mine);
    await assertUsable(link);
  });

  it('a slow reader gets every byte, and the socket rests meanwhile', async () => {
    const link = await bench.open(bench.proxied);
    const passedBefore = bench.proxy.passed.toClient;
    let bytes = 0;
    let mostAhead = 0;
    for await (const piece of link.copyOut("COPY (SELECT repeat('x', 999) FROM generate_series(1, 20000)) TO STDOUT", { timeoutMs: 300 })) {
      bytes += piece.length;
      mostAhead = Math.max(mostAhead, bench.proxy.passed.toClient - passedBefore - bytes);
      if (bytes < 2_000_000) await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.equal(bytes, 20_000_000);
    // What the reader did not take waits in the queue (320 KiB) and in the sockets' buffers, not in this process.
    assert.ok(mostAhead < 16_000_000, `${mostAhead} bytes were read ahead`);
    await assertUsable(link);
  });
});
