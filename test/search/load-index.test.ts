/** The index at the end of a load: stopped or killed while it is built, the load resumes and ends with an index that is right. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { isSluiceError } from '../../src/errors.ts';
import { load } from '../../src/load/load.ts';
import { openSearch } from '../../src/search/search.ts';
import { createRandom, dimensions, drawVector, makeFolder } from './fixture.ts';

const rows = 6_000;

/** Options of a load that ends with an index. */
function prepareLoad(t: TestContext): { readonly file: string; readonly options: Parameters<typeof load>[0] } {
  const folder = makeFolder(t);
  const random = createRandom(7);
  const lines = Array.from({ length: rows }, (_, id) => JSON.stringify({ id: id + 1, v: [...drawVector(random)] }));
  const from = join(folder, 'rows.jsonl');
  writeFileSync(from, `${lines.join('\n')}\n`);
  const file = join(folder, 'library.db');
  return {
    file,
    options: { from, to: `sqlite:${file}`, table: 'docs', key: ['id'], types: { v: `vector(${dimensions})` }, index: { build: 'always' } },
  };
}

function listTemporary(file: string): readonly string[] {
  return readdirSync(dirname(file)).filter((name) => name.startsWith(basename(file)) && name.endsWith('.tmp'));
}

async function checkIndex({ to, table }: Parameters<typeof load>[0]): Promise<void> {
  const opened = await openSearch({ in: to, table });
  try {
    const query = drawVector(createRandom(11));
    const { hits } = await opened.search(query, { way: 'index' });
    assert.deepEqual(hits[0], (await opened.search(query, { way: 'exact' })).hits[0]);
    const { recall, way } = await opened.measureRecall({ queries: 20 });
    assert.equal(way, 'index');
    assert.ok(recall >= 0.95, `recall ${String(recall)}`);
  } finally {
    await opened.close();
  }
}

test('a load that is stopped while its index is built leaves no temporary file, and ends with the index when it is run again', async (t) => {
  const { file, options } = prepareLoad(t);
  const stopping = new AbortController();
  let isBuilding = false;
  const onProgress: Parameters<typeof load>[0]['onProgress'] = ({ phase, indexed }) => {
    if (phase !== 'index' || isBuilding) return;
    isBuilding = true;
    assert.ok(indexed === undefined || indexed.done < rows);
    stopping.abort();
  };
  await load({ ...options, signal: stopping.signal, onProgress }).then(
    (report) => assert.equal(report.state, 'cancelled'),
    (error: unknown) => assert.ok(isSluiceError(error, 'SLUICE_CANCELLED'), String(error)),
  );
  assert.ok(isBuilding);
  assert.deepEqual(listTemporary(file), []);
  const report = await load(options);
  assert.equal(report.state, 'done');
  assert.equal(report.counts.written, rows);
  assert.equal(report.index?.rows, rows);
  await checkIndex(options);
});

test('a load whose process is killed while its index is built ends with the index when it is run again', async (t) => {
  const { file, options } = prepareLoad(t);
  const module = new URL('../../src/load/load.ts', import.meta.url).href;
  const script = `import { load } from ${JSON.stringify(module)};
await load({ ...${JSON.stringify(options)}, onProgress: ({ indexed }) => { if (indexed?.done > 0) process.stdout.write('.'); } });`;
  const program = `${file}.mjs`;
  writeFileSync(program, script);
  const child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] });
  await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
  child.kill('SIGKILL');
  if (child.signalCode === null && child.exitCode === null) await once(child, 'exit');
  assert.equal(child.signalCode, 'SIGKILL');
  const report = await load(options);
  assert.equal(report.counts.written, rows);
  assert.equal(report.index?.rows, rows);
  assert.deepEqual(listTemporary(file), []);
  await checkIndex(options);
});
