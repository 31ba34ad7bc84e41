/** The row that stood in a statement's way, read in the unit's own transaction: by the key that the server named, else by each unique key of the table. */
import { writeExistingQuery } from '../../../sql/existing-row.ts';
import type { AnswerRow, StatementValue } from '../../batch-contract.ts';
import { quoteIdentifier } from '../../sql-text.ts';
import type { PgError, PipelineStep, StepResult } from '../link.ts';
import { readFirstRow } from './answer.ts';
import type { PreparedStatement } from './prepared.ts';
import { sendSteps, undoStretch, type ExistingRows, type UnitRun } from './unit-run.ts';
import { writeValues } from './values.ts';

/** What the catalog says of a table. */
export interface KeyedTable {
  readonly columns: readonly { readonly name: string; readonly type: string; readonly isGenerated: boolean }[];
  /** Unique keys over whole rows and plain columns, the primary key first; those of partitions behind those of the table. */
  readonly keys: readonly {
    readonly index: string;
    readonly schema: string;
    readonly isOwn: boolean;
    readonly columns: readonly string[];
  }[];
}

/** $1: the name as it was written. A type is named without its length, for a cast to it would cut a text. */
const tableSql = `SELECT json_build_object(
  'columns', (SELECT coalesce(json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, NULL), 'isGenerated', a.attgenerated <> '') ORDER BY a.attnum), '[]')
    FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
  'keys', (SELECT coalesce(json_agg(json_build_object('index', x.relname, 'schema', n.nspname, 'isOwn', i.indrelid = c.oid,
      'columns', (SELECT json_agg(a.attname ORDER BY k.place) FROM unnest(i.indkey) WITH ORDINALITY k (number, place)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number WHERE k.place <= i.indnkeyatts))
      ORDER BY i.indrelid = c.oid DESC, i.indisprimary DESC, x.relname), '[]')
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid JOIN pg_catalog.pg_namespace n ON n.oid = x.relnamespace
    WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
      AND i.indrelid IN (SELECT c.oid UNION SELECT t.relid FROM pg_catalog.pg_partition_tree(c.oid) t)))::text
FROM pg_catalog.pg_class c WHERE c.oid = to_regclass($1)`;

/** Of one try of a unit: each table is looked up once. */
export function createExistingRows(): ExistingRows {
  const tables = new Map<string, KeyedTable | undefined>();
  return {
    find: async (run, statement, error) => {
      const written = statement.text.shape.table?.written;
      if (written === undefined) return undefined;
      if (!tables.has(written)) tables.set(written, await readTable(run, written));
      const table = tables.get(written);
      return table === undefined ? undefined : findRow(run, statement, { table, keys: chooseKeys(table, error) });
    },
  };
}

async function readTable(run: UnitRun, written: string): Promise<KeyedTable | undefined> {
  const result = await read(run, { sql: tableSql, values: [written], maxRows: 0 });
  const facts = result?.rows[0]?.[0];
  return typeof facts === 'string' ? (JSON.parse(facts) as KeyedTable) : undefined;
}

/** A read whose failure costs nothing but the row: what it broke is rolled back before the next statement. */
async function read(run: UnitRun, step: PipelineStep): Promise<StepResult | undefined> {
  const { results, error } = await sendSteps(run, [step]);
  if (error !== undefined) run.due = undoStretch;
  return error === undefined ? results[0] : undefined;
}

/** A partition's key has the name of the partition's index. One that is not among them has an expression or a condition, and its row can't be told. */
function chooseKeys({ keys }: KeyedTable, error: PgError | undefined): readonly (readonly string[])[] {
  const named = (key: KeyedTable['keys'][number]): boolean =>
    error === undefined ? key.isOwn : key.index === error.fields.constraint && key.schema === (error.fields.schema ?? key.schema);
  return keys.filter(named).map(({ columns }) => columns);
}

interface RowRequest {
  readonly table: KeyedTable;
  readonly keys: readonly (readonly string[])[];
}

async function findRow(run: UnitRun, { text, values }: PreparedStatement, { table, keys }: RowRequest): Promise<AnswerRow | undefined> {
  const { dollar, shape } = text;
  const types = Object.fromEntries(table.columns.map(({ name, type }) => [name, type]));
  const columns = table.columns.filter(({ isGenerated }) => !isGenerated).map(({ name }) => name);
  for (const key of keys) {
    const query = writeExistingQuery(dollar.sql, shape, { key, quote: quoteIdentifier, dialect: 'postgres', columns, types });
    if (query === undefined) continue;
    const written = writeValues(query.parameterIndexes.map((index): StatementValue => values[index - 1] ?? null));
    if ('code' in written) continue;
    const result = await read(run, { sql: query.sql, values: written, maxRows: 1 });
    const row = result === undefined ? undefined : readFirstRow(result);
    if (row !== undefined) return row;
  }
  return undefined;
}
