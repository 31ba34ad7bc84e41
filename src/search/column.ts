/** Finds the vector column that a search is about, and what the ledger knows of it. Wrong names are answered with the names there are. */
import { SluiceError } from '../errors.ts';
import type { EmbedderIdentity, EmbedSpec } from '../embed/embedder.ts';
import type { Connection, Metric } from '../target/driver.ts';
import { findNearest } from '../nearest.ts';

/** What the vectors of a column were made with. */
export interface RecordedEmbedder {
  readonly spec: EmbedSpec;
  readonly identity: EmbedderIdentity;
}

export interface VectorColumn {
  readonly table: string;
  readonly column: string;
  readonly dimensions: number;
  readonly metric: Metric;
  /** undefined: the vectors came with the rows. */
  readonly embedder: RecordedEmbedder | undefined;
  readonly columns: readonly string[];
  /** The ledger's row as text; another text means that the column was loaded anew. undefined in a database without a ledger. */
  readonly record: string | undefined;
}

type Reader = Pick<Connection, 'describe' | 'query'>;

export interface ColumnChoice {
  readonly table: string;
  readonly column?: string | undefined;
  readonly columns?: readonly string[] | undefined;
}

/** The one vector column of a table, or the one that was named. @throws SLUICE_TABLE_UNKNOWN, SLUICE_COLUMN_UNKNOWN, SLUICE_USAGE when several could be meant */
export async function findVectorColumn(reader: Reader, choice: ColumnChoice): Promise<VectorColumn> {
  const hasLedger = (await reader.describe('sluice_vectors')) !== undefined;
  // A database that sluice never loaded into can be searched by vectors all the same.
  const recorded = hasLedger ? await readRecorded(reader) : [];
  const description = await reader.describe(choice.table);
  if (description === undefined) throw unknownTable(choice.table, recorded);
  const own = recorded.filter((row) => isSameName(row.table, description.name));
  const vectors = description.columns.flatMap(({ name, type, dimensions }) => {
    const row = own.find((each) => each.column === name);
    const length = type === 'vector' ? dimensions : row?.dimensions;
    return length === undefined ? [] : [{ name, dimensions: length, row }];
  });
  const names = description.columns.map((column) => column.name);
  for (const name of choice.columns ?? []) checkColumn(description.name, name, names);
  const vectorNames = vectors.map((vector) => vector.name);
  const chosen =
    choice.column === undefined ? onlyOne(description.name, vectorNames) : checkColumn(description.name, choice.column, vectorNames);
  const vector = vectors.find((each) => each.name === chosen);
  if (vector === undefined)
    throw new SluiceError('SLUICE_INTERNAL', `The vector column ${chosen} of ${description.name} vanished from its own description.`);
  return {
    table: description.name,
    column: vector.name,
    dimensions: vector.dimensions,
    metric: vector.row?.metric ?? 'cosine',
    embedder: vector.row?.embedder,
    columns: names,
    record: hasLedger ? await readRecord(reader, description.name, vector.name) : undefined,
  };
}

function isSameName(left: string, right: string): boolean {
  return left.toLowerCase() === right.toLowerCase();
}

/** What the ledger has on one column now, to be compared with {@link VectorColumn.record}; one lookup, about 10 µs. */
export async function readRecord(reader: Pick<Connection, 'query'>, table: string, column: string): Promise<string> {
  const parameters = [table, column];
  const rows = await reader.query({
    sql: 'SELECT dimensions, metric, embedder FROM sluice_vectors WHERE table_name = ? AND column_name = ?',
    parameters,
  });
  return JSON.stringify(rows[0] ?? null);
}

interface RecordedColumn {
  readonly table: string;
  readonly column: string;
  readonly dimensions: number;
  readonly metric: Metric;
  readonly embedder: RecordedEmbedder | undefined;
}

/** The vector columns of the ledger. */
async function readRecorded(reader: Pick<Connection, 'query'>): Promise<readonly RecordedColumn[]> {
  const rows = await reader.query({
    sql: 'SELECT table_name, column_name, dimensions, metric, embedder FROM sluice_vectors ORDER BY table_name, column_name',
    parameters: [],
  });
  return rows.map((row) => ({
    table: String(row['table_name']),
    column: String(row['column_name']),
    dimensions: Number(row['dimensions']),
    metric: String(row['metric']) as Metric,
    embedder: typeof row['embedder'] === 'string' ? (JSON.parse(row['embedder']) as RecordedEmbedder) : undefined,
  }));
}

function unknownTable(table: string, recorded: readonly RecordedColumn[]): SluiceError {
  const tables = [...new Set(recorded.map((row) => row.table))];
  const nearest = findNearest(table, tables);
  const list = tables.length === 0 ? 'No table with vectors was loaded into it.' : `Tables with vectors: ${tables.join(', ')}.`;
  return new SluiceError('SLUICE_TABLE_UNKNOWN', `There is no table ${table} in the database.`, {
    hint: nearest === undefined ? list : `Did you mean ${nearest}? ${list}`,
  });
}

/** The name as the table spells it. */
function checkColumn(table: string, name: string, known: readonly string[]): string {
  const found = known.find((each) => each === name) ?? known.find((each) => isSameName(each, name));
  if (found !== undefined) return found;
  const nearest = findNearest(name, known);
  const list = known.length === 0 ? 'It has no vector column.' : `There are: ${known.join(', ')}.`;
  throw new SluiceError('SLUICE_COLUMN_UNKNOWN', `The table ${table} has no column ${name} that could be used here.`, {
    hint: nearest === undefined ? list : `Did you mean ${nearest}? ${list}`,
  });
}

function onlyOne(table: string, vectors: readonly string[]): string {
  const [first, ...others] = vectors;
  if (first === undefined) {
    throw new SluiceError('SLUICE_COLUMN_UNKNOWN', `The table ${table} has no vector column.`, {
      hint: 'Load it with vectors, or with --embed COLUMN --with hash.',
    });
  }
  if (others.length === 0) return first;
  throw new SluiceError('SLUICE_USAGE', `The table ${table} has several vector columns.`, { hint: `Name one: ${vectors.join(', ')}.` });
}
