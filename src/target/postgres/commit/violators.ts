/** Finds all staged rows that constraints of the table refuse, one question a constraint instead of one failed statement a row. What can't be asked is left to the caller's halving. */
import { writeHasAltering } from '../catalog/altering-triggers.ts';
import { quoteIdentifier } from '../../sql-text.ts';
import { keepRows, readRunOptions, undoRows } from './transaction.ts';
import { toRefusal } from '../errors.ts';
import { PgError } from '../link.ts';
import type { Refusal } from '../refusal.ts';
import { ordinal, type Stage } from './staging.ts';

/** A constraint, or a unique index without one, whose columns are all loaded. */
interface Rule {
  /** `c` check · `f` foreign key · `u` unique. */
  readonly kind: 'c' | 'f' | 'u';
  readonly name: string;
  readonly columns: readonly string[];
  /** The expression of a check. */
  readonly expression: string | null;
  /** Of a foreign key: the other table, quoted, and its columns. */
  readonly parent: string | null;
  readonly parentColumns: readonly string[] | null;
  /** A foreign key to the table itself: parents may be among the staged rows. */
  readonly isOwnParent: boolean;
  /** MATCH FULL, NULLS NOT DISTINCT: nulls count in another way. */
  readonly isStrictAboutNulls: boolean;
}

const namesSql = (relation: string, numbers: string): string =>
  `(SELECT json_agg(a.attname ORDER BY u.place) FROM unnest(${numbers}) WITH ORDINALITY AS u (number, place)
    LEFT JOIN pg_attribute a ON a.attrelid = ${relation} AND a.attnum = u.number AND u.number > 0)`;

/** Checks and foreign keys first: of rows with equal keys the first that passes them is the one that stays. Expressions and partial indexes are not asked about. */
const rulesSql = `SELECT json_agg(r ORDER BY r.kind, r.name)::text AS rules FROM (
  SELECT k.contype AS kind, k.conname AS name, ${namesSql('k.conrelid', 'k.conkey')} AS columns,
    CASE k.contype WHEN 'c' THEN pg_get_expr(k.conbin, k.conrelid) END AS expression,
    CASE k.contype WHEN 'f' THEN k.confrelid::regclass::text END AS parent, ${namesSql('k.confrelid', 'k.confkey')} AS "parentColumns",
    k.confrelid = k.conrelid AS "isOwnParent", k.confmatchtype = 'f' AS "isStrictAboutNulls"
  FROM pg_constraint k WHERE k.conrelid = to_regclass($1) AND (k.contype = 'c' OR (k.contype = 'f' AND k.conparentid = 0)) AND NOT ${writeHasAltering('k.conrelid')}
  UNION ALL
  SELECT 'u', c.relname, ${namesSql('i.indrelid', '(i.indkey::int2[])[0:i.indnkeyatts - 1]')}, NULL, NULL, NULL, false,
    coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false)
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
  WHERE i.indrelid = to_regclass($1) AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL AND NOT ${writeHasAltering('i.indrelid')}
) r`;

const sqlStates: Readonly<Record<Rule['kind'], string>> = { c: '23514', f: '23503', u: '23505' };

/** A row without its parent may be the parent of others: so often are the rows of a table that points at itself asked again, a generation each time. */
const maxGenerations = 100;

export interface Asking {
  /** Constraints to ask; all of them where undefined, or where one is not the table's own but a partition's. */
  readonly names: ReadonlySet<string> | undefined;
  /** Whether rows with keys of the table, or of earlier staged rows, are refused: not where they replace those. */
  readonly asksUnique: boolean;
  /** `isRepeat`: for the key of an earlier staged row, which may come to be refused itself. */
  readonly refuse: (row: number, refusal: Refusal, isRepeat: boolean) => void;
}

/** Takes the staged rows that a constraint refuses out of the stage, reports them and answers which they were. */
export async function dropViolators(stage: Stage, { names, asksUnique, refuse }: Asking): Promise<ReadonlySet<number>> {
  const dropped = new Set<number>();
  const known = await readRules(stage);
  const asksAll = names === undefined || [...names].some((name) => known.every((rule) => rule.name !== name));
  const rules = known.filter(({ kind, name }) => (asksAll || names.has(name)) && (kind !== 'u' || asksUnique));
  let asked = rules;
  for (let generation = 0; generation < maxGenerations && asked.length > 0; generation++) {
    const before = dropped.size;
    // What is refused for itself goes first, for every rule: it is in nobody's way then.
    const questions = [
      ...asked.map((rule) => ({ rule, violation: writeViolation(stage, rule), isRepeat: false })),
      ...asked.filter(({ kind }) => kind === 'u').map((rule) => ({ rule, violation: writeRepeat(stage, rule), isRepeat: true })),
    ];
    for (const { rule, violation, isRepeat } of questions) {
      const refusal = readRefusal(rule);
      for (const row of await dropWhere(stage, violation)) {
        dropped.add(row);
        refuse(row, refusal, isRepeat);
      }
    }
    asked = dropped.size === before ? [] : rules.filter(({ isOwnParent }) => isOwnParent);
  }
  return dropped;
}

/** In the words that the server's own refusal would have. */
function readRefusal({ kind, name }: Rule): Refusal {
  const error = new PgError('', { sqlState: sqlStates[kind], severity: 'ERROR', constraint: name });
  return toRefusal(error) ?? { code: 'REFUSED_OTHER', message: `PostgreSQL ${error.sqlState}: ${name}`, column: undefined };
}

async function readRules({ sending: { writer, transaction } }: Stage): Promise<readonly Rule[]> {
  const { rows } = await writer.link.query(rulesSql, [writer.table], readRunOptions(transaction));
  const text = rows[0]?.['rules'];
  const rules = typeof text === 'string' ? (JSON.parse(text) as readonly Rule[]) : [];
  const loaded = new Set<string>(writer.plan.columns.map((column) => column.name));
  return rules.filter(({ columns }) => columns !== null && columns.length > 0 && columns.every((name) => loaded.has(name)));
}

async function dropWhere(stage: Stage, violation: string): Promise<readonly number[]> {
  const { writer, transaction } = stage.sending;
  await keepRows(transaction);
  try {
    // A unique index answers for each row in a microsecond; without statistics of the stage the planner would rather read the whole table (365 ms and 48 ms, 5 · 10⁵ rows).
    await writer.link.script('SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off', readRunOptions(transaction));
    const { rows } = await writer.link.query(
      `DELETE FROM ${stage.table} s WHERE ${violation} RETURNING s.${ordinal} AS row`,
      [],
      readRunOptions(transaction),
    );
    await writer.link.script('SET LOCAL enable_hashjoin TO DEFAULT; SET LOCAL enable_mergejoin TO DEFAULT', readRunOptions(transaction));
    return rows.map(({ row }) => Number(row));
  } catch (error) {
    // An expression may fail on a row, the other table may not be ours to read: then the rows are found one by one.
    if (!(error instanceof PgError) || !/^(?:22|42)/u.test(error.sqlState)) throw error;
    await undoRows(transaction);
    return [];
  }
}

/** The condition on a staged row `s` under which the table as it is refuses it. */
function writeViolation(stage: Stage, rule: Rule): string {
  // A check that is null holds.
  if (rule.kind === 'c') return `NOT (${rule.expression ?? 'true'})`;
  return rule.kind === 'f' ? writeOrphan(stage, rule) : writeTaken(stage, rule);
}

function writeOrphan(stage: Stage, { columns, parent, parentColumns, isOwnParent, isStrictAboutNulls }: Rule): string {
  const isSet = columns.map((name) => `s.${quoteIdentifier(name)} IS NOT NULL`);
  const match = (alias: string): string =>
    columns.map((name, index) => `${alias}.${quoteIdentifier(parentColumns?.[index] ?? '')} = s.${quoteIdentifier(name)}`).join(' AND ');
  const isThere = `EXISTS (SELECT FROM ${parent ?? ''} p WHERE ${match('p')})`;
  const isStaged = isOwnParent ? ` OR EXISTS (SELECT FROM ${stage.table} o WHERE ${match('o')})` : '';
  const isOrphan = `(${isSet.join(' AND ')} AND NOT (${isThere}${isStaged}))`;
  // MATCH FULL: all columns are null or none.
  return isStrictAboutNulls ? `${isOrphan} OR NOT ((${isSet.join(' AND ')}) OR NOT (${isSet.join(' OR ')}))` : isOrphan;
}

function writeTaken({ sending: { writer } }: Stage, { columns, isStrictAboutNulls }: Rule): string {
  const equals = isStrictAboutNulls ? 'IS NOT DISTINCT FROM' : '=';
  const match = columns.map((name) => `t.${quoteIdentifier(name)} ${equals} s.${quoteIdentifier(name)}`).join(' AND ');
  return `EXISTS (SELECT FROM ${writer.table} t WHERE ${match})`;
}

/** The condition that an earlier staged row has the same key. */
function writeRepeat({ table }: Stage, { columns, isStrictAboutNulls }: Rule): string {
  const names = columns.map(quoteIdentifier);
  const isSet = isStrictAboutNulls ? 'true' : names.map((name) => `${name} IS NOT NULL`).join(' AND ');
  const places = `SELECT ${ordinal} AS row, row_number() OVER (PARTITION BY ${names.join(', ')} ORDER BY ${ordinal}) AS place FROM ${table} WHERE ${isSet}`;
  return `s.${ordinal} IN (SELECT r.row FROM (${places}) r WHERE r.place > 1)`;
}
