/** From arguments and environment to the library's options: flags win, defaults stay the library's, all mistakes are told at once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Invocation } from '../../src/cli/invocation.ts';
import { buildProgram } from '../../src/cli/program.ts';
import { readAgainRequest, readLedgerRequest, readLoadRequest, readSearchRequest } from '../../src/cli/request.ts';
import { openTerminal } from '../../src/cli/terminal.ts';
import { SluiceError } from '../../src/errors.ts';

const terminal = openTerminal({});

async function parse(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Invocation> {
  let found: Invocation | undefined;
  const program = buildProgram({ ...terminal, env }, async (_open, invocation) => {
    found = invocation;
  });
  await program.parseAsync(args, { from: 'user' });
  assert.ok(found);
  found.ready();
  return found;
}

const where = ['--to', 'sqlite:a.db', '--table', 'docs'];

async function problemsOf(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<readonly string[]> {
  const invocation = await parse(args, env);
  try {
    (args[0] === 'search' ? readSearchRequest : readLoadRequest)(invocation);
  } catch (error) {
    assert.ok(error instanceof SluiceError && error.code === 'SLUICE_USAGE');
    return error.problems.length > 0 ? error.problems : [error.message];
  }
  return [];
}

test('what was not asked for is left to the library', async () => {
  const { options, output } = readLoadRequest(await parse(['load', 'a.jsonl', ...where]));
  assert.deepEqual(options, { from: 'a.jsonl', to: 'sqlite:a.db', table: 'docs' });
  assert.deepEqual(output, { isJson: false, progress: 'auto', report: undefined });
});

test('every option of a load reaches the library in its own type', async () => {
  const args = `load a.csv - --key id,lang --mode upsert --format csv --columns a,b --delimiter tab --quote '' --null NULL --max-row-bytes 1MiB
    --column age:integer --column v:vector(3) --map name=full_name --map n=num --skip-column junk --embed text --with mock --dimensions 8 --seed 7 --into v2
    --empty-text null --document-prefix d: --query-prefix q: --cache c.db --cache-max-bytes 2GB --metric l2 --index always --lanes 3 --batch-bytes 4MB --batch-rows 500
    --lock-timeout 2s --max-rejects 0.5% --rejects-without-rows --label nightly --again --progress none --json --report r.json`;
  const words = args.split(/\s+/).map((word) => (word === "''" ? '' : word));
  const { options, output } = readLoadRequest(await parse([...words, ...where]));
  assert.deepEqual(options, {
    from: ['a.csv', '-'],
    to: 'sqlite:a.db',
    table: 'docs',
    key: ['id', 'lang'],
    mode: 'upsert',
    format: 'csv',
    columns: ['a', 'b'],
    delimiter: '\t',
    quote: '',
    nullText: 'NULL',
    maxRowBytes: 1_048_576,
    types: { age: 'integer', v: 'vector(3)' },
    map: { name: 'full_name', n: 'num' },
    skipColumns: ['junk'],
    embed: { column: 'text', with: 'mock', dimensions: 8, seed: 7, into: 'v2', emptyText: 'null', documentPrefix: 'd:', queryPrefix: 'q:' },
    cache: { path: 'c.db', maxBytes: 2e9 },
    index: { metric: 'l2', build: 'always' },
    maxBatchBytes: 4e6,
    maxBatchRows: 500,
    rejectsWithoutRows: true,
    label: 'nightly',
    again: true,
    lanes: 3,
    maxRejects: '0.5%',
    lockTimeoutMs: 2_000,
  });
  assert.deepEqual(output, { isJson: true, progress: 'none', report: 'r.json' });
});

test('every option can be set in the environment, and a flag wins', async () => {
  const env = {
    SLUICE_TO: 'sqlite:env.db',
    SLUICE_TABLE: 'env',
    SLUICE_LANES: '2',
    SLUICE_NO_CACHE: '1',
    SLUICE_COLUMN: 'a:integer,b:text',
    SLUICE_AGAIN: '0',
    SLUICE_JSON: 'true',
    SLUICE_KEY: '',
  };
  const { options, output } = readLoadRequest(await parse(['load', 'a.jsonl', '--table', 'flag'], env));
  assert.deepEqual(options, {
    from: 'a.jsonl',
    to: 'sqlite:env.db',
    table: 'flag',
    types: { a: 'integer', b: 'text' },
    cache: false,
    lanes: 2,
  });
  assert.equal(output.isJson, true);
  const withCache = readLoadRequest(await parse(['load', 'a.jsonl', '--cache', 'c.db'], env));
  assert.deepEqual(withCache.options.cache, { path: 'c.db' });
});

test('all mistakes are told at once, each under the name that the user wrote', async () => {
  const args = [
    'load',
    '--map',
    'a',
    '--column',
    'x:foo',
    '--lanes',
    '99',
    '--batch-bytes',
    '12x',
    '--with',
    'hash',
    '--lock-timeout',
    '30',
    '--mode',
    'merge',
  ];
  assert.deepEqual(
    (await problemsOf(args, { SLUICE_MAX_REJECTS: 'many' })).map((problem) => problem.split(' ').slice(0, 3).join(' ')),
    [
      'nothing to load:',
      '--with means nothing',
      '--to is missing:',
      '--table is missing:',
      '--mode "merge" is',
      '--column "x:foo" is',
      '--map "a" is',
      '--batch-bytes "12x" is',
      '--lanes "99" is',
      'SLUICE_MAX_REJECTS "many" is',
      '--lock-timeout "30" is',
    ],
  );
});

test('a load may be given days, and never no time at all', async () => {
  const { options } = readLoadRequest(await parse(['load', 'a.jsonl', ...where, '--max-duration', '36h']));
  assert.equal(options.maxDurationMs, 129_600_000);
  for (const text of ['0s', '0', '600h', '5'])
    assert.match((await problemsOf(['load', 'a.jsonl', ...where, '--max-duration', text])).join(), /^--max-duration .* 24 days/u);
});

test('a repeated name is a mistake, not the last one wins', async () => {
  assert.deepEqual(await problemsOf(['load', 'a', ...where, '--map', 'a=b', '--map', 'a=c']), ['--map "a" is given twice']);
});

test('names that objects have by nature are names like any other', async () => {
  const { options } = readLoadRequest(await parse(['load', 'a', ...where, '--map', '__proto__=x', '--column', 'constructor:text']));
  assert.deepEqual(Object.entries(options.map ?? {}), [['__proto__', 'x']]);
  assert.deepEqual(Object.entries(options.types ?? {}), [['constructor', 'text']]);
});

test('options of embedding need --embed on the command line, and wait for it in the environment', async () => {
  assert.deepEqual(await problemsOf(['load', 'a', ...where, '--dimensions', '8']), ['--dimensions means nothing without --embed <column>']);
  assert.deepEqual(await problemsOf(['load', 'a', ...where, '--embed', 'text']), ['--embed needs an embedder: add --with hash']);
  assert.deepEqual(await problemsOf(['load', 'a', ...where], { SLUICE_WITH: 'hash', SLUICE_DIMENSIONS: '8' }), []);
});

test('a value that may be a secret or a whole file is not printed whole', async () => {
  const [problem] = await problemsOf(['load', 'a', ...where, '--lanes', 'x'.repeat(10_000)]);
  assert.ok(problem!.length < 150);
});

test('resume, retry and the read verbs take a load by its place', async () => {
  const again = readAgainRequest(await parse(['resume', 'nightly', '--in', 'sqlite:a.db', '--lanes', '2', '--from', '-', '--no-cache']));
  assert.deepEqual(again.options, { in: 'sqlite:a.db', load: 'nightly', lanes: 2, cache: false, from: '-' });
  assert.deepEqual(readLedgerRequest(await parse(['status', '--in', 'sqlite:a.db'])).selection, { in: 'sqlite:a.db' });
  assert.deepEqual(readLedgerRequest(await parse(['verify', 'x', '--in', 'sqlite:a.db', '--table', 't'])).selection, {
    in: 'sqlite:a.db',
    load: 'x',
    table: 't',
  });
});

test('a search has ten hits unless told otherwise, and needs a query', async () => {
  const { options } = readSearchRequest(await parse(['search', 'heart attack', '--in', 'sqlite:a.db', '--table', 'docs', '--exact']));
  assert.deepEqual(options, { in: 'sqlite:a.db', table: 'docs', query: 'heart attack', k: 10, way: 'exact' });
  const problems = await problemsOf(['search', '-k', '0']);
  assert.deepEqual(
    problems.map((problem) => problem.split(' ').slice(0, 3).join(' ')),
    ['nothing to search', '--in is missing:', '--table is missing:', '-k "0" is'],
  );
});
