/** What of an existing table decides how its rows may be written and counted: clauses, triggers and keys that make SQLite do more than it was told. */
import type { Column } from '../../rows/schema.ts';
import type { TableDescription, TableRequest } from '../driver.ts';
import { hasNumericAffinity } from './column-types.ts';
import type { SqliteFile } from './connect.ts';
import { findCollatedColumns, findTable, readTriggers, type TriggerText } from './schema.ts';

/** See the fields of the driver's settings with the same names. */
export interface TableTraits {
  readonly isRowwise: boolean;
  readonly guardsRows: boolean;
  readonly tracksKeys: boolean;
  readonly countsRows: boolean;
}

/** Traits of the table that a load writes to; a new one has none. */
export function readTraits(link: SqliteFile, description: TableDescription | undefined, request: TableRequest): TableTraits {
  const key = request.key.length > 0 ? request.key : (description?.key ?? []);
  const isKeyLoaded = key.length > 0 && key.every((name) => request.columns.some((column) => column.name === name));
  if (description === undefined) return { isRowwise: false, guardsRows: false, tracksKeys: isKeyLoaded, countsRows: true };
  const sql = findTable(link, description.name)?.sql ?? '';
  // The table that replaces another is built without triggers.
  const triggers = request.mode === 'replace' ? [] : readTriggers(link).filter((trigger) => !trigger.name.startsWith('sluice_'));
  const own = triggers.filter((trigger) => isSameName(trigger.table, description.name));
  const hasPlainKey =
    isKeyLoaded &&
    isPlainKey(
      link,
      description,
      request.columns.filter((column) => key.includes(column.name)),
    );
  const looksUpKeys = request.mode === 'upsert' || request.mode === 'skip' || request.mode === 'sync';
  const countsRows =
    !/\bON\s+CONFLICT\s+REPLACE\b/iu.test(sql) && !(own.length > 0 && triggers.some((trigger) => mentions(trigger, description.name)));
  return {
    // A trigger or an ON CONFLICT clause may pass over a row without an error, and equal keys may look different: only one row a statement tells which.
    isRowwise: own.length > 0 || /\bON\s+CONFLICT\b/iu.test(sql) || (looksUpKeys && !hasPlainKey),
    // RAISE(FAIL) and ON CONFLICT FAIL, also of a table that a trigger writes to, refuse a row and leave it there.
    guardsRows: own.length > 0 || /\bFAIL\b/iu.test(sql),
    tracksKeys: hasPlainKey && countsRows,
    countsRows,
  };
}

/** Whether a key is kept as it is given and equal to itself alone: not with another collation, nor where SQLite turns text into numbers. */
function isPlainKey(link: SqliteFile, description: TableDescription, keyColumns: readonly Column[]): boolean {
  const collated = findCollatedColumns(link, description.name);
  return keyColumns.every(({ name, type, isNullable }) => {
    const declared = description.columns.find((column) => column.name === name)?.declaredType ?? '';
    const mayChange = (type === 'decimal' || type === 'json' || type === 'text') && hasNumericAffinity(declared);
    return !isNullable && !mayChange && !collated.includes(name);
  });
}

/** Whether a trigger's body names the table, and so may add or delete rows of it. */
function mentions(trigger: TriggerText, table: string): boolean {
  const body = trigger.sql.slice(Math.max(0, trigger.sql.search(/\bBEGIN\b/iu)));
  return body.toLowerCase().includes(table.toLowerCase());
}

function isSameName(left: string, right: string): boolean {
  return left.toLowerCase() === right.toLowerCase();
}
