/** `sluice load` itself as ways of a bench: from memory, and from a file with one lane and with two; each into a place of its own, ledger and checks included. */
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { SluiceError } from '../errors.ts';
import { load } from '../load/load.ts';
import type { LoadOptions } from '../load/options.ts';
import type { LoadPlace, Strategy, StrategyContext, StrategyResult, StrategySet } from '../target/strategy.ts';
import { makeLines, makeObjects } from './rows.ts';

const group = 'sluice load';
/** A line of a 384-d vector takes 4 kB: the file stays below what a temporary folder in memory can take. */
const fileRows = 40_000;
const maxFileBytes = 192 * 1024 * 1024;
const bytesPerNumber = 11;

/** The ways of `load`, for any target. */
export function listLoadStrategies(set: StrategySet, dimensions: number): readonly Strategy[] {
  const sampleRows = Math.max(1, Math.min(fileRows, Math.floor(maxFileBytes / (150 + dimensions * bytesPerNumber))));
  const fromFile = (lanes: number): Strategy => ({
    name: `load, a JSONL file, ${lanes} ${lanes === 1 ? 'lane' : 'lanes'}`,
    group,
    what: 'parsed, checked, committed with its ledger, verified',
    sampleRows,
    obstacle: set.loadObstacle,
    run: (context) => usePlace(set, (place) => loadFile(context, place, lanes)),
  });
  const fromMemory: Strategy = {
    name: 'load, from memory',
    group,
    what: 'objects of this process, checked, committed with their ledger, verified',
    obstacle: set.loadObstacle,
    run: (context) => usePlace(set, (place) => runLoad(context, place, { from: makeObjects(context.rows, context.rowCount), lanes: 1 })),
  };
  return [fromMemory, fromFile(1), fromFile(2)];
}

async function usePlace(set: StrategySet, work: (place: LoadPlace) => Promise<StrategyResult>): Promise<StrategyResult> {
  const place = await set.openLoadPlace();
  try {
    return await work(place);
  } finally {
    await place.dispose();
  }
}

async function loadFile(context: StrategyContext, place: LoadPlace, lanes: number): Promise<StrategyResult> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  try {
    const file = join(folder, 'rows.jsonl');
    await pipeline(Readable.from(makeLines(context.rows, context.rowCount)), createWriteStream(file), { signal: context.signal });
    return await runLoad(context, place, { from: file, lanes });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The vector index is left out: it is measured as a way of its own. */
async function runLoad(context: StrategyContext, place: LoadPlace, input: Pick<LoadOptions, 'from' | 'lanes'>): Promise<StrategyResult> {
  const { rows, signal } = context;
  const before = await place.readLogBytes();
  const types = rows.dimensions > 0 ? { embedding: `vector(${rows.dimensions})` as const } : {};
  const times = await context.measure(async () => {
    const options = { ...input, to: place.url, table: place.table, key: ['id'], types, index: { build: 'none' }, signal } as const;
    const report = await load(options);
    const { failure } = report;
    if (report.state === 'cancelled') throw new SluiceError('SLUICE_CANCELLED', 'The bench was stopped.');
    if (report.state !== 'done') {
      throw new SluiceError('SLUICE_TARGET_FAILED', `sluice load ended as ${report.state}: ${failure?.message ?? 'no reason given'}`, {
        hint: failure?.hint ?? '',
      });
    }
  });
  const after = await place.readLogBytes();
  const logBytes = before === undefined || after === undefined ? undefined : after - before;
  return { ...times, sent: context.rowCount, rows: await place.count(), logBytes };
}
