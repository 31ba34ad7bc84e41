/** Whatever happens on the wire, each call of the link settles once, with the right error, and a link that is still good goes on. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { isSluiceError } from '../../src/errors.ts';
import { PgError, type PgLink } from '../../src/target/postgres/link.ts';
import { assertLost, assertUsable, block, fail, openBench, pour, settle, type LinkBench } from './link-bench.ts';
import { skipReason } from './server.ts';

describe('a link under faults', { skip: skipReason }, () => {
  let bench: LinkBench;
  before(async () => {
    bench = await openBench();
  });
  after(() => bench.close());

  it('a terminated backend ends a COPY with a lost link that has landed nothing', async () => {
    const link = await bench.open();
    const end = await bench.prepareTermination(link);
    const copying = settle(link.copyIn('COPY items FROM STDIN', pour().pieces));
    setTimeout(() => void end(), 50);
    const result = await copying;
    assert.ok('error' in result);
    assertLost(result.error, 'no');
    assert.equal(link.isBroken, true);
    assertLost(await fail(link.query('SELECT 1')), 'no');
    assert.equal(await bench.countItems(), 0);
  });

  it('a cut socket ends a COPY, a query and a reading, each with a lost link', async () => {
    for (const work of [
      async (link: PgLink) => link.copyIn('COPY items FROM STDIN', pour().pieces),
      async (link: PgLink) => link.query('SELECT pg_sleep(30)'),
      async (link: PgLink) => {
        for await (const piece of link.copyOut('COPY (SELECT * FROM generate_series(1, 100000000)) TO STDOUT')) assert.ok(piece.length > 0);
      },
    ]) {
      const link = await bench.open(bench.proxied);
      await link.script('BEGIN');
      const ended = fail(work(link));
      setTimeout(() => bench.proxy.cutNow(), 50);
      assertLost(await ended, 'no');
      assert.equal(link.isBroken, true);
    }
  });

  it('a half-open link is given up after the deadline: while sending, while waiting, while reading', async () => {
    for (const work of [
      async (link: PgLink) => link.copyIn('COPY items FROM STDIN', pour().pieces, { timeoutMs: 200 }),
      async (link: PgLink) => link.copyIn('COPY items FROM STDIN', [block, block], { timeoutMs: 200 }),
      async (link: PgLink) => link.query('SELECT 1', [], { timeoutMs: 200 }),
      async (link: PgLink) => {
        for await (const piece of link.copyOut('COPY (SELECT generate_series(1, 10)) TO STDOUT', { timeoutMs: 200 })) assert.ok(piece);
      },
    ]) {
      const link = await bench.open(bench.proxied);
      await link.script('BEGIN');
      bench.proxy.stall();
      assertLost(await fail(work(link)), 'no');
      assert.equal(link.isBroken, true);
      await link.close();
    }
  });

  it('a lost link is «unknown» where the work may have been committed, and only there', async () => {
    const cases: readonly (readonly [string, (link: PgLink) => Promise<unknown>, 'no' | 'unknown'])[] = [
      ['BEGIN', (link) => link.query('COMMIT', [], { timeoutMs: 200 }), 'unknown'],
      ['BEGIN', (link) => link.script('INSERT INTO items VALUES (1); COMMIT', { timeoutMs: 200 }), 'unknown'],
      ['BEGIN', (link) => link.query('INSERT INTO items VALUES (1)', [], { timeoutMs: 200 }), 'no'],
      ['BEGIN', (link) => link.query('ROLLBACK', [], { timeoutMs: 200 }), 'no'],
      ['SELECT 1', (link) => link.query('INSERT INTO items VALUES (1)', [], { timeoutMs: 200 }), 'unknown'],
    ];
    for (const [opening, work, landed] of cases) {
      const link = await bench.open(bench.proxied);
      await link.script(opening);
      bench.proxy.stall();
      assertLost(await fail(work(link)), landed);
      await link.close();
    }
  });

  it('an abort ends whatever is under way with SLUICE_CANCELLED, and the link goes on', async () => {
    const link = await bench.open();
    for (const work of [
      async (signal: AbortSignal) => link.query('SELECT pg_sleep(30)', [], { signal }),
      async (signal: AbortSignal) => link.script('SELECT pg_sleep(30)', { signal }),
      async (signal: AbortSignal) => link.copyIn('COPY items FROM STDIN', pour().pieces, { signal }),
      async (signal: AbortSignal) => {
        for await (const piece of link.copyOut('COPY (SELECT pg_sleep(30)) TO STDOUT', { signal })) assert.ok(piece);
      },
    ]) {
      const controller = new AbortController();
      setTimeout(() => controller.abort(), 50);
      const error = await fail(work(controller.signal));
      assert.ok(isSluiceError(error, 'SLUICE_CANCELLED'), String(error));
      await assertUsable(link);
    }
    const early = await fail(link.query('SELECT 1', [], { signal: AbortSignal.abort() }));
    assert.ok(isSluiceError(early, 'SLUICE_CANCELLED'));
    await assertUsable(link);
  });

  it('a COPY that was sent as a plain statement fails, and leaves the link in step', async () => {
    const link = await bench.open();
    for (const work of [() => link.query('COPY items FROM STDIN'), () => link.script('COPY items FROM STDIN')]) {
      assert.ok((await fail(work())) instanceof PgError);
      for (let count = 0; count < 3; count++) await assertUsable(link);
    }
  });

  it('a second call while one is under way is refused and disturbs nothing', async () => {
    const link = await bench.open();
    const first = link.query('SELECT pg_sleep(0.1), 5 AS five');
    assert.ok(isSluiceError(await fail(link.query('SELECT 1')), 'SLUICE_INTERNAL'));
    assert.equal((await first).rows[0]?.['five'], 5);
    await assertUsable(link);
  });

  it('close is bounded, repeatable and silent, on good links, busy ones and lost ones', async () => {
    const idle = await bench.open();
    const busy = await bench.open();
    const stalled = await bench.open(bench.proxied);
    const running = settle(busy.query('SELECT pg_sleep(30)'));
    bench.proxy.stall();
    for (const link of [idle, busy, stalled]) {
      assert.ok('value' in (await settle(link.close())));
      assert.ok('value' in (await settle(link.close())));
      assert.ok(isSluiceError(await fail(link.query('SELECT 1')), 'SLUICE_LINK_LOST'));
    }
    const end = await running;
    assert.ok('error' in end && isSluiceError(end.error, 'SLUICE_LINK_LOST'));
  });

  it('a backend that is ended while the link is idle breaks it without an uncaught error', async () => {
    const link = await bench.open();
    const end = await bench.prepareTermination(link);
    await end();
    while (!link.isBroken) await new Promise((resolve) => setTimeout(resolve, 5));
    const error = assertLost(await fail(link.query('SELECT 1')), 'no');
    assert.match(error.message, /57P01/u);
  });
});
