/** What a connection needs to commit batches of one load into one table; read once, as it costs questions to the catalogs. */
import { checkPlannedTypes, openGuard, type ColumnGuard } from './column-guard.ts';
import { readSessionLimits } from './session-limits.ts';
import { SluiceError } from '../../../errors.ts';
import { quoteList } from '../../sql-text.ts';
import type { RejectKeeping, TablePlan } from '../../driver.ts';
import { hasBinaryForm } from '../wire/encode.ts';
import type { PgLink } from '../link.ts';
import { quoteTable } from '../qualified-name.ts';
import { readWireColumns } from '../catalog/schema.ts';
import { readSettings, type PostgresSettings } from '../settings.ts';
import { openSeen, type SeenTable } from '../mirror/seen-table.ts';
import { toWritingPlan } from '../mirror/writing-mode.ts';
import type { WireColumn } from '../wire-column.ts';

export interface TableWriter {
  readonly link: PgLink;
  readonly plan: TablePlan;
  readonly settings: PostgresSettings;
  readonly keeping: RejectKeeping;
  /** The plan's columns in its order, and those of the key in the key's order. */
  readonly columns: readonly WireColumn[];
  readonly keyColumns: readonly WireColumn[];
  /** For SQL texts: the table that is written and the list of its columns that are loaded. */
  readonly table: string;
  readonly columnList: string;
  readonly guard: ColumnGuard;
  /** Where the keys of mode sync are noted; undefined in every other mode, and where there is nothing to mirror onto. */
  readonly seen: SeenTable | undefined;
  /** SET LOCAL … of each batch, see {@link readSessionLimits}. */
  readonly limits: readonly string[];
  /** Something is checked at COMMIT only: it is asked for before, where the guilty rows can still be found. */
  readonly hasDeferred: boolean;
  /** Rows of a partitioned table can't be asked whether they are new. */
  readonly isPartitioned: boolean;
  /** Keys that are null count as equal (NULLS NOT DISTINCT). */
  readonly mergesNulls: boolean;
  /** Some collation of the table calls texts equal that differ. */
  readonly hasLooseTexts: boolean;
  /** Per transaction; {@link defaultLockTimeoutMs} where undefined. */
  readonly lockTimeoutMs?: number | undefined;
  /** Constraints that refused rows of this load: they are asked first when a batch is sifted. */
  readonly suspects: Set<string>;
  /** The batch before had many refused rows: this one is sifted from the start. */
  expectsRefusals: boolean;
  /** Where rows wait for their INSERT … SELECT; turns from temporary to unlogged where a pooler forbids temporary tables, to none where both are. */
  staging: 'none' | 'temporary' | 'unlogged';
}

/** How long a batch waits for a lock, as the other drivers do. */
export const defaultLockTimeoutMs = 30_000;

/** The catalogs answer at once; a minute covers a server that is just coming up. */
const catalogTimeoutMs = 60_000;

/** `to_jsonb` reads a column that servers before 15 don't have. Partitions may have constraints of their own. */
const traitsSql = `SELECT c.relkind = 'p' AS is_partitioned,
  EXISTS (SELECT FROM pg_trigger t WHERE t.tginitdeferred AND t.tgrelid IN (SELECT p.relid FROM pg_partition_tree(c.oid) p UNION SELECT c.oid))
  OR EXISTS (SELECT FROM pg_constraint k WHERE k.condeferred AND k.conrelid IN (SELECT p.relid FROM pg_partition_tree(c.oid) p UNION SELECT c.oid)) AS has_deferred,
  EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND (to_jsonb(i) ->> 'indnullsnotdistinct')::boolean) AS merges_nulls,
  EXISTS (SELECT FROM pg_attribute a JOIN pg_collation l ON l.oid = a.attcollation WHERE a.attrelid = c.oid AND NOT l.collisdeterministic) AS has_loose_texts
FROM pg_class c WHERE c.oid = to_regclass($1)`;

/**
 * Readies a link for the batches of a load.
 * @throws SLUICE_TABLE_UNKNOWN, SLUICE_COLUMN_UNKNOWN, SLUICE_TARGET_FAILED when the table is no longer the one that was planned for
 */
export async function openWriter(link: PgLink, asked: TablePlan, keeping: RejectKeeping): Promise<TableWriter> {
  const settings = readSettings(asked);
  const plan = toWritingPlan(asked);
  const table = quoteTable(plan.writesTo);
  const guard = await openGuard(link, plan);
  const columns = await readWireColumns(link, plan.writesTo, plan.columns);
  const { rows } = await link.query(traitsSql, [table], { timeoutMs: catalogTimeoutMs });
  const traits = rows[0] ?? {};
  if (settings.way === 'insert') refuseUnsendable(plan, columns);
  checkPlannedTypes(link, plan, columns);
  const limits = await readSessionLimits(link);
  return {
    link,
    plan,
    settings,
    keeping,
    columns,
    keyColumns: plan.key.flatMap((name) => columns.filter(({ column }) => column.name === name)),
    table,
    guard,
    seen: settings.seen === undefined ? undefined : await openSeen(link, plan, settings.seen),
    limits,
    columnList: quoteList(plan.columns.map((column) => column.name)),
    hasDeferred: traits['has_deferred'] === true,
    isPartitioned: traits['is_partitioned'] === true,
    mergesNulls: traits['merges_nulls'] === true,
    hasLooseTexts: traits['has_loose_texts'] !== false,
    suspects: new Set(),
    expectsRefusals: false,
    staging: settings.staging === 'none' ? 'temporary' : settings.staging,
  };
}

/** INSERT sends values in binary form; COPY alone has a text form for every type. */
function refuseUnsendable({ table }: TablePlan, columns: readonly WireColumn[]): void {
  const odd = columns.find((column) => !hasBinaryForm(column));
  if (odd === undefined) return;
  throw new SluiceError(
    'SLUICE_PLAN_REFUSED',
    `The column ${odd.column.name} of ${table} is of type ${odd.type.name}, which INSERT can't be sent.`,
    {
      hint: 'Load without --no-copy, or leave the column out with --skip-columns.',
    },
  );
}
