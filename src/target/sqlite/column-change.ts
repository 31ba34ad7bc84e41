/** Columns that a load adds to a table, or widens, before its first row: the statements, and what stands against them. Reads only. */
import type { Column } from '../../rows/schema.ts';
import type { ColumnChange, ColumnDescription, TableDescription } from '../driver.ts';
import { quoteIdentifier } from '../sql-text.ts';
import { declareType } from './column-types.ts';
import type { SqliteFile } from './connect.ts';
import { findTable, readTriggers } from './schema.ts';

/** Above this an integer has no double of its own. */
const maxExactInteger = 2n ** 53n;

/** The table as it will be when the load begins. */
export function applyChanges(description: TableDescription | undefined, changes: readonly ColumnChange[]): TableDescription | undefined {
  if (description === undefined || changes.length === 0) return description;
  const kept = description.columns.filter(({ name }) => !changes.some(({ column }) => column.name === name));
  return { ...description, columns: [...kept, ...changes.map(({ column }) => describe(column))] };
}

function describe(column: Column): ColumnDescription {
  const { name, type, dimensions } = column;
  const size = dimensions === undefined ? {} : { dimensions };
  return { name, declaredType: declareType(column), type, ...size, isNullable: true, hasDefault: false, isGenerated: false };
}

/**
 * The statements, for the table or the one that is built beside it. A widened column is made anew behind the others and takes the old one's name: its values are
 * copied once, and whatever depends on the old one makes SQLite refuse.
 */
export function writeChanges(
  link: SqliteFile,
  place: { readonly table: string; readonly writesTo: string },
  changes: readonly ColumnChange[],
): readonly string[] {
  const isStrict = /\bSTRICT\b[^)]*$/iu.test(findTable(link, place.table)?.sql ?? '');
  const table = quoteIdentifier(place.writesTo);
  return changes.flatMap(({ kind, column }) => {
    const type = isStrict ? declareStrict(column) : declareType(column);
    const name = quoteIdentifier(column.name);
    if (kind === 'add') return [`ALTER TABLE ${table} ADD COLUMN ${name} ${type}`];
    const wide = quoteIdentifier(`sluice_wide_${column.name}`);
    return [
      `ALTER TABLE ${table} ADD COLUMN ${wide} ${type}`,
      `UPDATE ${table} SET ${wide} = ${column.type === 'real' ? name : `CAST(${name} AS TEXT)`} WHERE ${name} IS NOT NULL`,
      `ALTER TABLE ${table} DROP COLUMN ${name}`,
      `ALTER TABLE ${table} RENAME COLUMN ${wide} TO ${name}`,
    ];
  });
}

/** A STRICT table knows five types, and refuses the names of others. */
function declareStrict({ type }: Column): string {
  if (type === 'integer' || type === 'boolean') return 'INTEGER';
  if (type === 'real') return 'REAL';
  return type === 'bytes' || type === 'vector' ? 'BLOB' : 'TEXT';
}

/** Why a column can't be widened: everything that names it, and values that would not come through whole. */
export function findChangeProblems(
  link: SqliteFile,
  description: TableDescription | undefined,
  changes: readonly ColumnChange[],
): readonly string[] {
  if (description === undefined) return [];
  return changes.flatMap((change) => {
    if (change.kind === 'add') return [];
    const reasons = listReasons(link, description, change);
    if (reasons.length === 0) return [];
    return [
      `The column ${change.column.name} of ${description.name} can't be widened from ${change.from}: ${reasons.join('; ')}. Leave out --on-type-change widen (its rows become rejects), or change the column by hand.`,
    ];
  });
}

function listReasons(
  link: SqliteFile,
  { name: table, columns, key, indexes, uniqueKeys }: TableDescription,
  { column }: ColumnChange,
): readonly string[] {
  const { name } = column;
  const found = columns.find((each) => each.name === name);
  const indexed = indexes.filter((index) => index.columns.includes(name)).map((index) => index.name);
  const triggers = readTriggers(link).filter((trigger) => trigger.table.toLowerCase() === table.toLowerCase());
  const views = link.db.prepare(`SELECT name, sql FROM sqlite_schema WHERE type = 'view' AND name NOT LIKE 'sluice\\_%' ESCAPE '\\'`).all();
  const word = new RegExp(`(?<![\\w$])${table.replace(/[\\^$.*+?()[\]{}|]/gu, '\\$&')}(?![\\w$])`, 'iu');
  const using = views.filter(({ sql }) => word.test(String(sql))).map((view) => String(view['name']));
  const reasons = [
    ...(key.includes(name) || uniqueKeys.some((one) => one.includes(name)) ? ['it is part of a key'] : []),
    ...(found?.isNullable === false ? ['it is declared NOT NULL'] : []),
    ...(found?.hasDefault === true ? ['it has a default'] : []),
    ...(indexed.length > 0 ? [`indexes stand on it (${indexed.join(', ')})`] : []),
    ...(triggers.length > 0 ? [`triggers of the table may read it (${triggers.map((trigger) => trigger.name).join(', ')})`] : []),
    ...(using.length > 0 ? [`views may read it (${using.join(', ')})`] : []),
  ];
  return reasons.length > 0 ? reasons : findLosses(link, table, column);
}

/** SQLite's columns hold what they like: only integers are known to come through, as text, or as doubles where they are small enough. */
function findLosses(link: SqliteFile, table: string, { name, type }: Column): readonly string[] {
  const column = quoteIdentifier(name);
  const isTooLarge = type === 'real' ? ` OR abs(${column}) > ${String(maxExactInteger)}` : '';
  const row = link.db
    .prepare(`SELECT 1 FROM ${quoteIdentifier(table)} WHERE typeof(${column}) NOT IN ('null', 'integer')${isTooLarge} LIMIT 1`)
    .get();
  return row === undefined
    ? []
    : [type === 'real' ? 'it holds values that are no integers, or too large for a double' : 'it holds values other than integers'];
}
