/** Loads over HTTP: rows in, the account of them out; what breaks off can be resumed by its label, and other requests go on meanwhile. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openSocket } from './http-socket.ts';
import { startServer, type TestServer } from './server.ts';

let server: TestServer;

before(async () => {
  server = await startServer({});
});

after(async () => {
  await server.close();
});

interface Report {
  readonly load: string;
  readonly state: string;
  readonly counts: { readonly read: number; readonly written: number; readonly rejected: number };
}

async function post(parameters: string, body: string, contentType: string): Promise<Response> {
  return fetch(`${server.url}/loads?${parameters}`, { method: 'POST', body, headers: { 'Content-Type': contentType } });
}

async function query(sql: string): Promise<unknown> {
  const response = await fetch(`${server.url}/db/query?q=${encodeURIComponent(sql)}`);
  const { results } = (await response.json()) as { results: readonly { values?: readonly (readonly unknown[])[] }[] };
  return results[0]?.values;
}

test('rows of CSV and of JSON lines are loaded, each once, and accounted for', async () => {
  const csv = await post('table=people&key=id&types=age:integer', 'id,name,age\n1,ann,20\n2,bob,x\n3,eve,40\n', 'text/csv');
  assert.equal(csv.status, 200);
  const report = (await csv.json()) as Report;
  assert.deepEqual(report.counts, { read: 3, written: 2, skipped: 0, rejected: 1 });
  assert.equal(csv.headers.get('location'), `/loads/${report.load}`);
  const lines = await post(
    'table=people&key=id&mode=upsert&format=jsonl',
    '{"id":3,"name":"eva","age":41}\n{"id":4,"name":"dan","age":5}\n',
    '',
  );
  assert.equal(lines.status, 200, await lines.text());
  assert.deepEqual(await query('SELECT id, name, age FROM people ORDER BY id'), [
    [1, 'ann', 20],
    [3, 'eva', 41],
    [4, 'dan', 5],
  ]);
});

test('what is wrong with a load is told at once, all of it, and nothing is written', async () => {
  const wrong = await post('mode=merge&types=a:b&max_rejects=x', 'id\n1\n', 'application/json');
  assert.equal(wrong.status, 400);
  const { error } = (await wrong.json()) as { error: { code: string; problems: readonly string[] } };
  assert.equal(error.code, 'SLUICE_USAGE');
  assert.deepEqual(
    error.problems.map((problem) => problem.split(':', 1)[0]),
    ['table', 'format', 'mode', 'max_rejects', 'types'],
  );
  const refused = await post('table=none&mode=upsert', 'id\n1\n', 'text/csv');
  assert.equal(refused.status, 400);
  assert.match(await refused.text(), /SLUICE_PLAN_REFUSED/);
  assert.deepEqual(await query("SELECT name FROM sqlite_master WHERE name = 'none'"), undefined);
});

test('loads are listed, found by id and label, and told of as they happen', async () => {
  const report = (await (await post('table=labelled&label=nightly', 'id\n1\n2\n', 'text/csv')).json()) as Report;
  const { loads } = (await (await fetch(`${server.url}/loads`)).json()) as { loads: readonly { load: string }[] };
  assert.ok(loads.some(({ load }) => load === report.load));
  for (const name of [report.load, 'nightly']) {
    const found = (await (await fetch(`${server.url}/loads/${name}`)).json()) as { state: string };
    assert.equal(found.state, 'done');
    const events = await (await fetch(`${server.url}/loads/${name}/events`)).text();
    assert.match(events, /^event: done\ndata: \{.*"state":"done".*\}\n\n$/);
  }
  assert.equal((await fetch(`${server.url}/loads/nope`)).status, 404);
  assert.equal((await fetch(`${server.url}/loads/a/b/c`)).status, 404);
});

const rowCount = 60_000;
const rows = Array.from({ length: rowCount }, (_, id) => `${id},${'x'.repeat(100)}\n`);

test('a client that goes away leaves a load that its label resumes, and each row is there once', async () => {
  const socket = await openSocket(server);
  socket.write('POST /loads?table=cut&key=id&label=cut&format=csv HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n');
  const text = `id,text\n${rows.slice(0, rowCount / 2).join('')}7`;
  socket.write(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`);
  await sleep(300);
  socket.destroy();
  for (;;) {
    const found = (await (await fetch(`${server.url}/loads/cut`)).json()) as { state?: string };
    if (found.state !== undefined && found.state !== 'running') break;
    if (found.state === undefined) break;
    await sleep(50);
  }
  assert.notDeepEqual(await query('SELECT count(*) FROM cut WHERE length(text) < 100'), [[1]]);
  // The thread of the first may still be letting go of it.
  const again = await post('table=cut&key=id&label=cut', `id,text\n${rows.join('')}`, 'text/csv');
  assert.equal(again.status, 200, await again.clone().text());
  assert.equal(((await again.json()) as Report).state, 'done');
  assert.deepEqual(await query('SELECT count(*), count(DISTINCT id), min(length(text)) FROM cut'), [[rowCount, rowCount, 100]]);
});

test('requests are answered while a load waits for its rows, and its events are told meanwhile', async () => {
  const sending = request(`${server.url}/loads?table=slow&label=slow`, { method: 'POST', headers: { 'Content-Type': 'text/csv' } });
  sending.write(`id,text\n${rows.slice(0, 30_000).join('')}`);
  let events: Response;
  do {
    await sleep(50);
    events = await fetch(`${server.url}/loads/slow/events`);
  } while (events.status !== 200);
  const beside = await fetch(`${server.url}/db/execute`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: '["CREATE TABLE beside (a)", "INSERT INTO beside VALUES(1)"]',
  });
  assert.match(await beside.text(), /"last_insert_id":1/);
  sending.end(rows.slice(30_000).join(''));
  const [response] = (await once(sending, 'response')) as [IncomingMessage];
  response.resume();
  assert.equal(response.statusCode, 200);
  const told = await events.text();
  assert.match(told, /event: done\n/);
  assert.deepEqual(await query('SELECT count(*) FROM slow'), [[rowCount]]);
});

interface Steered {
  readonly load?: string;
  readonly state?: string;
  readonly error?: { readonly code: string; readonly hint: string };
}

async function steer(name: string, verb: string): Promise<{ readonly status: number; readonly body: Steered }> {
  const response = await fetch(`${server.url}/loads/${name}/${verb}`, { method: 'POST' });
  return { status: response.status, body: (await response.json()) as Steered };
}

async function waitForState(name: string, wanted: string): Promise<void> {
  for (let look = 0; look < 600; look++) {
    const found = (await (await fetch(`${server.url}/loads/${name}`)).json()) as { readonly state?: string };
    if (found.state === wanted) return;
    await sleep(50);
  }
  assert.fail(`${name} was never ${wanted}`);
}

test('a load that runs here is paused, goes on, and is cancelled over HTTP; its label goes on with it', async () => {
  const sending = request(`${server.url}/loads?table=steered&key=id&label=steered`, {
    method: 'POST',
    headers: { 'Content-Type': 'text/csv' },
  });
  const answered = once(sending, 'response') as Promise<[IncomingMessage]>;
  sending.write(`id,text\n${rows.slice(0, 30_000).join('')}`);
  await waitForState('steered', 'running');
  const paused = await steer('steered', 'pause');
  assert.ok(['pausing', 'paused'].includes(paused.body.state ?? ''), JSON.stringify(paused));
  assert.equal(paused.status, paused.body.state === 'paused' ? 200 : 202);
  await waitForState('steered', 'paused');
  const resumed = await steer('steered', 'resume');
  assert.deepEqual([resumed.status, resumed.body.state], [200, 'running']);
  assert.equal((await steer('steered', 'resume')).status, 409);
  const cancelled = await steer('steered', 'cancel');
  assert.ok(['cancelling', 'cancelled'].includes(cancelled.body.state ?? ''), JSON.stringify(cancelled));
  await waitForState('steered', 'cancelled');
  sending.end();
  const [response] = await answered;
  assert.equal(response.statusCode, 422);
  response.resume();
  assert.match((await steer('steered', 'resume')).body.error?.hint ?? '', /label/);
  const again = await post('table=steered&key=id&label=steered', `id,text\n${rows.join('')}`, 'text/csv');
  assert.equal(again.status, 200, await again.clone().text());
  assert.deepEqual(await query('SELECT count(*), count(DISTINCT id) FROM steered'), [[rowCount, rowCount]]);
  // Done: nothing to hold up.
  assert.deepEqual(await steer('steered', 'pause').then(({ status, body }) => [status, body.error?.code]), [409, 'SLUICE_USAGE']);
});

test('a command to a load that is not there, or none that there is, is told apart', async () => {
  assert.deepEqual(await steer('nope', 'cancel').then(({ status, body }) => [status, body.error?.code]), [404, 'SLUICE_LOAD_UNKNOWN']);
  for (const place of ['nightly/stop', 'nightly', 'nightly/pause/now'])
    assert.equal((await fetch(`${server.url}/loads/${place}`, { method: 'POST' })).status, 404, place);
  assert.equal((await fetch(`${server.url}/loads/nightly/pause`, { method: 'PUT' })).status, 405);
});

test('a server that serves nothing but reads refuses loads and queued writes', async () => {
  const { serve } = await import('../../src/server/serve.ts');
  const readOnly = await serve({ to: `sqlite:${server.folder}/db.sqlite`, listen: '127.0.0.1:0', isReadOnly: true });
  try {
    for (const target of ['/loads?table=x', '/loads/x/cancel', '/db/execute?queue', '/db/load', '/boot']) {
      const response = await fetch(`${readOnly.url}${target}`, {
        method: 'POST',
        body: '["SELECT 1"]',
        headers: { 'Content-Type': 'application/json' },
      });
      assert.equal(response.status, 403, target);
      await response.text();
    }
    const written = await fetch(`${readOnly.url}/db/execute`, {
      method: 'POST',
      body: '["CREATE TABLE no (a)"]',
      headers: { 'Content-Type': 'application/json' },
    });
    assert.match(await written.text(), /error/);
    const read = await fetch(`${readOnly.url}/db/query?q=SELECT%201`);
    assert.match(await read.text(), /\[\[1\]\]/);
  } finally {
    await readOnly.close();
  }
});
