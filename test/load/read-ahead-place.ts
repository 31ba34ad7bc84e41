/** Stretches of JSON lines as a file gives them, read by a lane itself or for it, and what is seen of them. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { readAhead, serveReads } from '../../src/load/lane/read-ahead.ts';
import type { RunPlan } from '../../src/load/plan/run-plan.ts';
import type { Batch, Reject } from '../../src/rows/batch.ts';
import { createBatchBuilder } from '../../src/rows/builder.ts';
import type { Column } from '../../src/rows/schema.ts';
import type { Records, RowReader, Shard, Source, Stretch } from '../../src/source/source.ts';
import { createJsonlFormat } from '../../src/source/text/jsonl.ts';
import { makeColumn } from '../rows/records.ts';

export const columns: readonly Column[] = [
  makeColumn('id', 'integer', { isNullable: false }),
  makeColumn('name', 'text'),
  makeColumn('share', 'real'),
  makeColumn('blob', 'bytes'),
  makeColumn('is_new', 'boolean'),
  makeColumn('extra', 'json'),
  makeColumn('place', 'vector', { dimensions: 3 }),
  makeColumn('meaning', 'vector', { dimensions: 4, isEmbedded: true }),
];
const limits = { maxRows: 64, maxBytes: 4_096 };
export const shard: Shard = { ordinal: 0, file: 0, start: 0, end: 1, head: '', tail: '' };
export const start = { offset: 0, row: 0, line: 0 };

/** Stretches of JSON lines as a file gives them: their bytes are gone once the next one is asked for. */
export async function* readLines(lines: readonly string[], onEnd: () => void = () => undefined): AsyncGenerator<Records, void, undefined> {
  const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
  const tokenizer = createJsonlFormat(65_536).createTokenizer({ fields: undefined, byteCount: 0, lines: 0 }, limits);
  let base = start;
  try {
    while (base.offset < bytes.length) {
      const view = Buffer.from(bytes.subarray(base.offset));
      const kept = Buffer.from(view);
      const taken = tokenizer.take({ view, base, isFinal: true, readText: (from, to) => kept.toString('utf8', from, to) });
      assert.ok(typeof taken !== 'string');
      yield taken;
      view.fill(0x58);
      base = taken.end;
      await sleep(0);
    }
  } finally {
    onEnd();
  }
}

interface Taken {
  readonly batch: Batch;
  readonly rejects: readonly Reject[];
  readonly ends: readonly unknown[];
}

export async function take(stretches: AsyncIterable<Stretch>): Promise<Taken> {
  const builder = createBatchBuilder(columns);
  const rejects: Reject[] = [];
  const ends: unknown[] = [];
  for await (const records of stretches) {
    const unfit = builder.add(records);
    rejects.push(...(unfit.length === 0 ? records.rejects : [...records.rejects, ...unfit].sort((a, b) => a.row - b.row)));
    ends.push([records.end, records.byteCount]);
  }
  return { batch: builder.take(), rejects, ends };
}

/** Everything of a batch that others see. */
export function show({ batch, ends, rejects }: Taken): unknown {
  const { byteCount, places, rowCount, values } = batch;
  return {
    rowCount,
    byteCount,
    values: values.map((column) =>
      column.kind === 'scalar'
        ? column.values.map((value) => (value instanceof Uint8Array ? ['bytes', ...value] : value))
        : [[...column.values], column.nulls === undefined ? undefined : [...column.nulls]],
    ),
    places: Array.from({ length: rowCount }, (_, row) => [places.rows[row], places.lines[row], places.offsets[row], places.raw(row)]),
    rejects,
    ends,
  };
}

export function planOf(more: Partial<RunPlan> = {}): RunPlan {
  return { fields: columns.map(({ field }) => field), table: { columns }, maxBatchBytes: 1_000_000, ...more } as unknown as RunPlan;
}

interface Link {
  readonly lane: MessagePort;
  readonly rows: RowReader;
  readonly warnings: string[];
}

export function connect(context: TestContext, source: RowReader, plan: RunPlan = planOf()): Link {
  const { port1, port2 } = new MessageChannel();
  const server = serveReads(port2, { source: Promise.resolve(source as Pick<Source, 'read'>), plan });
  const warnings: string[] = [];
  const rows = readAhead(port1, { warn: (message) => void warnings.push(message), checked: () => undefined });
  context.after(async () => {
    await server.close();
    port1.close();
  });
  return { lane: port1, rows, warnings };
}
