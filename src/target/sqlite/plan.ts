/** Decides what a load will do to an SQLite table and file, with the reason beside each decision. Reads only; all problems are found at once. */
import type { Column } from '../../rows/schema.ts';
import { quoteIdentifier, quoteList } from '../sql-text.ts';
import type { Decision, TableDescription, TablePlan, TableRequest } from '../driver.ts';
import { applyChanges, findChangeProblems, writeChanges } from './column-change.ts';
import { declareType } from './column-types.ts';
import type { SqliteFile } from './connect.ts';
import { choosePublish, type Publish, type PublishWay } from './publish.ts';
import { describeTable, findPlainIndexes, findTable, isFreshFile, readForeignKeys } from './schema.ts';
import { planSeen } from './seen.ts';
import { readTraits } from './table-traits.ts';
import { writeWaitingDdl } from './waiting-table.ts';

/** SQLite's default limit of parameters of one statement. */
export const maxParameters = 32_766;

/** Rows of one statement: 100 small ones (50, 500 and 1,000 are no faster), 20 of 1 kB and more. */
const smallRowsPerStatement = 100;
const largeRowsPerStatement = 20;
const largeRowBytes = 1000;

/**
 * The page size of a new file. Rows of 1 kB and more leave less of a larger page empty, and half as many pages are written one by one: 10⁶ rows with a vector of
 * 384 floats took 20 % less of the processor with 16 KiB than with 8, and no less with 32. Small rows gain nothing by it.
 */
const pageBytes = 8192;
const widePageBytes = 16_384;

/** Below this many rows a load goes through the indexes: building them again costs more than it saves. */
const minDeferRows = 50_000;

/** Indexes are put off when the load brings at least this share of the rows already there: 1.26M rows/s through one index, 2.03M with it made afterwards. */
const minDeferShare = 0.5;

/** What the driver notes for itself in {@link TablePlan.settings}. */
export interface SqliteSettings extends Readonly<Record<string, string | number | boolean>> {
  /** `truncate`: a fresh file, written with a rollback journal and turned to WAL at the end; `keep`: as it is. */
  readonly journal: 'truncate' | 'keep';
  /** Bytes of a page of a fresh file. */
  readonly pageSize: number;
  readonly rowsPerStatement: number;
  /** Whether a row that is refused may have left traces, so that each is written under a savepoint. */
  readonly guardsRows: boolean;
  /** Whether each row that is written as new is one row more in the table, so that the table can be counted later. */
  readonly countsRows: boolean;
  /** Whether the keys of the rows are digested, so that the table can be verified later. */
  readonly tracksKeys: boolean;
  /** How rows become visible. */
  readonly publish: PublishWay;
  /** `move`: plain indexes are dropped and made again inside the transaction that publishes, so that nobody misses them. */
  readonly rebuildsIndexes: boolean;
}

/** The plan for a table; `problems` lists all that stands against it. */
export function planSqliteTable(link: SqliteFile, request: TableRequest): TablePlan {
  const found = describeTable(link, request.table);
  const { changes = [] } = request;
  const description = applyChanges(found, changes);
  const key = request.key.length > 0 ? request.key : (description?.key ?? []);
  const table = description?.name ?? request.table;
  const publish = choosePublish(link, request, description);
  const slow = description === undefined || publish.publish === 'swap' ? [] : chooseDeferred(link, description, request);
  const deferred = publish.publish === 'rows' ? slow : [];
  const ways = { publish: publish.publish, rebuildsIndexes: publish.publish === 'move' && slow.length > 0 };
  const settings = chooseSettings(link, { request, description }, ways);
  return {
    table,
    writesTo: publish.writesTo ?? table,
    columns: request.columns,
    key,
    mode: request.mode,
    isNew: description === undefined,
    ddl: joinChanges(
      publish,
      writeDdl(link, { request: { ...request, table, key }, publish }, description),
      writeChanges(link, { table, writesTo: publish.publish === 'swap' ? (publish.writesTo ?? table) : table }, changes),
    ),
    deferredIndexes: deferred,
    decisions: [...explain({ link, request, description, settings, deferred: slow }), ...publish.decisions],
    problems: [...findProblems(link, { ...request, key }, description), ...findChangeProblems(link, found, changes)],
    settings,
  };
}

function chooseSettings(
  link: SqliteFile,
  { request, description }: { readonly request: TableRequest; readonly description: TableDescription | undefined },
  ways: { readonly publish: PublishWay; readonly rebuildsIndexes: boolean },
): SqliteSettings {
  const { isRowwise, ...traits } = readTraits(link, description, request);
  const rowBytes =
    request.expectedRows !== undefined && request.expectedBytes !== undefined
      ? request.expectedBytes / Math.max(1, request.expectedRows)
      : 0;
  const hasVector = request.columns.some((column) => column.type === 'vector');
  const isWide = hasVector || rowBytes >= largeRowBytes;
  const wanted = isWide ? largeRowsPerStatement : smallRowsPerStatement;
  const fits = Math.max(1, Math.floor(maxParameters / Math.max(1, request.columns.length)));
  return {
    ...traits,
    ...ways,
    journal: isFreshFile(link) ? 'truncate' : 'keep',
    pageSize: isWide ? widePageBytes : pageBytes,
    rowsPerStatement: isRowwise ? 1 : Math.min(wanted, fits),
  };
}

function estimateRows(link: SqliteFile, table: string): number {
  try {
    return Number(link.db.prepare(`SELECT coalesce(max(rowid), 0) AS n FROM ${quoteIdentifier(table)}`).get()?.['n'] ?? 0);
  } catch {
    // A table WITHOUT ROWID has no such column; counting is the only way.
    return Number(link.db.prepare(`SELECT count(*) AS n FROM ${quoteIdentifier(table)}`).get()?.['n'] ?? 0);
  }
}

function chooseDeferred(link: SqliteFile, description: TableDescription, request: TableRequest): readonly { name: string; ddl: string }[] {
  const expected = request.expectedRows ?? 0;
  const way = request.options?.indexes ?? 'auto';
  if (way === 'keep') return [];
  // Most rows of a sync are equal, and what is not written costs no index anything.
  if (
    way === 'auto' &&
    (request.mode === 'sync' || expected < minDeferRows || expected < minDeferShare * estimateRows(link, description.name))
  )
    return [];
  return findPlainIndexes(link, description.name);
}

function declareColumn(column: Column, key: readonly string[]): string {
  const isOnlyKey = key.length === 1 && key[0] === column.name;
  const notNull = column.isNullable && !key.includes(column.name) ? '' : ' NOT NULL';
  if (isOnlyKey && column.type === 'integer') return `${quoteIdentifier(column.name)} INTEGER PRIMARY KEY`;
  return `${quoteIdentifier(column.name)} ${declareType(column)}${notNull}${isOnlyKey ? ' PRIMARY KEY' : ''}`;
}

/** The statement that makes a table for these columns. */
export function writeCreateTable(name: string, columns: readonly Column[], key: readonly string[]): string {
  const lines = columns.map((column) => declareColumn(column, key));
  if (key.length > 1) lines.push(`PRIMARY KEY (${quoteList(key)})`);
  return `CREATE TABLE IF NOT EXISTS ${quoteIdentifier(name)} (\n  ${lines.join(',\n  ')}\n)`;
}

/** SQLite stores `CREATE TABLE` followed by the statement from the table's name on, so only that name is exchanged. */
function writeClone(sql: string, name: string): string {
  const rest = sql.replace(/^\s*CREATE\s+TABLE\s+(?:"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|'(?:[^']|'')*'|[^\s(]+)/iu, '');
  return `CREATE TABLE IF NOT EXISTS ${quoteIdentifier(name)}${rest}`;
}

interface Making {
  readonly request: TableRequest;
  readonly publish: Publish;
}

function writeDdl(link: SqliteFile, { request, publish }: Making, description: TableDescription | undefined): readonly string[] {
  const name = publish.writesTo ?? request.table;
  const waiting = publish.publish === 'move' ? [writeWaitingDdl(name)] : [];
  if (request.mode === 'sync' && description !== undefined)
    return [...waiting, ...(request.key.length === 0 ? [] : [planSeen(link, request.load, request)])];
  if (description === undefined) return [writeCreateTable(name, request.columns, request.key)];
  return publish.publish === 'swap' ? [writeClone(findTable(link, description.name)?.sql ?? '', name)] : waiting;
}

/** A table that is built beside is changed after it was made, and the other not at all. */
function joinChanges({ publish }: Publish, ddl: readonly string[], changes: readonly string[]): readonly string[] {
  return publish === 'swap' ? [...ddl, ...changes] : [...changes, ...ddl];
}

function findProblems(link: SqliteFile, request: TableRequest, description: TableDescription | undefined): readonly string[] {
  const problems: string[] = [];
  const names = request.columns.map((column) => column.name);
  if (/^sluice_|^sqlite_/iu.test(request.table))
    problems.push(`The name ${request.table} is kept for ${request.table.slice(0, 6)}'s own tables; choose another with --table.`);
  const other = link.db.prepare(`SELECT type FROM sqlite_schema WHERE name = ? COLLATE NOCASE AND type <> 'table'`).get(request.table);
  if (other !== undefined) problems.push(`${request.table} is a ${String(other['type'])}, not a table; choose another with --table.`);
  if (description === undefined) {
    for (const name of request.key) {
      if (!names.includes(name)) problems.push(`The key column ${name} is not among the columns of the load (${names.join(', ')}).`);
    }
  }
  if (
    request.mode === 'replace' &&
    description !== undefined &&
    readForeignKeys(link, description.name).some((key) => isSameName(key.parent, description.name))
  ) {
    problems.push(
      `The table ${description.name} refers to itself, so it can't be built beside itself (mode replace): empty it and use mode insert.`,
    );
  }
  if (names.length === 0) problems.push('The load has no columns.');
  if (names.length > 2000) problems.push(`The load has ${String(names.length)} columns; SQLite takes 2,000.`);
  return [...problems, ...findOptionProblems(request), ...findKeyProblems(request, description)];
}

/** What only other targets can do is refused, not passed over. */
function findOptionProblems({ options = {} }: TableRequest): readonly string[] {
  const problems: string[] = [];
  if (options.isUnlogged === true) problems.push('SQLite has no tables without a log (--unlogged).');
  if (options.isBoot === true) problems.push('Only rqlite can be booted from a file (--boot).');
  if (options.vectorType === 'halfvec') problems.push('SQLite keeps vectors as 32-bit floats only (--vector-type halfvec).');
  return problems;
}

function isSameName(left: string, right: string): boolean {
  return left.toLowerCase() === right.toLowerCase();
}

function findKeyProblems(request: TableRequest, description: TableDescription | undefined): readonly string[] {
  const problems: string[] = [];
  const { key, mode } = request;
  if ((mode === 'upsert' || mode === 'skip' || mode === 'sync') && key.length === 0) {
    problems.push(`Mode ${mode} needs a key: name its columns with --key.`);
  }
  if (description === undefined || key.length === 0) return problems;
  const known = description.columns.map((column) => column.name);
  for (const name of key) {
    if (!known.includes(name)) problems.push(`The key column ${name} is not in the table ${description.name} (${known.join(', ')}).`);
    else if (!request.columns.some((column) => column.name === name) && mode !== 'insert' && mode !== 'replace') {
      problems.push(`The key column ${name} is not among the columns of the load.`);
    }
  }
  const wanted = [...key].sort().join('\u0000');
  const isUnique = description.uniqueKeys.some((columns) => [...columns].sort().join('\u0000') === wanted);
  if (problems.length === 0 && !isUnique && request.key.length > 0) {
    problems.push(
      `The table ${description.name} has no primary key and no unique index on (${key.join(', ')}), so rows could be doubled: make one (CREATE UNIQUE INDEX …) or name its key with --key.`,
    );
  }
  return problems;
}

interface Explained {
  readonly link: SqliteFile;
  readonly request: TableRequest;
  readonly description: TableDescription | undefined;
  readonly settings: SqliteSettings;
  readonly deferred: readonly { readonly name: string }[];
}

function explain({ link, request, description, settings, deferred }: Explained): readonly Decision[] {
  const decisions: Decision[] = [explainJournal(link, settings), explainStatement(settings, description)];
  const secondary = description?.indexes.filter((index) => !index.isUnique && index.ddl !== '') ?? [];
  if (request.mode === 'replace') {
    decisions.push({
      what: 'replace',
      choice: 'built beside, swapped in one transaction',
      why: 'readers see the old table or the new one, never half',
    });
    if ((description?.triggers.length ?? 0) > 0) {
      decisions.push({
        what: 'triggers',
        choice: 'put on the new table by the swap',
        why: 'they do not fire for the rows of the load, which nobody sees before',
      });
    }
  } else if (deferred.length > 0) {
    decisions.push({
      what: 'indexes',
      choice: `dropped ${settings.publish === 'move' ? 'inside the transaction that publishes' : 'for the load'} and made again: ${deferred.map((index) => index.name).join(', ')}`,
      why: `about ${String(request.expectedRows)} rows come; building once is faster than keeping them up row by row (measured 2.03M against 1.26M rows/s)`,
    });
  } else if (secondary.length > 0) {
    decisions.push({
      what: 'indexes',
      choice: `kept: ${secondary.map((index) => index.name).join(', ')}`,
      why: 'the load is small beside the table, or its size is not known',
    });
  }
  return decisions;
}

function explainJournal(link: SqliteFile, settings: SqliteSettings): Decision {
  if (settings.journal === 'truncate') {
    return {
      what: 'journal',
      choice: `TRUNCATE, synchronous FULL, page size ${String(settings.pageSize)}; WAL afterwards`,
      why: 'the file is new: appended pages need no saving, so each is written once (measured 2.4 × the speed of WAL)',
    };
  }
  const mode = String(link.db.prepare('PRAGMA journal_mode').get()?.['journal_mode']);
  return { what: 'journal', choice: `${mode.toUpperCase()}, as it is`, why: 'the file holds tables that others may be reading' };
}

function explainStatement(settings: SqliteSettings, description: TableDescription | undefined): Decision {
  const choice = `INSERT of ${String(settings.rowsPerStatement)} ${settings.rowsPerStatement === 1 ? 'row' : 'rows'} a statement, values bound`;
  if (settings.rowsPerStatement > 1)
    return { what: 'statement', choice, why: 'one row a statement only to find the guilty row of one that failed' };
  const triggers = description?.triggers.join(', ') ?? '';
  return {
    what: 'statement',
    choice,
    why: `triggers, ON CONFLICT clauses or the comparison of keys may make other of a row than is asked, so each is counted${triggers === '' ? '' : ` (${triggers})`}`,
  };
}
