/** Every route: who may, by which method, with which parameters, and what the answer says of the server. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { parameterTexts, valued } from '../../src/server/http/parameter-list.ts';
import { routes } from '../../src/server/http/route-list.ts';
import type { Route } from '../../src/server/http/route-table.ts';
import { permissions } from '../../src/server/http/users.ts';
import { startServer, type TestServer } from './server.ts';

let server: TestServer;
let guarded: TestServer;

/** One user for each permission, so that each route can be tried with all but its own. */
const users = permissions.map((name) => ({ username: name, password: `p-${name}`, perms: [name] }));

before(async () => {
  server = await startServer({});
  guarded = await startServer({ auth: users });
});

after(async () => {
  await server.close();
  await guarded.close();
});

interface Call {
  readonly method?: string;
  readonly body?: string | Uint8Array<ArrayBuffer>;
  readonly user?: string;
  readonly password?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

async function call(at: TestServer, target: string, { method = 'GET', body, user, password, headers }: Call = {}): Promise<Response> {
  const authorization =
    user === undefined ? {} : { Authorization: `Basic ${Buffer.from(`${user}:${password ?? `p-${user}`}`).toString('base64')}` };
  return fetch(`${at.url}${target}`, {
    method,
    redirect: 'manual',
    headers: { 'Content-Type': 'application/json', ...authorization, ...headers },
    ...(body === undefined ? {} : { body }),
  });
}

function methodOf(route: Route): string {
  return route.methods === 'any' ? 'GET' : (route.methods[0] ?? 'GET');
}

const targetOf = (route: Route): string => (route.path === '/loads/' ? '/loads/x' : route.path);

test('each route refuses whoever has no name, a wrong password, or every permission but its own', async () => {
  for (const route of routes.filter(({ permissions: needed }) => needed.length > 0)) {
    const method = methodOf(route);
    const body = method === 'GET' ? {} : { body: '[' };
    for (const user of [undefined, ...permissions.filter((name) => name !== 'all' && !route.permissions.includes(name))]) {
      const refused = await call(guarded, targetOf(route), { method, ...body, ...(user === undefined ? {} : { user }) });
      assert.equal(refused.status, 401, `${route.path} as ${user}`);
      assert.equal(refused.headers.get('content-type'), route.refusalType ?? null, route.path);
      assert.equal(refused.headers.get('www-authenticate'), 'Basic realm="rqlite"');
      assert.equal(await refused.text(), '');
    }
    const wrong = await call(guarded, targetOf(route), { method, ...body, user: 'all', password: 'wrong' });
    assert.equal(wrong.status, 401, route.path);
    await wrong.text();
    const allowed = await call(guarded, targetOf(route), { method, ...body, user: 'all' });
    assert.notEqual(allowed.status, 401, route.path);
    await allowed.text();
  }
});

test('a route that needs one permission is open to whoever has it', async () => {
  for (const route of routes.filter(({ permissions: needed }) => needed.length === 1)) {
    const method = methodOf(route);
    const user = route.permissions[0] ?? '';
    const response = await call(guarded, targetOf(route), { method, user, ...(method === 'GET' ? {} : { body: '[' }) });
    assert.notEqual(response.status, 401, route.path);
    await response.text();
  }
});

test('pages without data, OPTIONS and unknown paths need no name', async () => {
  for (const target of ['/', '/console', '/console/', '/docs', '/openapi.json', '/nope']) {
    const response = await call(guarded, target);
    assert.notEqual(response.status, 401, target);
    await response.text();
  }
  const preflight = await call(guarded, '/db/execute', { method: 'OPTIONS' });
  assert.equal(preflight.status, 200);
  assert.equal(preflight.headers.get('access-control-allow-headers'), 'Content-Type, Authorization');
});

test('another method is refused with 405 and without a body', async () => {
  for (const route of routes.filter(({ methods }) => methods !== 'any')) {
    const wrong = ['GET', 'POST', 'PUT', 'DELETE'].find((method) => !(route.methods as readonly string[]).includes(method)) ?? 'PATCH';
    const response = await call(server, targetOf(route), { method: wrong });
    assert.equal(response.status, 405, `${wrong} ${route.path}`);
    assert.equal(response.headers.get('content-type'), route.refusalType ?? null, route.path);
    assert.equal(await response.text(), '');
  }
});

test('unknown parameters pass, but with strict they are refused by name, on every route', async () => {
  for (const route of routes) {
    const method = methodOf(route);
    const body = method === 'GET' ? {} : { body: '[' };
    const refused = await call(server, `${targetOf(route)}?strict&transation&pretty&x=1`, { method, ...body });
    assert.equal(refused.status, 400, route.path);
    assert.equal(await refused.text(), 'unknown parameter: transation, x\n', route.path);
  }
  const known = await call(server, '/db/execute?strict&transaction&timings', { method: 'POST', body: '["SELECT 1"]' });
  assert.equal(known.status, 200);
  const unknown = await call(server, '/db/execute?transation', { method: 'POST', body: '["SELECT 1"]' });
  assert.equal(unknown.status, 200);
});

test('every parameter of every route is described, and every one that is described is taken somewhere', () => {
  const taken = new Set(routes.flatMap(({ parameters }) => parameters));
  assert.deepEqual([...taken].toSorted(), Object.keys(parameterTexts).toSorted());
  for (const name of valued) assert.ok(taken.has(name));
});

test('the description names every route, and its page holds nothing from elsewhere', async () => {
  const document = (await (await call(server, '/openapi.json')).json()) as {
    openapi: string;
    paths: Record<string, Record<string, unknown>>;
  };
  assert.equal(document.openapi, '3.1.0');
  for (const route of routes) {
    for (const { path: shown, methods: own = route.methods } of route.shown ?? [{ path: route.path }]) {
      const methods = own === 'any' ? ['GET'] : own;
      assert.deepEqual(
        Object.keys(document.paths[shown] ?? {}).toSorted(),
        methods.map((method) => method.toLowerCase()).toSorted(),
        shown,
      );
    }
  }
  const ids = Object.values(document.paths).flatMap((path) =>
    Object.values(path).map((method) => (method as { operationId: string }).operationId),
  );
  assert.equal(new Set(ids).size, ids.length, 'operation ids are different');
  for (const target of ['/docs', '/console/']) {
    const page = await call(server, target);
    const text = await page.text();
    assert.doesNotMatch(text, /<script|<link|src=|@import|url\(/);
    assert.match(page.headers.get('content-security-policy') ?? '', /default-src 'none'/);
  }
});

test('status, nodes, leader and readiness say what a single node says', async () => {
  const json = async (target: string): Promise<unknown> => (await call(server, target)).json();
  const address = `127.0.0.1:${server.port}`;
  const node = (await json('/nodes')) as Record<string, { api_addr: string; leader: boolean }>;
  assert.equal(node['1']?.api_addr, `http://${address}`);
  assert.deepEqual(await json('/nodes?ver=2'), { nodes: [await json('/leader')] });
  assert.deepEqual(await json('/status?key=store.leader'), { addr: `127.0.0.1:${server.port + 1}`, node_id: '1' });
  assert.equal(await json('/status?key=store.raft.state'), 'Leader');
  assert.equal(await json('/status?key=http.bind_addr'), address);
  const pretty = await (await call(server, '/status?pretty')).text();
  assert.match(pretty, /^\{\n {4}"build": \{\n/);
  assert.equal((await call(server, '/leader', { method: 'POST' })).status, 503);
  assert.equal(await (await call(server, '/readyz?sync')).text(), '[+]node ok\n[+]leader ok\n[+]store ok\n[+]sync ok\n[+]db ok');
  assert.deepEqual(Object.keys((await json('/debug/vars?key=http')) as object), ['http']);
});

test('a snapshot without anything new is 204', async () => {
  const at = await startServer({});
  try {
    await (await call(at, '/db/execute', { method: 'POST', body: '["CREATE TABLE a (x)"]' })).text();
    const statuses = [];
    for (let index = 0; index < 2; index++) statuses.push((await call(at, '/snapshot', { method: 'POST' })).status);
    assert.deepEqual(statuses, [200, 204]);
  } finally {
    await at.close();
  }
});

test('metrics tell of requests by route and status, of the queue and of the database', async () => {
  await (await call(server, '/db/query?q=SELECT%201')).text();
  const text = await (await call(server, '/metrics')).text();
  assert.match(text, /sluice_http_requests_total\{route="\/db\/query",status="200"\} \d+/);
  for (const name of ['sluice_queue_depth', 'sluice_database_bytes', 'process_resident_memory_bytes', 'sluice_writes_total']) {
    assert.match(text, new RegExp(`^${name} \\d`, 'm'));
  }
});

test('queued requests are acknowledged with numbers that rise, and their outcomes can be read', async () => {
  const queue = async (body: string, more = ''): Promise<Response> =>
    call(server, `/db/execute?queue&wait${more}`, { method: 'POST', body });
  await (await call(server, '/db/execute', { method: 'POST', body: '["CREATE TABLE queued (a)"]' })).text();
  const first = await (await queue('["INSERT INTO queued VALUES(1)"]')).text();
  const second = await (await queue('["INSERT INTO queued VALUES(2)", "INSERT INTO nope VALUES(1)"]')).text();
  const barrier = await (await queue('[]')).text();
  const numbers = [first, second, barrier].map((text) => BigInt(/^\{"results":\[\],"sequence_number":(\d+)\}$/.exec(text)?.[1] ?? 0));
  assert.ok(numbers[0]! > 0n && numbers[1]! > numbers[0]! && numbers[2]! > numbers[1]!);
  const outcomes = await (await call(server, `/queue/outcomes?since=${numbers[0]}`)).text();
  assert.match(
    outcomes,
    new RegExp(`"sequence_number":${numbers[1]},"applied":1,"errors":\\[\\{"index":1,"message":"no such table: nope"\\}\\]`),
  );
  const refusals: readonly (readonly [string, string])[] = [
    ['', 'invalid JSON body\n'],
    ['[]', 'no statements\n'],
    ['[1]', 'invalid request\n'],
  ];
  for (const [body, message] of refusals) {
    const refused = await call(server, '/db/execute?queue', { method: 'POST', body });
    assert.equal(refused.status, 400);
    assert.equal(await refused.text(), message);
  }
  const text = await call(server, '/db/execute?queue&wait', {
    method: 'POST',
    body: 'INSERT INTO queued VALUES(3)',
    headers: { 'Content-Type': 'text/plain' },
  });
  assert.equal(text.status, 200);
  const count = await (await call(server, '/db/query?q=SELECT%20count(*)%20FROM%20queued')).text();
  assert.match(count, /\[\[3\]\]/);
});
