/** Every recorded step that needs no HTTP, played on the engine alone: the answers are those of a real rqlited, byte for byte. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { DataOptions, DataRoute, Reply } from '../../src/server/engine/contract.ts';
import { plainOptions, readReply, type TestEngine, withEngine } from './engine-database.ts';

interface Step {
  readonly name: string;
  readonly scenario: string;
  readonly group: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  readonly bodyEncoding: BufferEncoding;
  readonly status: number;
  readonly contentType: string | null;
  readonly match: string;
  readonly response: string;
}

const groups = new Set(
  'execute params body bulk-errors transaction constraints counters format values decltypes blobs text multi pragma user-tx query request returning rewrite timeouts ddl misc large'.split(
    ' ',
  ),
);

/** Steps that are answered otherwise on purpose. */
const differences: ReadonlyMap<string, string> = new Map([
  ['pragma/14', 'a PRAGMA with a comment in front is refused as any other is; rqlite lets it through, and it fails with a lock error'],
]);

const steps = readFileSync(new URL('./recordings/recordings.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Step)
  .filter(({ group, scenario }) => groups.has(group) || scenario === 'load-sql');

function readDuration(text: string | null): number | undefined {
  if (text === null) return undefined;
  return text.endsWith('ms') ? Number(text.slice(0, -2)) : Number(text.slice(0, -1)) * 1000;
}

function readOptions(query: URLSearchParams): DataOptions {
  return {
    ...plainOptions,
    isTransaction: query.has('transaction'),
    isPretty: query.has('pretty'),
    hasTimings: query.has('timings'),
    isAssociative: query.has('associative'),
    usesBlobArrays: query.has('blob_array'),
    qualifiesColumns: query.has('qualify_columns'),
    addsRaftIndex: query.has('raft_index'),
    isStrong: query.get('level') === 'strong',
    dbTimeoutMs: readDuration(query.get('db_timeout')),
    parses: !query.has('noparse'),
    rewritesRandom: !query.has('norwrandom'),
    rewritesTime: !query.has('norwtime'),
  };
}

function normalize(text: string, folder: string): string {
  return text
    .replace(/"time":( ?)-?[\d.e+-]+/g, '"time":$10')
    .replace(/"raft_index":( ?)\d+/g, '"raft_index":$10')
    .replaceAll(folder, 'DATADIR');
}

/** The answer to a step; undefined where it is the routes' business. */
async function play({ engine }: TestEngine, step: Step): Promise<Reply | undefined> {
  const url = new URL(step.path, 'http://localhost');
  const route = /^\/db\/(execute|query|request|sql|load)$/.exec(url.pathname)?.[1];
  const question = url.searchParams.get('q') ?? '';
  const isGet = step.method === 'GET';
  if (route === undefined || step.status === 405 || (isGet && question === '') || /freshness|timeout=zz/.test(step.path)) return undefined;
  const body = isGet ? Buffer.from(question) : Buffer.from(step.body ?? '', step.bodyEncoding);
  const options = readOptions(url.searchParams);
  if (route === 'load') return engine.runScript(body, options);
  const isPlainText = isGet || (step.headers['Content-Type'] ?? '').startsWith('text/plain');
  const request = { route: (route === 'sql' ? 'query' : route) as DataRoute, body, isPlainText, options };
  return route === 'sql' ? engine.analyze(request) : engine.handle(request);
}

for (const scenario of new Set(steps.map((step) => step.scenario))) {
  test(`the engine answers as the recorded rqlited does: ${scenario}`, async () => {
    await withEngine(async (engine) => {
      for (const step of steps.filter((each) => each.scenario === scenario)) {
        const reply = await play(engine, step);
        if (reply === undefined || differences.has(step.name)) continue;
        const { status, contentType, text } = await readReply(reply);
        const got = normalize(text, engine.folder);
        assert.equal(status, step.status, `${step.name}: ${got}`);
        // The routes of /db/load answer as text, and know that themselves.
        if (step.group !== 'load') assert.equal(contentType, step.contentType, step.name);
        if (step.match === 'exact') assert.equal(got, normalize(step.response, engine.folder), step.name);
        else if (step.match === 'regex') assert.match(got, new RegExp(`^(?:${step.response})$`), step.name);
      }
    });
  });
}
