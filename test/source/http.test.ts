/** Files behind HTTP servers, also such as misbehave: every row once, or an error that says what to do. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { openSource, reopenSource } from '../../src/source/open.ts';
import { parseHttpUrl } from '../../src/source/http/address.ts';
import { serve } from './http-server.ts';
import { listShards, readAll, readShard, valuesOf } from './reading.ts';

const rows = Array.from({ length: 4_000 }, (_, id) => ({ id, text: `row number ${String(id)} ${'x'.repeat(id % 50)}` }));
const jsonl = Buffer.from(rows.map((row) => JSON.stringify(row)).join('\n'));

test('a file of a server is split into shards by ranges, and another thread reads them', async (context) => {
  const { requests, url } = await serve(context, { 'rows.jsonl': jsonl });
  const source = await openSource(`${url}/rows.jsonl`);
  assert.equal(source.byteCount, jsonl.length);
  const shards = await listShards(source, 50_000);
  assert.ok(shards.length > 3);
  const lane = await reopenSource(structuredClone(source.descriptor!));
  const found: unknown[] = [];
  for (const shard of shards) found.push(...valuesOf((await readShard(lane, shard)).list));
  assert.deepEqual(found, rows);
  assert.ok(requests.every(({ range }) => range !== undefined));
  await lane.close();
  await source.close();
});

test('links that are cut are taken up again at the byte, and passing refusals are waited out', async (context) => {
  const { behaviour, url } = await serve(context, { 'rows.jsonl': jsonl, 'rows.jsonl.gz': gzipSync(jsonl) });
  for (const name of ['rows.jsonl', 'rows.jsonl.gz']) {
    behaviour.statuses = [503, 429, 200, 500];
    behaviour.cutAfter = 20_000;
    behaviour.cuts = 6;
    assert.deepEqual(valuesOf(await readAll(`${url}/${name}`)), rows, name);
    behaviour.cuts = 0;
  }
});

// Waits between the answers, of which 100 come, would take 25 s.
test('a server that gives less than a range is asked for the rest at once', { timeout: 10_000 }, async (context) => {
  const { behaviour, requests, url } = await serve(context, { 'rows.jsonl': jsonl });
  behaviour.mostBytes = Math.ceil(jsonl.length / 100);
  assert.deepEqual(valuesOf(await readAll(`${url}/rows.jsonl`)), rows);
  assert.ok(requests.length > 100);
});

test('a server without ranges is read as one stream, over cuts too, and a resume passes over what is there', async (context) => {
  const { behaviour, url } = await serve(context, { 'rows.jsonl': jsonl });
  behaviour.hasRanges = false;
  behaviour.cutAfter = 100_000;
  behaviour.cuts = 1;
  const source = await openSource(`${url}/rows.jsonl`);
  const shards = await listShards(source, 10_000);
  assert.equal(shards.length, 1);
  assert.match(source.guarantee ?? '', /from its start/);
  const all = await readShard(source, shards[0]!);
  assert.deepEqual(valuesOf(all.list), rows);
  const middle = {
    offset: Buffer.byteLength(
      `${rows
        .slice(0, 100)
        .map((row) => JSON.stringify(row))
        .join('\n')}\n`,
    ),
    row: 100,
    line: 100,
  };
  assert.deepEqual(valuesOf((await readShard(source, shards[0]!, middle)).list), rows.slice(100));
  await source.close();
  behaviour.isChunked = true;
  assert.deepEqual(valuesOf(await readAll(`${url}/rows.jsonl`)), rows);
});

test('content that changes between ranges or between sessions is never mixed', async (context) => {
  const other = Buffer.from(jsonl.toString().replaceAll('row number', 'ROW NUMBER'));
  const { behaviour, url } = await serve(context, { 'rows.jsonl': jsonl });
  const source = await openSource(`${url}/rows.jsonl`);
  const shards = await listShards(source, 50_000);
  await readShard(source, shards[0]!);
  behaviour.files['rows.jsonl'] = other;
  behaviour.etag = '"two"';
  await assert.rejects(readShard(source, shards[2]!), { code: 'SLUICE_SOURCE_CHANGED' });
  const lane = await reopenSource(structuredClone(source.descriptor!));
  await assert.rejects(readShard(lane, shards[2]!), { code: 'SLUICE_SOURCE_CHANGED' });
  assert.equal((await lane.changed(shards)).length, shards.length);
  await lane.close();
  await source.close();
});

test('refusals name the file and say what to do, and never a password', async (context) => {
  const { behaviour, url } = await serve(context, { 'rows.jsonl': jsonl, 'x.npy': Buffer.from('\x93NUMPY', 'latin1') });
  const secret = url.replace('//', '//me:pa55@');
  const cases: [() => void, string, string, RegExp][] = [
    [() => undefined, `${secret}/none.jsonl`, 'SLUICE_SOURCE_MISSING', /HTTP 404/],
    [() => (behaviour.statuses = [403]), `${secret}/rows.jsonl`, 'SLUICE_SOURCE_DENIED', /HTTP 403/],
    [() => (behaviour.statuses = Array<number>(20).fill(503)), `${secret}/rows.jsonl`, 'SLUICE_SOURCE_READ', /HTTP 503.*tries/],
    [() => (behaviour.statuses = [400]), `${secret}/rows.jsonl`, 'SLUICE_SOURCE_READ', /HTTP 400/],
    [() => (behaviour.hasRanges = false), `${secret}/x.npy`, 'SLUICE_SOURCE_INVALID', /no ranges/],
    [() => (behaviour.redirectTo = '/again'), `${secret}/rows.jsonl`, 'SLUICE_SOURCE_READ', /redirects/],
    [() => (behaviour.redirectTo = 'gopher://x/'), `${secret}/rows.jsonl`, 'SLUICE_SOURCE_READ', /no http URL/],
  ];
  for (const [prepare, address, code, message] of cases) {
    Object.assign(behaviour, { statuses: [], hasRanges: true, redirectTo: undefined });
    prepare();
    await assert.rejects(openSource(address), (error: Error & { code?: string; hint?: string }) => {
      assert.equal(error.code, code, error.message);
      assert.match(error.message, message);
      assert.doesNotMatch(`${error.message} ${error.hint ?? ''}`, /pa55/);
      assert.ok((error.hint ?? '').length > 0);
      return true;
    });
  }
});

test('credentials of the URL go to its own server only, and into nothing that is kept', async (context) => {
  const store = await serve(context, { 'rows.jsonl': jsonl });
  const front = await serve(context, { 'rows.jsonl': jsonl });
  front.behaviour.redirectTo = `${store.url}/rows.jsonl`;
  const source = await openSource(`${front.url.replace('//', '//me:pa55@')}/rows.jsonl?X-Amz-Signature=abc&part=1`);
  assert.match(front.requests[0]?.authorization ?? '', /^Basic /);
  assert.ok(store.requests.every(({ authorization }) => authorization === undefined));
  const { shared, ...kept } = source.descriptor!;
  assert.doesNotMatch(JSON.stringify([kept, source.name, source.decisions]), /pa55|abc/);
  assert.ok(shared !== undefined);
  await source.close();
  store.behaviour.authorization = parseHttpUrl('http://me:pa55@host/').authorization;
  await assert.rejects(openSource(`${store.url}/rows.jsonl`), { code: 'SLUICE_SOURCE_DENIED' });
  const opened = await openSource(`${store.url.replace('//', '//me:pa55@')}/rows.jsonl`);
  const lane = await reopenSource(structuredClone(opened.descriptor!));
  const [shard] = await listShards(opened, 1_000_000);
  assert.deepEqual(valuesOf((await readShard(lane, shard!)).list), rows);
  await lane.close();
  await opened.close();
});

test('several URLs and files are one source; a range that is refused later is an error, not an end', async (context) => {
  const csv = Buffer.from(`id,text\n${rows.map(({ id, text }) => `${String(id)},${text}`).join('\n')}\n`);
  const { behaviour, url } = await serve(context, { 'a.csv': csv, 'b.csv': csv, 'c.csv': Buffer.from('id,other\n1,2\n') });
  const found = await readAll([`${url}/a.csv`, `${url}/b.csv`]);
  assert.equal(valuesOf(found).length, 2 * rows.length);
  await assert.rejects(openSource([`${url}/a.csv`, `${url}/c.csv`]), {
    code: 'SLUICE_SOURCES_DISAGREE',
    message: /c\.csv lacks text, and has other/,
  });
  const source = await openSource(`${url}/a.csv`, { quote: '' });
  const shards = await listShards(source, 30_000);
  assert.ok(shards.length > 2);
  behaviour.hasRanges = false;
  await assert.rejects(readShard(source, shards[2]!), { code: 'SLUICE_SOURCE_READ', message: /does not give them now/ });
  await source.close();
});

test('a server without TLS is told at once, and not asked again and again', { timeout: 5_000 }, async (context) => {
  const { url } = await serve(context, { 'rows.jsonl': jsonl });
  await assert.rejects(
    openSource(`${url.replace('http:', 'https:')}/rows.jsonl`).then(async (source) => source.sample()),
    {
      code: 'SLUICE_SOURCE_READ',
      message: /EPROTO/,
      hint: /no TLS/,
    },
  );
});

test(
  'a wait for a server ends when the load is cancelled, while the source is opened and while it is read',
  { timeout: 10_000 },
  async (context) => {
    const { behaviour, url } = await serve(context, { 'rows.jsonl': jsonl });
    const opening = new AbortController();
    behaviour.stalls = true;
    setTimeout(() => opening.abort(), 300);
    const opened = openSource(`${url}/rows.jsonl`, { signal: opening.signal });
    await assert.rejects(
      opened.then(async (source) => source.sample()),
      { code: 'SLUICE_CANCELLED' },
    );
    behaviour.stalls = false;
    const source = await openSource(`${url}/rows.jsonl`);
    // The first ones came whole with the first answer.
    const shard = (await listShards(source, 50_000)).at(-1);
    behaviour.stalls = true;
    const reading = new AbortController();
    setTimeout(() => reading.abort(), 300);
    const position = { offset: shard!.start, row: 0, line: 0 };
    await assert.rejects(Array.fromAsync(source.read(shard!, position, { columns: [], signal: reading.signal })), {
      code: 'SLUICE_CANCELLED',
    });
    await source.close();
  },
);
