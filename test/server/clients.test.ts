/** The requests that clients in Go, Python and Java are known to send, byte for byte as they send them, get the answers that those clients read. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startServer, type TestServer } from './server.ts';

let server: TestServer;
before(async () => {
  server = await startServer({});
});
after(() => server.close());

interface Sent {
  readonly status: number;
  readonly text: string;
  readonly json: () => Record<string, never>;
}

/** `line` is method and path. */
async function send(line: string, body?: string, headers: Readonly<Record<string, string>> = {}): Promise<Sent> {
  const [method = '', path = ''] = line.split(' ', 2);
  const response = await fetch(`${server.url}${path}`, { method, headers, ...(body === undefined ? {} : { body }), redirect: 'manual' });
  const text = await response.text();
  return { status: response.status, text, json: () => JSON.parse(text) as Record<string, never> };
}

const json = { 'Content-Type': 'application/json' };

describe('a Go client (gorqlite)', () => {
  it('finds the leader and its peers before it starts', async () => {
    const status = (await send('GET /status?pretty&timings')).json() as {
      store?: { leader?: { node_id: string; addr: string }; raft?: { state: string } };
    };
    assert.equal(status.store?.raft?.state, 'Leader');
    assert.ok(status.store.leader?.node_id);
    const nodes = (await send('GET /nodes?nonvoters&timeout=1s')).json() as Record<
      string,
      { api_addr: string; addr: string; reachable: boolean; leader: boolean }
    >;
    const [node] = Object.values(nodes);
    assert.deepEqual([Object.keys(nodes).length, node?.reachable, node?.leader], [1, true, true]);
    assert.equal(node?.api_addr, server.url);
  });

  it('writes in a transaction with timings, and reads with a level', async () => {
    const path = '/db/execute?timings&level=weak&transaction';
    const made = await send(
      `POST ${path}`,
      '["DROP TABLE IF EXISTS secret_agents","CREATE TABLE secret_agents (id INTEGER PRIMARY KEY, name TEXT, secret BLOB)"]',
      json,
    );
    assert.equal(made.status, 200);
    assert.match(made.text, /^\{"results":\[\{.*"time":[\d.e-]+\},\{.*"time":[\d.e-]+\}\],"time":[\d.e-]+\}$/u);
    const written = await send(
      `POST ${path}`,
      '[["INSERT INTO secret_agents(id, name, secret) VALUES(?, ?, ?)",7,"James","x\'00ff\'"]]',
      json,
    );
    assert.match(written.text, /"last_insert_id":7,"rows_affected":1/u);
    const read = await send('POST /db/query?timings&level=weak', '[["SELECT id, name, secret FROM secret_agents WHERE id > ?",1]]', json);
    assert.match(
      read.text,
      /^\{"results":\[\{"columns":\["id","name","secret"\],"types":\["integer","text","blob"\],"values":\[\[7,"James","AP8="\]\],"time":/u,
    );
  });

  it('queues a write and gets a number of 64 bits', async () => {
    const queued = await send(
      'POST /db/execute?queue&wait&timeout=10s',
      '[["INSERT INTO secret_agents(id, name) VALUES(?, ?)",8,"Bill"]]',
      json,
    );
    assert.match(queued.text, /^\{"results":\[\],"sequence_number":\d{19}\}$/u);
    const count = await send('POST /db/query?level=linearizable', '["SELECT count(*) FROM secret_agents"]', json);
    assert.match(count.text, /"values":\[\[2\]\]/u);
  });
});

describe('a Python client (pyrqlite)', () => {
  it('reads by GET with the statement in the query, and writes JSON with a charset', async () => {
    const type = { 'Content-Type': 'application/json; charset=UTF-8' };
    const made = await send('POST /db/execute?transaction', '["CREATE TABLE py (id integer primary key, name text, born date)"]', type);
    assert.equal(made.status, 200);
    assert.match(made.text, /^\{"results":\[\{[^[\]]*\}\]\}$/u);
    const many = await send(
      'POST /db/execute?transaction',
      JSON.stringify(["INSERT INTO py(name, born) VALUES('o''neil', '2004-02-14')", "INSERT INTO py(name) VALUES('b')"]),
      type,
    );
    assert.equal(many.text, '{"results":[{"last_insert_id":1,"rows_affected":1},{"last_insert_id":2,"rows_affected":1}]}');
    const read = await send(`GET /db/query?q=${encodeURIComponent('SELECT * FROM py ORDER BY id')}`);
    assert.equal(
      read.text,
      '{"results":[{"columns":["id","name","born"],"types":["integer","text","date"],"values":[[1,"o\'neil","2004-02-14T00:00:00Z"],[2,"b",null]]}]}',
    );
    const plus = await send('GET /db/query?q=SELECT+count(*)+AS+n+FROM+py');
    assert.match(plus.text, /"values":\[\[2\]\]/u);
  });
});

describe('a Java client (JDBC)', () => {
  it('sends everything to one route, with named rows and qualified columns', async () => {
    const path = '/db/request?level=weak&timings&blob_array';
    await send(
      `POST ${path}`,
      '["CREATE TABLE jdbc (id INTEGER PRIMARY KEY AUTOINCREMENT, flag BOOLEAN, at TIMESTAMP, data BLOB, big BIGINT)"]',
      json,
    );
    const body =
      '[["INSERT INTO jdbc(flag, at, data, big) VALUES(?, ?, ?, ?)",true,1700000000,[1,2,255],9223372036854775807],["SELECT * FROM jdbc"]]';
    const mixed = await send(`POST ${path}`, body, json);
    assert.match(mixed.text, /\{"last_insert_id":1,"rows_affected":1,"time":/u);
    assert.match(mixed.text, /"types":\["integer","boolean","timestamp","blob","bigint"\]/u);
    assert.match(mixed.text, /"values":\[\[1,true,"2023-11-14T22:13:20Z",\[1,2,255\],9223372036854775807\]\]/u);
    const named = await send('POST /db/query?associative', '["SELECT id, big FROM jdbc"]', json);
    assert.equal(named.text, '{"results":[{"types":{"big":"bigint","id":"integer"},"rows":[{"big":9223372036854775807,"id":1}]}]}');
    const returned = await send('POST /db/execute', '[["INSERT INTO jdbc(big) VALUES(?) RETURNING id",1]]', json);
    assert.equal(returned.text, '{"results":[{"columns":["id"],"types":["integer"],"values":[[2]]}]}');
  });
});

describe('curl', () => {
  it('sends a form by default, which is JSON all the same', async () => {
    const sent = await send('POST /db/execute?pretty', '["CREATE TABLE curl (a)"]', {
      'Content-Type': 'application/x-www-form-urlencoded',
    });
    assert.match(sent.text, /^\{\n {4}"results": \[\n {8}\{[^[\]]*\}\n {4}\]\n\}$/u);
    const plain = await send('POST /db/execute', 'INSERT INTO curl VALUES(1); INSERT INTO curl VALUES(2)', {
      'Content-Type': 'text/plain',
    });
    assert.equal(plain.text, '{"results":[{"last_insert_id":2,"rows_affected":1}]}');
  });
});
