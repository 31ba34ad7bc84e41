/** Requests that nobody would write, in great number: each is answered, none stops the server. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { parameterTexts } from '../../src/server/http/parameter-list.ts';
import { routes } from '../../src/server/http/route-list.ts';
import { callRaw, openSocket } from './http-socket.ts';
import { startServer } from './server.ts';

const seed = Number(process.env['SLUICE_FUZZ_SEED'] ?? Date.now() % 2 ** 31);
const requestCount = 100_000;
/** Sent in one piece over one connection. */
const pipelined = 200;
const connections = 8;

interface Random {
  below(limit: number): number;
  pick<T>(from: readonly T[]): T;
  text(maxLength: number): string;
}

/** Mulberry32: small, seeded, good enough to choose with. */
function makeRandom(start: number): Random {
  let state = start;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    below,
    pick: (from) => from[below(from.length)]!,
    text: (maxLength) => String.fromCharCode(...Array.from({ length: below(maxLength) }, () => 33 + below(94))),
  };
}

/** Routes whose work takes long are asked for rarely: it is the reading of requests that is tried here. */
const costly = new Set(['/db/backup', '/boot', '/loads', '/loads/', '/openapi.json', '/docs', '/status']);
const cheap = routes.filter(({ path }) => !costly.has(path)).map(({ path }) => path);
const names = Object.keys(parameterTexts).filter((name) => !['wait', 'db_timeout', 'table'].includes(name));
const values = ['', '1', 'true', '5s', '-1h', 'bad', '%00', '%zz', '%', '9'.repeat(30), 'a.b.c', 'strong', '🙂'];
const bodies = [
  '',
  '[]',
  '[',
  '{}',
  'null',
  '["SELECT 1"]',
  '["SELECT 1", ["SELECT ?", 1]]',
  '[["SELECT :a", {"a": null}]]',
  '[[1]]',
  '["CREATE TABLE f (a)"]',
  '["INSERT INTO f VALUES(1)"]',
  '["PRAGMA journal_mode=DELETE"]',
  '["ATTACH \'x\' AS y"]',
  '"\\ud800"',
  `${'['.repeat(500)}`,
  '{"id":"1"}',
  '{"id":"2"}',
];
const methods = ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'HEAD', 'PROPFIND'];
const headers = [
  'Content-Type: application/json',
  'Content-Type: text/plain',
  'Authorization: Basic !!!',
  'Authorization: Basic YTpi',
  'X: y',
  'Accept: */*',
];

function writePath(random: Random): string {
  const path = random.below(50) === 0 ? random.pick([...costly]) : random.pick(cheap);
  const kind = random.below(10);
  if (kind === 0) return `/${random.text(20).replaceAll(/[?#]/g, '')}`;
  if (kind === 1) return `${path}${random.text(8).replaceAll(/[?#]/g, '')}`;
  if (kind === 2) return path.replace(/[a-z]/, (letter) => `%${letter.charCodeAt(0).toString(16)}`);
  if (kind === 3) return random.pick([path.toUpperCase(), `/${path}`, `${path}/`, `${path}/../x`, `${path}%`, `http://h${path}`]);
  return path;
}

function writeQuery(random: Random): string {
  const pieces = Array.from({ length: random.below(5) }, () => {
    const kind = random.below(12);
    if (kind === 0) return random.text(12).replaceAll('#', '');
    if (kind === 1) return '&';
    return `${random.pick(names)}${random.pick(['', '=', `=${encodeURI(random.pick(values))}`])}`;
  });
  return pieces.length === 0 ? '' : `?${pieces.join(random.below(30) === 0 ? ';' : '&')}`;
}

function writeRequest(random: Random): Buffer {
  const method = random.pick(methods);
  const body = Buffer.from(random.below(4) === 0 ? random.text(60) : random.pick(bodies));
  const lines = [
    `${method} ${writePath(random)}${writeQuery(random)} HTTP/1.1`,
    'Host: fuzz',
    `Content-Length: ${body.length}`,
    random.pick(headers),
  ];
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), body]);
}

/** Reads so many answers, with what each says of its length; a HEAD has none, so that its method must be known. */
async function readStatuses(socket: Socket, requests: readonly Buffer[]): Promise<Map<number, number>> {
  const found = new Map<number, number>();
  let rest: Buffer = Buffer.alloc(0);
  let answered = 0;
  const isHead = requests.map((request) => request.subarray(0, 5).toString('latin1') === 'HEAD ');
  while (answered < requests.length) {
    const [piece] = (await once(socket, 'data')) as [Buffer];
    rest = Buffer.concat([rest, piece]);
    for (;;) {
      const head = rest.indexOf('\r\n\r\n');
      if (head < 0) break;
      const text = rest.toString('latin1', 0, head);
      const length = isHead[answered] === true ? 0 : Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
      const isChunked = /transfer-encoding: chunked/i.test(text) && isHead[answered] !== true;
      const end = isChunked ? rest.indexOf('\r\n0\r\n\r\n', head) + 7 : head + 4 + length;
      if (end < head + 4 || rest.length < end) break;
      const status = Number(text.slice(9, 12));
      found.set(status, (found.get(status) ?? 0) + 1);
      rest = rest.subarray(end);
      answered++;
    }
  }
  return found;
}

test(`${requestCount} requests made by chance are all answered (seed ${seed})`, { timeout: 60_000 }, async (context) => {
  context.diagnostic(`seed ${seed}: SLUICE_FUZZ_SEED=${seed} makes the same requests`);
  const server = await startServer({ auth: [{ username: '*', perms: ['all'] }] });
  const random = makeRandom(seed);
  const totals = new Map<number, number>();
  try {
    const run = async (count: number): Promise<void> => {
      const socket = await openSocket(server);
      const early = once(socket, 'close').then(() => Promise.reject(new Error('the server closed the connection')));
      early.catch(() => undefined);
      for (let sent = 0; sent < count; sent += pipelined) {
        const requests = Array.from({ length: pipelined }, () => writeRequest(random));
        socket.write(Buffer.concat(requests));
        for (const [status, times] of await Promise.race([readStatuses(socket, requests), early]))
          totals.set(status, (totals.get(status) ?? 0) + times);
      }
      socket.destroy();
    };
    await Promise.all(Array.from({ length: connections }, () => run(Math.ceil(requestCount / connections))));
    const answered = [...totals.values()].reduce((sum, times) => sum + times, 0);
    context.diagnostic(JSON.stringify(Object.fromEntries([...totals].toSorted(([a], [b]) => a - b))));
    assert.ok(answered >= requestCount);
    for (const status of [200, 400, 404, 405]) assert.ok(totals.has(status), `${status} was among the answers`);
    assert.deepEqual(
      [...totals.keys()].filter((status) => ![200, 204, 301, 302, 400, 404, 405, 408, 500, 503].includes(status)),
      [],
    );
    await tryGarbage(random, server);
    const response = await fetch(`${server.url}/readyz`);
    assert.equal(response.status, 200);
  } finally {
    await server.close();
  }
});

/** Bytes that are not even requests, and requests that break off. */
async function tryGarbage(random: Random, server: Parameters<typeof callRaw>[0]): Promise<void> {
  const call = async (): Promise<void> => {
    const bytes = Buffer.from(Array.from({ length: 1 + random.below(300) }, () => random.below(256)));
    const whole = writeRequest(random);
    const sent =
      random.below(2) === 0 ? bytes : Buffer.concat([whole.subarray(0, random.below(whole.length)), bytes.subarray(0, random.below(20))]);
    await callRaw(server, sent, { halfCloses: true });
  };
  for (let round = 0; round < 50; round++) await Promise.all(Array.from({ length: 20 }, call));
}
