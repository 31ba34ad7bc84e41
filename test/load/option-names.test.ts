/** What callers without a compiler are promised: a misspelt option of any verb is refused before anything is opened, with the name that was meant. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import * as sluice from '../../src/index.ts';
import { isSluiceError, type SluiceError } from '../../src/errors.ts';
import { serve } from '../../src/server/serve.ts';

/** As a program in JavaScript calls: whatever it likes. */
type Call = (options: object) => unknown;

async function refuse(call: Call, options: object): Promise<SluiceError> {
  try {
    const answer = await call(options);
    if (typeof answer === 'object' && answer !== null && Symbol.asyncIterator in answer) await (answer as AsyncGenerator<unknown>).next();
  } catch (error) {
    assert.ok(isSluiceError(error, 'SLUICE_USAGE'), String(error));
    return error;
  }
  assert.fail('it was taken');
}

const wrong: readonly (readonly [verb: string, call: Call, options: object, meant: string])[] = [
  ['load', sluice.load as Call, { maxReject: 3 }, 'maxRejects'],
  ['plan', sluice.plan as Call, { skip_columns: ['a'] }, 'skipColumns'],
  ['check', sluice.check as Call, { posititions: 3 }, 'positions'],
  ['preview', sluice.preview as Call, { row: 3 }, 'rows'],
  ['resume', sluice.resume as Call, { laod: 'x' }, 'load'],
  ['retry', sluice.retry as Call, { max_rejects: 1 }, 'maxRejects'],
  ['undo', sluice.undo as Call, { load: 'x', dryRun: true }, 'isDryRun'],
  ['pause', sluice.pause as Call, { waitms: 1 }, 'waitMs'],
  ['unpause', sluice.unpause as Call, { lockTimeout: 1 }, 'lockTimeoutMs'],
  ['cancel', sluice.cancel as Call, { wait_ms: 1 }, 'waitMs'],
  ['status', sluice.status as Call, { lod: 'x' }, 'load'],
  ['watchStatus', sluice.watchStatus as unknown as Call, { interval: 5, intervalMS: 5 }, 'intervalMs'],
  ['rejects', sluice.rejects as unknown as Call, { loads: 'x' }, 'load'],
  ['rejectSummary', sluice.rejectSummary as Call, { loads: 'x' }, 'load'],
  ['report', sluice.report as Call, { row: false }, 'rows'],
  ['verify', sluice.verify as Call, { showValues: true }, 'showsValues'],
  ['search', sluice.search as Call, { query: 'x', colum: 'v' }, 'column'],
  ['openSearch', sluice.openSearch as Call, { metrics: 'l2' }, 'metric'],
  ['batch', sluice.batch as Call, { statements: [], transactions: true }, 'transaction'],
  ['batchFile', sluice.batchFile as Call, { from: 'x.sql', maxError: 1 }, 'maxErrors'],
  ['bench', sluice.bench as Call, { dim: 3 }, 'dims'],
  ['exportTable', sluice.exportTable as Call, { overwrite: true }, 'overwrites'],
  ['createIndex', sluice.createIndex as Call, { efconstruction: 9 }, 'efConstruction'],
  ['rebuildIndex', sluice.rebuildIndex as Call, { thread: 9 }, 'threads'],
  ['dropIndex', sluice.dropIndex as Call, { nam: 'x' }, 'name'],
  ['listIndexes', sluice.listIndexes as Call, { tables: 'x' }, 'table'],
  ['stats', sluice.stats as Call, { tabel: 'x' }, 'table'],
  ['deleteRows', sluice.deleteRows as Call, { key: [1] }, 'keys'],
  ['serve', serve as Call, { queue: { batchsize: 1 } }, 'queue.batchSize'],
  ['serve', serve as Call, { limits: { maxBodyByte: 1 } }, 'limits.maxBodyBytes'],
];

test('every verb refuses an option that it does not have, names the nearest, and opens nothing', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'sluice-names-'));
  const url = `sqlite:${path.join(folder, 'a.db')}`;
  for (const [verb, call, options, meant] of wrong) {
    const error = await refuse(call, { in: undefined, to: url, from: [{ a: 1 }], table: 't', ...options });
    assert.match(error.message, new RegExp(`${verb} has no option .*Did you mean ${meant}\\?`), verb);
  }
  assert.deepEqual(await readdir(folder), []);
});

test('options of groups are looked at as well, and one of another group is found', async () => {
  const options = { from: [{ a: 'x' }], to: 'sqlite::memory:', table: 't' };
  const embed = [
    { column: 'a', with: 'hash' },
    { colum: 'a', with: 'hash' },
  ];
  assert.match((await refuse(sluice.load as Call, { ...options, embed })).message, /"embed\.colum"\. Did you mean embed\.column\?/);
  assert.match((await refuse(sluice.load as Call, { ...options, isatomic: true })).message, /Did you mean target\.isAtomic\?/);
  const both = await refuse(sluice.load as Call, { ...options, lane: 1, xyzzy: 1 });
  assert.equal(both.problems.length, 2);
  assert.match(both.hint ?? '', /from, to, table/);
});

test('a name without a value asks for nothing, and names of columns are free', async () => {
  const url = `sqlite:${path.join(await mkdtemp(path.join(tmpdir(), 'sluice-names-')), 'a.db')}`;
  const options = {
    from: [{ lane: 1 }],
    to: url,
    table: 't',
    maxReject: undefined,
    types: { lane: 'integer' },
    map: { lane: 'lane' },
  };
  const found = await (sluice.plan as (asked: object) => Promise<sluice.LoadPlan>)(options);
  assert.deepEqual(found.problems, []);
});

test('a query of an open search is looked at too', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'sluice-names-'));
  const url = `sqlite:${path.join(folder, 'a.db')}`;
  await sluice.load({ from: [{ id: 1, v: [1, 0, 0] }], to: url, table: 't' });
  const opened = await sluice.openSearch({ in: url, table: 't' });
  t.after(() => opened.close());
  const search = opened.search.bind(opened) as (query: unknown, options: object) => Promise<sluice.SearchResult>;
  assert.equal((await search([1, 0, 0], { k: 1 })).hits.length, 1);
  assert.match((await refuse((asked) => search([1, 0, 0], asked), { K1: 3 })).message, /search has no option "K1"\. Did you mean k\?/);
});
