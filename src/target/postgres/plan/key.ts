/** The key of a load: what it must be for the mode, whether the server keeps it unique, and whether it is made at the end. */
import type { Decision, DeferredIndex } from '../../driver.ts';
import { quoteIdentifier, quoteList } from '../../sql-text.ts';
import type { CatalogIndex } from '../catalog/table.ts';
import { canHashKey } from '../wire/key-hash.ts';
import { countComing, formatRows, meanInputBytes, type Advice, type PlanContext } from './context.ts';
import type { Publish } from './publish.ts';
import { quoteName, quoteTable } from '../qualified-name.ts';
import { isArbiter } from '../catalog/schema.ts';
import type { PostgresSettings } from '../settings.ts';

/** Rows below this gain nothing that a person would see: 50,000 small ones take a tenth of a second. */
const minRowsToDefer = 50_000;

/** On rows of 20 bytes the primary key costs 2.4 to 2.9 times the rest, on wide ones (1.5 kB) 1.00 to 1.03; between, this is where it stops to matter. */
const maxRowBytesToDefer = 300;

/** Types whose doubled keys can be found and repaired alike by client and server. */
const deferrableTypes = ['int2', 'int4', 'int8', 'text', 'varchar', 'uuid'];

export interface KeyPlan extends Advice {
  readonly defersKey: boolean;
  readonly deferred: readonly DeferredIndex[];
  /** The server keeps the key unique, during the load or at its end. */
  readonly isUnique: boolean;
  /** All columns of the key are among the load's, never null, and digested alike here and there. */
  readonly isTrackable: boolean;
}

export function planKey(context: PlanContext, { publish, writesTo }: Pick<Publish, 'publish' | 'writesTo'>): KeyPlan {
  const { key, table, request } = context;
  const problems = findKeyProblems(context);
  const isUnique = key.length > 0 && (table === undefined || findArbiter(context) !== undefined);
  const isTrackable = isUnique && problems.length === 0 && hasHashedKey(context);
  if (key.length === 0 || problems.length > 0) return { defersKey: false, deferred: [], isUnique, isTrackable, problems, decisions: [] };
  const obstacle = findDeferObstacle(context, publish);
  const decisions: Decision[] = [];
  if (obstacle === undefined) decisions.push(explainDeferred(context));
  else if (obstacle !== '') decisions.push({ what: 'key', choice: `(${key.join(', ')}) in place during the load`, why: obstacle });
  if (!isUnique && (request.mode === 'insert' || request.mode === 'replace')) decisions.push(warnOfDoubles(context));
  const deferred = obstacle === undefined ? [deferKey(context, { publish, writesTo })] : [];
  return { defersKey: obstacle === undefined, deferred, isUnique, isTrackable, problems, decisions };
}

function findKeyProblems({ key, request, asked, table, name }: PlanContext): readonly string[] {
  const { mode, columns } = request;
  if (key.length === 0) {
    return mode === 'upsert' || mode === 'skip' || asked === 'sync' ? [`Mode ${asked} needs a key: name its columns with --key.`] : [];
  }
  const loaded = columns.map((column) => column.name);
  if (table === undefined) {
    return key
      .filter((column) => !loaded.includes(column))
      .map((column) => `The key column ${column} is not among the columns of the load (${loaded.join(', ')}).`);
  }
  const known = table.columns.map((column) => column.name);
  const unknown = key.filter((column) => !known.includes(column));
  if (unknown.length > 0) return unknown.map((column) => `The key column ${column} is not in the table ${name} (${known.join(', ')}).`);
  if (mode !== 'upsert' && mode !== 'skip') return [];
  const absent = key.filter((column) => !loaded.includes(column));
  if (absent.length > 0) return absent.map((column) => `The key column ${column} is not among the columns of the load.`);
  if (findArbiterOf(table.indexes, key) !== undefined) return [];
  const command = `CREATE UNIQUE INDEX ON ${quoteTable(name)} (${quoteList(key)})`;
  return [
    `Mode ${asked} needs a primary key or a unique index on exactly (${key.join(', ')}) of ${name}: make one (${command}) or name its key with --key.`,
  ];
}

function findArbiter({ table, key }: PlanContext): CatalogIndex | undefined {
  return findArbiterOf(table?.indexes ?? [], key);
}

/** Exactly the key's columns, in any order, as ON CONFLICT infers it. */
function findArbiterOf(indexes: readonly CatalogIndex[], key: readonly string[]): CatalogIndex | undefined {
  return indexes.find((index) => isArbiter(index) && hasColumns(index, key));
}

function hasColumns({ columns }: CatalogIndex, key: readonly string[]): boolean {
  return columns.length === key.length && columns.every((name) => name !== null && key.includes(name));
}

function hasHashedKey({ key, wires, table }: PlanContext): boolean {
  const columns = key.map((name) => wires.find(({ column }) => column.name === name));
  const known = columns.filter((wire) => wire !== undefined);
  if (known.length < key.length || !canHashKey(known.map(({ type }) => type))) return false;
  // A row whose key is null meets no other, and equal texts of a nondeterministic collation have different digests.
  return (
    table === undefined || table.columns.every((column) => !key.includes(column.name) || (!column.isNullable && column.isDeterministic))
  );
}

/** Why the key stays in place; '' where there is nothing to say; undefined where it is put off. */
function findDeferObstacle(context: PlanContext, publish: PostgresSettings['publish']): string | undefined {
  const { request, options, table, description } = context;
  if (request.mode === 'upsert' || request.mode === 'skip' || publish === 'move') return '';
  if (table !== undefined && publish === 'rows' && description?.isEmpty !== true) return '';
  if (options.indexes === 'keep') return 'as asked for';
  const isAsked = options.indexes === 'rebuild';
  const rows = countComing(context);
  if (!isAsked && rows !== undefined && rows < minRowsToDefer) return '';
  if (request.isEmbedded === true) return 'rows with a vector cost so much more than their key that making it later would gain under 3 %';
  if (request.isRereadable !== true)
    return 'settling doubled keys at the end would need the same rows a second time, which this source does not promise';
  const legal = findLegalObstacle(context);
  if (legal !== undefined) return legal;
  if (isAsked) return undefined;
  if (rows === undefined) return '';
  const bytes = meanInputBytes(context);
  if (bytes >= maxRowBytesToDefer)
    return `rows of about ${formatRows(bytes)} bytes cost so much more than their key that making it later would gain under 3 %`;
  return undefined;
}

/** What would not come back as it was, or could not be repaired. */
function findLegalObstacle({ key, wires, table, family }: PlanContext): string | undefined {
  if (!family.hasHeap) return `${family.name} stores rows by their primary key`;
  const odd = wires.find(({ column, type }) => key.includes(column.name) && (type.isArray || !deferrableTypes.includes(type.name)));
  if (odd !== undefined) return `doubled keys of type ${odd.type.name} can not be settled at the end`;
  if (table === undefined) return undefined;
  const primary = table.indexes.find((index) => index.isPrimary);
  if (primary === undefined || primary.constraint === null || !hasColumns(primary, key)) return 'it is not the primary key of the table';
  if (!table.isOwner) return `only the owner of the table (${table.owner}) may drop its primary key`;
  if (table.kind === 'p' || table.isPartition || table.hasParents || table.hasChildren) return 'the table is part of a partitioned one';
  if (table.isLocked) return 'others work with the table, and could write rows with equal keys meanwhile';
  if (primary.hasDependents) return 'foreign keys or views stand on it';
  if (table.publications.length > 0 || primary.isReplicaIdentity) return 'replication tells rows apart by it';
  if (primary.hasComment || primary.hasTablespace || primary.isClustered) return 'its comment, tablespace or CLUSTER mark would be lost';
  if (!primary.isImmediate) return 'it is deferrable';
  return undefined;
}

/** Of a table that is built aside there is nothing to drop: its key is left out until the end. */
function deferKey(
  { key, table, place, keyName }: PlanContext,
  { publish, writesTo }: Pick<Publish, 'publish' | 'writesTo'>,
): DeferredIndex {
  const constraint = table?.indexes.find((index) => index.isPrimary)?.constraint ?? undefined;
  if (constraint === undefined || publish === 'swap') {
    const definition = constraint?.ddl ?? `PRIMARY KEY (${quoteList(key)})`;
    return { name: keyName, ddl: `ALTER TABLE ${quoteTable(writesTo)} ADD CONSTRAINT ${quoteIdentifier(keyName)} ${definition}` };
  }
  const target = quoteName({ schema: place.schema, name: place.name });
  return {
    name: constraint.name,
    ddl: `ALTER TABLE ${target} ADD CONSTRAINT ${quoteIdentifier(constraint.name)} ${constraint.ddl}`,
    drop: `ALTER TABLE ${target} DROP CONSTRAINT IF EXISTS ${quoteIdentifier(constraint.name)}`,
  };
}

function explainDeferred(context: PlanContext): Decision {
  const rows = countComing(context);
  const asked = context.options.indexes === 'rebuild' ? 'as asked for; ' : '';
  return {
    what: 'key',
    choice: `(${context.key.join(', ')}) made at the end`,
    why: `${asked}${rows === undefined ? '' : `about ${formatRows(rows)} small rows: `}through a primary key they take 2.4 to 2.9 × as long (measured), and making it at the end is quick; rows with equal keys are found then, and the first one stays`,
  };
}

function warnOfDoubles({ key, name }: PlanContext): Decision {
  return {
    what: 'warning',
    choice: `(${key.join(', ')}) is not unique in ${name}`,
    why: 'the server takes rows with equal keys, and the load can be verified by its count only',
  };
}
