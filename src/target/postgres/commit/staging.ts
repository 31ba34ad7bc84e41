/** The table where a batch's rows wait for their INSERT … SELECT. It is made and gone within the batch's own transaction, so a killed process leaves none behind. */
import { randomBytes } from 'node:crypto';
import { quoteIdentifier } from '../../sql-text.ts';
import { readRunOptions, keepRows, undoRows } from './transaction.ts';
import type { TableWriter } from './writer.ts';
import { PgError } from '../link.ts';
import { writeQuarantined } from './quarantine.ts';
import { parseQualifiedName, quoteName } from '../qualified-name.ts';
import type { Refusal } from '../refusal.ts';
import { ordinalColumn } from '../settings.ts';
import { createCopySender, type Destination, type Sending } from './write-copy.ts';
import { createInsertSender, encodeIntegers } from './write-insert.ts';

export interface Stage extends Destination {
  readonly shape: 'ordinal';
  readonly sending: Sending;
}

/** The ordinal's column, quoted. */
export const ordinal: string = quoteIdentifier(ordinalColumn);

/** Codes of a server or pooler that has no temporary tables, or not for this role. */
const deniedCodes: ReadonlySet<string> = new Set(['0A000', '42501', '25006']);

/**
 * Makes a staging table; the first one that is allowed of temporary and unlogged. Its rows may be undone, it itself stays until the transaction ends.
 * Undefined where this role may make neither.
 */
export async function openStage(sending: Sending): Promise<Stage | undefined> {
  const { writer, transaction } = sending;
  await keepRows(transaction);
  while (writer.staging !== 'none') {
    const table = nameStage(writer);
    try {
      await writer.link.script(writeCreate(writer, table), readRunOptions(transaction));
      await keepRows(transaction);
      return { table, shape: 'ordinal', sending };
    } catch (error) {
      if (!(error instanceof PgError) || !deniedCodes.has(error.sqlState)) throw error;
      await undoRows(transaction);
      writer.staging = writer.staging === 'temporary' ? 'unlogged' : 'none';
    }
  }
  return undefined;
}

/** An unlogged one stands beside the table, under a name of its own: other lanes make theirs at the same moment. */
function nameStage({ staging, plan }: TableWriter): string {
  const name = `sluice_stage_${randomBytes(8).toString('hex')}`;
  return quoteName({ schema: staging === 'temporary' ? 'pg_temp' : parseQualifiedName(plan.writesTo).schema, name });
}

/**
 * Types, typmods and collations of the table, none of its constraints. In-line vectors take half the time of such beside the table (toast_tuple_target; 49.8k and
 * 32.7k rows/s of 1536 floats).
 */
function writeCreate({ staging, table, columnList }: TableWriter, name: string): string {
  const kind = staging === 'temporary' ? 'TEMPORARY' : 'UNLOGGED';
  const end = staging === 'temporary' ? ' ON COMMIT DROP' : '';
  return `CREATE ${kind} TABLE ${name} WITH (toast_tuple_target = 8160, autovacuum_enabled = off)${end} AS SELECT ${columnList}, 0::int4 AS ${ordinal} FROM ${table} WITH NO DATA`;
}

/** A temporary one goes by itself. */
export async function closeStage({ table, sending: { writer, transaction } }: Stage): Promise<void> {
  if (writer.staging === 'unlogged') await writer.link.script(`DROP TABLE ${table}`, readRunOptions(transaction));
}

/** Empties the stage and fills it with rows of the batch; values that its types refuse are reported. */
export async function fillStage(stage: Stage, rows: Int32Array, refuse: (row: number, refusal: Refusal) => void): Promise<Int32Array> {
  const { writer, transaction } = stage.sending;
  const send = writer.settings.way === 'copy' ? createCopySender(stage.sending, stage) : createInsertSender(stage.sending, stage);
  const refused = new Set<number>();
  await writeQuarantined(
    {
      transaction,
      send,
      maxRows: rows.length,
      refuse: (row, refusal) => {
        refused.add(row);
        refuse(row, refusal);
      },
    },
    rows,
  );
  await keepRows(transaction);
  return refused.size === 0 ? rows : rows.filter((row) => !refused.has(row));
}

/** Takes all rows out, for another filling. */
export async function emptyStage({ table, sending: { writer, transaction } }: Stage): Promise<void> {
  await writer.link.script(`TRUNCATE ${table}`, readRunOptions(transaction));
}

/** Takes rows out of the stage. */
export async function dropStaged({ table, sending: { writer, transaction } }: Stage, rows: readonly number[]): Promise<void> {
  if (rows.length === 0) return;
  const sql = `DELETE FROM ${table} s USING (SELECT unnest($1) AS row) d WHERE s.${ordinal} = d.row`;
  await writer.link.queryEncoded(sql, [encodeIntegers(rows)], readRunOptions(transaction));
}

/** Halving asks for ranges of ordinals again and again; without an index each would read all rows. */
export async function indexStage({ table, sending: { writer, transaction } }: Stage): Promise<void> {
  await writer.link.script(`CREATE INDEX ON ${table} (${ordinal}); ANALYZE ${table} (${ordinal})`, readRunOptions(transaction));
  await keepRows(transaction);
}
