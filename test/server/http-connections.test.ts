/** Connections as they come: pipelined, cut, slow, half closed, too many. Each is answered or ended, and the server goes on. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { callRaw, openSocket, readAnswers, writePost } from './http-socket.ts';
import { startServer, type TestServer } from './server.ts';

let server: TestServer;
/** Short deadlines, so that what is slow is slow within a test. */
let strict: TestServer;

before(async () => {
  server = await startServer({});
  strict = await startServer({
    limits: {
      maxBodyBytes: 64 * 1024,
      headerTimeoutMs: 400,
      bodyTimeoutMs: 400,
      idleTimeoutMs: 400,
      maxConnections: 20,
      writeTimeoutMs: 500,
    },
  });
});

after(async () => {
  await server.close();
  await strict.close();
});

const select = '["SELECT 1"]';
const answer = '{"results":[{"columns":["1"],"types":["integer"],"values":[[1]]}]}';

/** fetch would call a text `text/plain`, which is SQL here. */
const json = { 'Content-Type': 'application/json' };

async function countRows(at: TestServer, table: string): Promise<number> {
  const response = await fetch(`${at.url}/db/query?level=strong`, {
    method: 'POST',
    headers: json,
    body: JSON.stringify([`SELECT count(*) FROM ${table}`]),
  });
  const { results } = (await response.json()) as { results: readonly { values: readonly (readonly number[])[] }[] };
  return results[0]?.values[0]?.[0] ?? -1;
}

async function make(at: TestServer, table: string): Promise<void> {
  const response = await fetch(`${at.url}/db/execute`, {
    method: 'POST',
    headers: json,
    body: JSON.stringify([`CREATE TABLE ${table} (a)`]),
  });
  assert.equal(await response.text(), '{"results":[{}]}');
}

/** Until no more than so many connections are open, that of the question among them. */
async function waitForConnections(at: TestServer, most: number): Promise<void> {
  for (;;) {
    const { text } = await callRaw(at, 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n', { answers: 1 });
    if (Number(/sluice_http_connections (\d+)/.exec(text)?.[1]) <= most) return;
    await sleep(50);
  }
}

test('pipelined requests are answered in their order', async () => {
  const bytes = Array.from({ length: 50 }, (_, index) => writePost('/db/query', `["SELECT ${index}"]`)).join('');
  const { text, statuses } = await callRaw(server, bytes, { answers: 50 });
  assert.deepEqual(
    statuses,
    Array.from({ length: 50 }, () => 200),
  );
  const values = [...text.matchAll(/"values":\[\[(\d+)\]\]/g)].map((match) => Number(match[1]));
  assert.deepEqual(
    values,
    Array.from({ length: 50 }, (_, index) => index),
  );
});

test('500 connections at once are all answered', async () => {
  const answers = await Promise.all(Array.from({ length: 500 }, () => callRaw(server, writePost('/db/query', select), { answers: 1 })));
  assert.equal(answers.filter(({ text }) => text.endsWith(answer)).length, 500);
});

test('a client that shuts its side after the request is answered all the same', async () => {
  const { text, statuses } = await callRaw(server, writePost('/db/query', select), { halfCloses: true });
  assert.deepEqual(statuses, [200]);
  assert.ok(text.endsWith(answer));
});

test('a client of HTTP/1.0 is answered and the connection closed', async () => {
  const { text } = await callRaw(server, `POST /db/query HTTP/1.0\r\nContent-Length: ${select.length}\r\n\r\n${select}`);
  assert.ok(text.endsWith(answer));
  assert.doesNotMatch(text, /transfer-encoding/i);
  const get = await callRaw(server, 'GET /readyz HTTP/1.0\r\n\r\n');
  assert.match(get.text, /\[\+\]db ok$/);
});

test('a body in chunks is taken, byte by byte if need be', async () => {
  const chunks = select
    .split('')
    .map((letter) => `1\r\n${letter}\r\n`)
    .join('');
  const head = 'POST /db/query HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n';
  const { text } = await callRaw(server, `${head}${chunks}0\r\n\r\n`, { answers: 1 });
  assert.ok(text.endsWith(answer));
  const broken = await callRaw(server, `${head}zz\r\n`);
  assert.deepEqual(broken.statuses, [400]);
});

test('a client that asks first is told to go on, or why not', async () => {
  const expecting = writePost('/db/query', select, ['Expect: 100-continue']);
  const [head = '', body = ''] = expecting.split('\r\n\r\n');
  const socket = await openSocket(server);
  socket.write(`${head}\r\n\r\n`);
  const [first] = (await once(socket, 'data')) as [Buffer];
  assert.equal(first.toString(), 'HTTP/1.1 100 Continue\r\n\r\n');
  socket.write(body);
  assert.deepEqual((await readAnswers(socket, 1)).statuses, [200]);
  const large = await callRaw(strict, 'POST /db/query HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\nExpect: 100-continue\r\n\r\n');
  assert.deepEqual(large.statuses, [413]);
  assert.doesNotMatch(large.text, /100 Continue/);
  const missing = await callRaw(server, 'POST /nope HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n');
  assert.deepEqual(missing.statuses, [404]);
});

test('a body that is cut off is never run', async () => {
  await make(server, 'cut');
  const whole = writePost('/db/execute', '["INSERT INTO cut VALUES(1)"]');
  const promisesMore = whole.replace(/Content-Length: \d+/, 'Content-Length: 500');
  for (const bytes of [whole.slice(0, -1), promisesMore]) {
    const socket = await openSocket(server);
    socket.write(bytes);
    await sleep(50);
    socket.destroy();
    const { statuses } = await callRaw(server, bytes, { halfCloses: true });
    assert.ok(statuses.length === 0 || statuses[0] === 400, String(statuses));
  }
  const chunked = 'POST /db/execute HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1d\r\n["INSERT INTO cut VALUES(1)"]\r\n';
  await callRaw(server, chunked, { halfCloses: true });
  assert.equal(await countRows(server, 'cut'), 0);
});

test('a body that is longer than it says is another request, and refused', async () => {
  const { statuses } = await callRaw(server, writePost('/db/query', select).replace(/Content-Length: \d+/, 'Content-Length: 5'));
  assert.deepEqual(statuses, [400, 400]);
  const both = 'POST /db/query HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n';
  assert.deepEqual((await callRaw(server, both)).statuses, [400]);
  for (const length of ['-1', 'x', '1, 2', '99999999999999999999999']) {
    const bytes = `POST /db/query HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n${select}`;
    const { statuses: refused } = await callRaw(server, bytes, { halfCloses: true });
    assert.ok([400, 413].includes(refused[0] ?? 0), `${length}: ${String(refused)}`);
  }
});

test('a body above the limit is refused before it is read, or as soon as it is passed', async () => {
  const started = await callRaw(strict, 'POST /db/execute HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n[');
  assert.deepEqual(started.statuses, [413]);
  assert.match(started.text, /connection: close/i);
  const piece = `10000\r\n${'x'.repeat(65_536)}\r\n`;
  const passed = await callRaw(
    strict,
    `POST /db/execute HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${piece}${piece}${piece}`,
  );
  assert.deepEqual(passed.statuses, [413]);
  assert.match(passed.text, /\r\n\r\nrequest body too large\n$/);
});

test('headers above the limit are refused', async () => {
  const { statuses } = await callRaw(server, `GET /readyz HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(2 ** 20)}\r\n\r\n`);
  assert.deepEqual(statuses, [431]);
  const long = await callRaw(server, `GET /db/query?q=SELECT%201${'%20'.repeat(100_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, { answers: 1 });
  assert.deepEqual(long.statuses, [200]);
});

test('a body that drips is ended with 408, and so are headers that do', async () => {
  const drip = async (bytes: string): Promise<readonly number[]> => {
    const socket = await openSocket(strict);
    let at = 0;
    const timer = setInterval(() => socket.write(bytes[at++] ?? ''), 50);
    const { statuses } = await readAnswers(socket);
    clearInterval(timer);
    return statuses;
  };
  const head = 'POST /db/execute HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n';
  const socket = await openSocket(strict);
  socket.write(head);
  const timer = setInterval(() => socket.write('x'), 50);
  const [body, headers] = await Promise.all([readAnswers(socket), drip('GET /readyz HTTP/1.1\r\nHost: x\r\n'.padEnd(500, 'X'))]);
  clearInterval(timer);
  assert.deepEqual(body.statuses, [408]);
  assert.deepEqual(headers, [408]);
});

test('a connection that lies idle is closed', async () => {
  const socket = await openSocket(strict);
  socket.write('GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n');
  const { statuses } = await readAnswers(socket);
  assert.deepEqual(statuses, [200]);
});

test('a client that goes away in the middle of a long answer ends its making, and one that does not read is cut off', async () => {
  const sql = 'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<1000000) SELECT x, x, x FROM c';
  for (const leaves of [true, false]) {
    const socket = await openSocket(strict);
    socket.write(writePost('/db/query', JSON.stringify([sql])));
    await once(socket, 'readable');
    if (leaves) socket.destroy();
    await waitForConnections(strict, 1);
    socket.destroy();
  }
  const response = await fetch(`${strict.url}/db/query`, { method: 'POST', headers: json, body: select });
  assert.equal(await response.text(), answer);
});

test('connections above the limit are closed, and taken again when others have gone', async () => {
  const open = await Promise.all(Array.from({ length: 40 }, () => openSocket(strict)));
  await sleep(100);
  for (const socket of open) socket.destroy();
  await sleep(100);
  const { statuses } = await callRaw(strict, 'GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n', { answers: 1 });
  assert.deepEqual(statuses, [200]);
});

test('bytes that are no request are refused, and the next client is served', async () => {
  for (const bytes of ['\0\0\0\0\r\n\r\n', 'GET\r\n\r\n', 'GET / HTTP/9.9\r\n\r\n', '\x16\x03\x01\x02\x00\x01\x00', 'é'.repeat(100)]) {
    const { statuses } = await callRaw(server, bytes, { halfCloses: true });
    assert.ok(statuses.length === 0 || statuses[0] === 400, String(statuses));
  }
  const absolute = await callRaw(server, 'GET http://example.org/readyz HTTP/1.1\r\nHost: x\r\n\r\n', { answers: 1 });
  assert.deepEqual(absolute.statuses, [200]);
});

test('a server that is told to stop answers what is in flight and then ends', async () => {
  const stopping = await startServer({});
  const slow = 'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<1500000) SELECT count(*) FROM c';
  const idle = await openSocket(stopping);
  const idleEnd = once(idle.resume(), 'end');
  const inFlight = callRaw(stopping, writePost('/db/query', JSON.stringify([slow])));
  await sleep(100);
  await stopping.close();
  const { text, statuses } = await inFlight;
  assert.deepEqual(statuses, [200]);
  assert.match(text, /\[\[1500000\]\]/);
  assert.match(text, /connection: close/i);
  await idleEnd;
  idle.destroy();
  await assert.rejects(fetch(`${stopping.url}/readyz`));
});

test('large bodies that are being read at once take no more memory than all of them may; what is refused is not there, and room comes back', async () => {
  const narrow = await startServer({ limits: { maxBodyBytes: 300_000, maxBodiesBytes: 300_000 } });
  try {
    const first = await openSocket(narrow);
    const sql = `CREATE TABLE wide (a); -- ${'x'.repeat(250_000)}`;
    const request = writePost('/db/execute', JSON.stringify([sql]));
    first.write(request.slice(0, 200_000));
    // Until the server has that much of it, a second one fits.
    const other = writePost('/db/execute', JSON.stringify([`CREATE TABLE other (a); -- ${'x'.repeat(250_000)}`]));
    await sleep(100);
    const refused = await callRaw(narrow, other, { answers: 1 });
    assert.deepEqual(refused.statuses, [503]);
    assert.match(refused.text, /retry-after: 1/i);
    assert.deepEqual(
      (await callRaw(narrow, writePost('/db/execute', select), { answers: 1 })).statuses,
      [200],
      'small ones are not counted',
    );
    first.write(request.slice(200_000));
    assert.deepEqual((await readAnswers(first, 1)).statuses, [200]);
    const { text } = await callRaw(
      narrow,
      writePost('/db/query', "[\"SELECT group_concat(name) FROM sqlite_schema WHERE name IN ('wide', 'other')\"]"),
      { answers: 1 },
    );
    assert.match(text, /\[\["wide"\]\]/);
    assert.deepEqual((await callRaw(narrow, other, { answers: 1 })).statuses, [200]);
  } finally {
    await narrow.close();
  }
});
