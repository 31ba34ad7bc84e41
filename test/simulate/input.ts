/** The simulated source and embedding stage: stretches of any size, reads that stop or fail, texts that can't be embedded. */
import type { EmbedStage } from '../../src/embed/embedder.ts';
import { SluiceError } from '../../src/errors.ts';
import type { Position, Reject } from '../../src/rows/batch.ts';
import type { Column } from '../../src/rows/schema.ts';
import type { ReadOptions, Shard, Source, ValueRecords } from '../../src/source/source.ts';
import type { Actor } from './actor.ts';
import { embedText, vectorLength } from './audit.ts';
import { fateCodes, type InputRow } from './scenario.ts';
import { rowBytes } from './target.ts';
import type { World } from './world.ts';

export function createColumns(isEmbedded: boolean): readonly Column[] {
  const columns: Column[] = [
    { name: 'id', field: 'id', type: 'integer', isNullable: false },
    { name: 'text', field: 'text', type: 'text', isNullable: true },
  ];
  if (isEmbedded)
    columns.push({ name: 'vector', field: 'vector', type: 'vector', dimensions: vectorLength, isNullable: false, isEmbedded: true });
  return columns;
}

export function createSource(world: World, actor: Actor): Pick<Source, 'read'> {
  return { read: (shard, from, options) => readRows(world, actor, { shard, from, options }) };
}

async function* readRows(
  world: World,
  actor: Actor,
  request: { shard: Shard; from: Position; options: ReadOptions },
): AsyncGenerator<ValueRecords> {
  const { audit, faults, random, scenario } = world;
  const rows = scenario.shards[request.shard.ordinal] ?? [];
  const { signal } = request.options;
  for (let at = request.from.row; ;) {
    if (signal?.aborted === true) audit.report('I10', 'a stretch was asked for after the stop');
    await actor.pause(4);
    // A stopped reader may throw, end early, or not care.
    const manner = signal?.aborted === true ? random.pick(['throws', 'ends', 'reads']) : 'reads';
    if (manner === 'throws') throw new SluiceError('SLUICE_CANCELLED', 'The simulated read was cancelled.');
    if (random.chance(faults.failing)) throw new SluiceError('SLUICE_SOURCE_READ', 'The simulated source can not be read.');
    if (at >= rows.length || manner === 'ends') return;
    const count = random.between(1, scenario.stretchRows);
    const stretch = rows.slice(at, at + count);
    actor.heldRows += stretch.length;
    if (actor.heldRows > scenario.maxBatchRows + 2 * scenario.stretchRows) audit.report('I11', `a lane held ${actor.heldRows} rows`);
    yield makeRecords(stretch, at);
    at += stretch.length;
  }
}

/** Rows `first` and following as a source yields them. */
export function makeRecords(stretch: readonly InputRow[], first: number): ValueRecords {
  const readable = stretch.flatMap((row, index) => (row.fate === 'unreadable' ? [] : [{ row, at: first + index }]));
  const rejects = stretch.flatMap((row, index) => (row.fate === 'unreadable' ? [makeReject(first + index)] : []));
  const places = Float64Array.from(readable, ({ at }) => at);
  const end = first + stretch.length;
  return {
    kind: 'values',
    isJsonText: false,
    rowCount: readable.length,
    values: readable.map(({ row }) => ({ id: row.fate === 'unfit' ? null : row.id, text: row.text })),
    places: { rows: places, lines: places, offsets: places.map((at) => at * rowBytes), raw: (index) => `row ${readable[index]?.at}` },
    rejects,
    end: { offset: end * rowBytes, row: end, line: end },
    byteCount: stretch.length * rowBytes,
  };
}

function makeReject(row: number): Reject {
  return { code: fateCodes.unreadable, message: 'unreadable', row, line: row, offset: row * rowBytes, raw: `row ${row}` };
}

export function createStage(world: World, actor: Actor): EmbedStage {
  return {
    identity: { provider: 'simulated', model: 'simulated', revision: '1', dimensions: vectorLength, isNormalised: false },
    embed: async (texts, signal) => {
      await actor.pauseUnless(8, signal);
      if (world.random.chance(world.faults.failing))
        throw new SluiceError('SLUICE_EMBEDDER_UNAVAILABLE', 'The simulated embedder does not answer.');
      const vectors = new Float32Array(texts.length * vectorLength);
      const refusals = texts.flatMap((text, index) =>
        text === '' ? [{ index, code: fateCodes.unembeddable as 'TEXT_EMPTY', message: 'empty' }] : [],
      );
      for (const [index, text] of texts.entries()) if (text) vectors.set(embedText(text), index * vectorLength);
      const distinct = new Set(texts.filter((text) => text));
      const cached = [...distinct].filter((text) => text !== null && world.cache.has(text)).length;
      for (const text of distinct) world.cache.add(text ?? '');
      const counts = {
        texts: texts.length - refusals.length,
        distinct: distinct.size,
        cached,
        embedded: distinct.size - cached,
        requests: 1,
      };
      return { vectors, nulls: undefined, refusals, counts };
    },
    close: () => Promise.resolve(),
  };
}
