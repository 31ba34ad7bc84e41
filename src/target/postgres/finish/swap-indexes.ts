/** Indexes and constraints of the table that is to be replaced, made on the new one before the swap under names of their own. What is there already is found by its definition. */
import type { Decision, TablePlan } from '../../driver.ts';
import { quoteIdentifier } from '../../sql-text.ts';
import { PgError, type PgLink } from '../link.ts';
import { transactLocking } from './lock.ts';
import { watchBuild } from './index-progress.ts';
import { findDoubledKeys, writeBuildSettings, type Restoring } from './restore-index.ts';
import { readSettings } from '../settings.ts';
import { SluiceError } from '../../../errors.ts';
import { readQualified, type SwapTables } from './swap-catalog.ts';

/** An index, or a constraint with or without one. `definition` is without names, so that it can be compared between two tables. */
interface Part {
  readonly oid: string;
  readonly name: string;
  readonly kind: 'index' | 'constraint';
  /** pg_constraint.contype; '' for an index. */
  readonly type: string;
  readonly definition: string;
  readonly isUnique: boolean;
  readonly isValid: boolean;
  readonly columns: readonly string[];
}

const partsSql = `SELECT ic.oid::text AS oid, ic.relname::text AS name, 'index' AS kind, '' AS type, i.indisunique AS is_unique, i.indisvalid AS is_valid,
  substr(pg_get_indexdef(ic.oid), 1 + length(format('CREATE %sINDEX %I ON %I.%I ', CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END, ic.relname, n.nspname, c.relname))) AS definition,
  (SELECT coalesce(json_agg(a.attname ORDER BY k.at), '[]') FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(num, at) LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.num)::text AS columns
FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE i.indrelid = $1::text::oid AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
UNION ALL
SELECT k.oid::text, k.conname, 'constraint', k.contype::text, k.contype IN ('p', 'u'), k.convalidated, pg_get_constraintdef(k.oid),
  (SELECT coalesce(json_agg(a.attname ORDER BY c.at), '[]') FROM unnest(k.conkey) WITH ORDINALITY c(num, at) LEFT JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = c.num)::text
FROM pg_constraint k WHERE k.conrelid = $1::text::oid AND k.contype IN ('p', 'u', 'x', 'c', 'f') AND (k.contype <> 'f' OR k.confrelid <> k.conrelid)
ORDER BY kind, type DESC, name`;

async function readParts(link: PgLink, oid: string): Promise<readonly Part[]> {
  const { rows } = await link.query(partsSql, [oid]);
  return rows.map((row) => ({
    oid: String(row['oid']),
    name: String(row['name']),
    kind: row['kind'] === 'index' ? 'index' : 'constraint',
    type: String(row['type']),
    definition: String(row['definition']),
    isUnique: row['is_unique'] === true,
    isValid: row['is_valid'] === true,
    columns: JSON.parse(String(row['columns'])) as readonly string[],
  }));
}

/** Each part of the old table with its counterpart on the new one. */
interface Pair {
  readonly old: Part;
  readonly made: Part | undefined;
}

/** A constraint that was not valid before need not be so after; an index that is not valid is no index and is left behind. */
async function pairParts(link: PgLink, { oldOid, newOid }: SwapTables): Promise<readonly Pair[]> {
  const left = [...(await readParts(link, newOid))];
  const wanted = (await readParts(link, oldOid)).filter((part) => part.kind === 'constraint' || part.isValid);
  return wanted.map((old) => {
    const at = left.findIndex((part) => isCounterpart(part, old));
    return { old, made: at < 0 ? undefined : left.splice(at, 1)[0] };
  });
}

function isCounterpart(part: Part, old: Part): boolean {
  return (
    part.kind === old.kind &&
    part.type === old.type &&
    part.isUnique === old.isUnique &&
    stripState(part.definition) === stripState(old.definition)
  );
}

function stripState(definition: string): string {
  return definition.replace(/ NOT VALID$/u, '');
}

/** Whether a part's name is one of the schema's, taken by the old table until it goes. */
function isIndexed({ kind, type }: Part): boolean {
  return kind === 'index' || ['p', 'u', 'x'].includes(type);
}

/** Makes what the new table lacks, one transaction each. */
export async function buildParts(link: PgLink, tables: SwapTables, restoring: Restoring): Promise<readonly Decision[]> {
  const { plan, lockTimeoutMs, signal } = restoring;
  const settings = writeBuildSettings(readSettings(plan));
  const decisions: Decision[] = [];
  const pairs = await transactLocking(link, { what: `Reading ${plan.table}`, lockTimeoutMs, signal }, () =>
    readQualified(link, () => pairParts(link, tables)),
  );
  for (const { old, made } of pairs) {
    const wait = { what: `Making ${old.name} on the new ${plan.table}`, lockTimeoutMs, signal, settings };
    for (const sql of writeMaking(tables, old, made)) {
      await explainRows(link, { restoring, part: old, oldName: tables.oldName }, () =>
        transactLocking(link, wait, () => runBuild(link, { restoring, tables, name: old.name }, sql)),
      );
    }
    if (made === undefined && isIndexed(old))
      decisions.push({ what: 'index made', choice: old.name, why: 'the table that is replaced has it' });
  }
  return decisions;
}

async function runBuild(
  link: PgLink,
  { restoring, tables, name }: { restoring: Restoring; tables: SwapTables; name: string },
  sql: string,
): Promise<void> {
  const { signal, onProgress, openSecond } = restoring;
  await watchBuild({ table: tables.newName, openSecond, onProgress: onProgress && ((progress) => onProgress(name, progress)) }, () =>
    link.query(sql, [], { signal, timeoutMs: 0 }),
  );
}

/** Names that indexes have until the old ones are gone: by the old one's oid, so they are short and meet no other. */
function writeMaking({ newName }: SwapTables, old: Part, made: Part | undefined): readonly string[] {
  const name = quoteIdentifier(isIndexed(old) ? `sluice_index_${old.oid}` : old.name);
  if (old.kind === 'index') {
    return made === undefined ? [`CREATE ${old.isUnique ? 'UNIQUE ' : ''}INDEX ${name} ON ${newName} ${old.definition}`] : [];
  }
  if (isIndexed(old)) return made === undefined ? [`ALTER TABLE ${newName} ADD CONSTRAINT ${name} ${old.definition}`] : [];
  const add = `ALTER TABLE ${newName} ADD CONSTRAINT ${name} ${stripState(old.definition)} NOT VALID`;
  const validate = `ALTER TABLE ${newName} VALIDATE CONSTRAINT ${quoteIdentifier(made?.name ?? old.name)}`;
  return [...(made === undefined ? [add] : []), ...(old.isValid && made?.isValid !== true ? [validate] : [])];
}

interface PartAt {
  readonly restoring: Restoring;
  readonly part: Part;
  readonly oldName: string;
}

async function explainRows(link: PgLink, { restoring, part, oldName }: PartAt, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw await explainRow(link, { restoring, part, oldName }, error);
  }
}

async function explainRow(link: PgLink, { restoring, part, oldName }: PartAt, error: unknown): Promise<unknown> {
  if (!(error instanceof PgError) || link.isBroken) return error;
  const { plan } = restoring;
  if (error.sqlState === '57014' && restoring.signal?.aborted === true) {
    return new SluiceError('SLUICE_CANCELLED', `The new ${plan.table} was not published: the work on ${part.name} was stopped.`, {
      cause: error,
    });
  }
  if (error.sqlState === '23505' && isKey(part, plan)) return findDoubledKeys(link, { table: plan.writesTo, key: plan.key, cause: error });
  if (!error.sqlState.startsWith('23')) return error;
  return new SluiceError(
    'SLUICE_TARGET_FAILED',
    `The new rows don't keep ${part.name} of ${oldName} (PostgreSQL ${error.sqlState}); the old table stays.`,
    {
      cause: error,
      hint: `Mend the input and load it again, or drop ${part.name} and resume: the rows are loaded already.`,
    },
  );
}

function isKey({ columns, isUnique }: Part, { key }: TablePlan): boolean {
  return isUnique && key.length > 0 && columns.length === key.length && columns.every((name) => key.includes(name));
}

/** Statements that give the parts of the new table the names of the old ones; undefined when one is missing, because the old table got it meanwhile. Call it qualified. */
export async function writeRenames(link: PgLink, tables: SwapTables): Promise<readonly string[] | undefined> {
  const pairs = await pairParts(link, tables);
  if (pairs.some(({ made, old }) => made === undefined || (old.isValid && !made.isValid))) return undefined;
  return pairs.flatMap(({ old, made }) => {
    if (made === undefined || made.name === old.name) return [];
    const to = quoteIdentifier(old.name);
    const index = `${tables.schema}.${quoteIdentifier(made.name)}`;
    return old.kind === 'index'
      ? [`ALTER INDEX ${index} RENAME TO ${to}`]
      : [`ALTER TABLE ${tables.oldName} RENAME CONSTRAINT ${quoteIdentifier(made.name)} TO ${to}`];
  });
}
