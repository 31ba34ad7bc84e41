/** The account of a check: places counted from the start of their file, duplicates in the order of the input, and what a check can't know. */
import { formatCount } from '../count-text.ts';
import { isTextFormat } from '../source/formats.ts';
import type { Prepared } from '../load/plan/plan.ts';
import { listEmbeds } from '../load/plan/run-plan.ts';
import { describeColumn, type ColumnStatistics } from './column-statistics.ts';
import { findDuplicates } from './duplicates.ts';
import { forecastEmbedding } from './embedding-forecast.ts';
import type { Found } from './found.ts';
import type { KeyRecords } from './key-records.ts';
import type { CheckOptions, CheckReport, ColumnFound, DuplicatesFound, EmbeddingForecast, RowPlace } from './options.ts';
import type { ShardPlace } from './scan.ts';

export interface CheckEnding {
  readonly prepared: Prepared;
  readonly options: CheckOptions;
  readonly found: Found;
  readonly statistics: readonly ColumnStatistics[];
  readonly records: readonly KeyRecords[];
  readonly positions: number;
  readonly lanes: number;
  readonly isPartial: boolean;
  readonly elapsedMs: number;
}

export async function makeCheckReport(ending: CheckEnding): Promise<CheckReport> {
  const { prepared, options, found } = ending;
  const { plan, run, source } = prepared;
  const duplicates = listDuplicates(ending);
  const columns =
    options.statistics === false
      ? []
      : run.table.columns.map((column, index) =>
          // Of a part of the rows not all keys were compared with each other.
          describeColumn(column, ending.statistics[index]!, ending.isPartial ? undefined : duplicates?.count),
        );
  const locate = createLocator(ending);
  const [embedding, ...moreEmbeddings] = await forecastAll(ending, columns);
  return {
    schema: 1,
    isPartial: ending.isPartial,
    source: source.name,
    counts: { read: found.read, fit: found.read - found.rejected, rejected: found.rejected, duplicates: duplicates?.count ?? 0 },
    causes: [...found.causes.values()]
      .toSorted((left, right) => right.count - left.count)
      .map(({ class: kind, code, column, message, count, places }) => ({
        class: kind,
        code,
        column,
        message,
        count,
        places: places.map(locate),
      })),
    duplicates,
    columns,
    embedding,
    ...(moreEmbeddings.length === 0 ? {} : { moreEmbeddings }),
    bytes: found.bytes,
    lanes: ending.lanes,
    elapsedMs: ending.elapsedMs,
    plan,
    notes: listNotes(ending),
  };
}

/** One column of texts after another: each is tried by its time, which two at once would spoil. */
async function forecastAll(
  { lanes, options, prepared }: CheckEnding,
  columns: readonly ColumnFound[],
): Promise<readonly EmbeddingForecast[]> {
  const { plan, run } = prepared;
  const forecasts: EmbeddingForecast[] = [];
  for (const embed of listEmbeds(run)) {
    const column = columns[embed.from];
    if (column === undefined) continue;
    const samples = plan.columns[embed.from]?.samples ?? [];
    forecasts.push(
      await forecastEmbedding({ embed, cache: run.cache, column, samples, lanes, pricePerMillionTokens: options.pricePerMillionTokens }),
    );
  }
  return forecasts;
}

/** Lines and rows of a file: those of its shards before are added. A shard of a file that was not read to its end leaves the line of later ones unknown. */
function createLocator({ found, prepared }: CheckEnding): (place: ShardPlace) => RowPlace {
  const bases = new Map<number, { readonly row: number; readonly line: number | undefined }>();
  let [file, row, line]: [number, number, number | undefined] = [-1, 0, 0];
  for (const { shard, end } of [...found.shards.values()].toSorted((left, right) => left.shard.ordinal - right.shard.ordinal)) {
    if (shard.file !== file) [file, row, line] = [shard.file, 0, 0];
    bases.set(shard.ordinal, { row, line });
    row += end?.row ?? 0;
    line = end === undefined || line === undefined ? undefined : line + end.line;
  }
  const files = prepared.source.descriptor?.files;
  const hasLines = isTextFormat(prepared.plan.source.format);
  return (place) => {
    const base = bases.get(place.shard) ?? { row: 0, line: 0 };
    const shard = found.shards.get(place.shard)?.shard;
    return {
      file:
        files === undefined || prepared.source.descriptor?.identity !== undefined ? prepared.source.name : (files[shard?.file ?? 0] ?? ''),
      row: base.row + place.row + 1,
      line: base.line === undefined || !hasLines ? undefined : base.line + place.line + 1,
      byte: place.offset,
    };
  };
}

function listDuplicates(ending: CheckEnding): DuplicatesFound | undefined {
  const { options, prepared, positions, records } = ending;
  const { key } = prepared.run.table;
  if (options.duplicates === false || key.length === 0) return undefined;
  const { count, pairs } = findDuplicates(records, positions);
  const locate = createLocator(ending);
  // A digest keeps the row, and neither its line nor its byte.
  const locateRow = ({ shard, row }: { readonly shard: number; readonly row: number }): RowPlace => {
    const place = locate({ shard, row, line: 0, offset: 0 });
    return { ...place, line: undefined, byte: undefined };
  };
  return { key, count, places: pairs.map(({ first, again }) => ({ first: locateRow(first), again: locateRow(again) })) };
}

function listNotes({ isPartial, found, prepared, options }: CheckEnding): readonly string[] {
  const { key, isNew, mode } = prepared.run.table;
  const notes: string[] = [];
  if (options.limit !== undefined && found.read > options.limit)
    notes.push(`The whole input was read; a load with this limit takes the first ${formatCount(options.limit)} rows of it.`);
  if (options.statistics === false && prepared.run.embed !== undefined)
    notes.push('What embedding would take is not told without the statistics of the columns.');
  if (isPartial) notes.push('The check was stopped: all figures are those of the rows that were read.');
  if (key.length === 0 && options.duplicates !== false)
    notes.push('No key is known, so rows were not compared with each other; name one with --key.');
  if (!isNew && mode !== 'replace')
    notes.push(
      'Rows that only the table can refuse (its checks, foreign keys, triggers, keys that are there already) are not among these.',
    );
  if (key.length > 0 && !isNew)
    notes.push('Keys were compared letter by letter; a column that takes upper and lower case as equal may find more.');
  return notes;
}
