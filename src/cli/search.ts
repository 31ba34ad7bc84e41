/** `sluice search`: the rows nearest to a text. */
import type { Recall, SearchResult } from '../search/search.ts';
import type { SearchHit } from '../target/driver.ts';
import type { Invocation } from './invocation.ts';
import { toJsonLine } from './json-line.ts';
import { openLibrary } from './library.ts';
import { formatCountOf, formatElapsed } from './quantity.ts';
import { readSearchRequest } from './request.ts';
import { layoutTable } from './table.ts';
import { writeAll } from './terminal.ts';

/** Runs the command. @throws SLUICE_USAGE for options that can't be used, and what the search throws. */
export async function runSearch(invocation: Invocation): Promise<number> {
  const { stdout } = invocation.terminal;
  const { options, isExplained, isJson } = readSearchRequest(invocation);
  const { noteSearch, search } = await openLibrary();
  const result = await search(options);
  const way = result.explain.find(({ what }) => what === 'way')?.choice ?? 'exact';
  const { column, in: database, k = 10, table } = options;
  await noteSearch(database, table, { at: new Date().toISOString(), column, k, way, tookMs: result.tookMs });
  invocation.ready();
  if (isJson) {
    await writeAll(stdout, [toJsonLine({ schema: 1, ...result })]);
    return 0;
  }
  const lines = [...layoutHits(result.hits, stdout.width(), stdout.colors.dim), ...layoutAccount(result, isExplained)];
  await writeAll(
    stdout,
    lines.map((line) => `${line}\n`),
  );
  return 0;
}

/** Float32 vectors: further digits are noise. */
const scoreDigits = 4;

/** The table of hits, nearest first: key, score, then the other columns. */
export function layoutHits(hits: readonly SearchHit[], width: number | undefined, dim: (text: string) => string): readonly string[] {
  const [first] = hits;
  if (!first) return ['no rows found'];
  const keys = Object.keys(first.key);
  const others = Object.keys(first.columns).filter((name) => !keys.includes(name));
  return layoutTable({
    columns: [...keys.map((title) => ({ title })), { title: 'score', align: 'right' }, ...others.map((title) => ({ title }))],
    rows: hits.map(({ key, score, columns }) => [
      ...keys.map((name) => describeValue(key[name])),
      score.toFixed(scoreDigits),
      ...others.map((name) => describeValue(columns[name])),
    ]),
    width,
    styleTitle: dim,
  });
}

/** A value in a cell; null is an empty one, bytes and vectors are told by their size. */
function describeValue(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (value instanceof Uint8Array) return `${formatCountOf(value.byteLength, 'byte')}`;
  if (value instanceof Float32Array) return `vector(${value.length})`;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** After an empty line, so that the table above can be cut off by it. */
function layoutAccount(result: SearchResult, isExplained: boolean): readonly string[] {
  const lines = isExplained ? result.explain.map(({ what, choice, why }) => `${what}: ${choice} (${why})`) : [];
  if (isExplained) lines.push(`took: ${formatElapsed(result.tookMs)}`);
  if (result.recall) lines.push(describeRecall(result.recall));
  return lines.length > 0 ? ['', ...lines] : [];
}

function describeRecall({ recall, k, queries, way }: Recall): string {
  const measured = `recall@${k} ${recall.toFixed(2)} over ${formatCountOf(queries, 'query', 'queries')}`;
  return way === 'exact' ? `${measured}; every row was compared, nothing can be missed` : measured;
}
