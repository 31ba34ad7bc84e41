/** Column types of sluice and SQLite's declared types: the declared name carries the type, and its affinity never changes a value. */
import type { Column, ColumnType } from '../../rows/schema.ts';

/**
 * What a new column is declared as. The `_TEXT` endings give TEXT affinity (rule 2 of SQLite's affinity rules), so digits of decimals stay as they are;
 * `F32_BLOB(n)` is libSQL's name for n little-endian float32. @see https://sqlite.org/datatype3.html#determination_of_column_affinity
 */
export function declareType(column: Pick<Column, 'type' | 'dimensions'>): string {
  switch (column.type) {
    case 'integer':
      return 'INTEGER';
    case 'real':
      return 'REAL';
    case 'text':
      return 'TEXT';
    case 'boolean':
      return 'BOOLEAN';
    case 'bytes':
      return 'BLOB';
    case 'vector':
      return `F32_BLOB(${String(column.dimensions ?? 0)})`;
    case 'json':
    case 'timestamp':
    case 'date':
    case 'uuid':
    case 'decimal':
      return `${column.type.toUpperCase()}_TEXT`;
  }
}

/** What a declared type means to sluice. */
export interface ReadType {
  readonly type: ColumnType;
  readonly dimensions?: number;
}

/** Types known by name, before affinity decides. */
const byName: Readonly<Record<string, ColumnType>> = {
  BOOLEAN: 'boolean',
  BOOL: 'boolean',
  JSON_TEXT: 'json',
  JSON: 'json',
  JSONB: 'json',
  TIMESTAMP_TEXT: 'timestamp',
  TIMESTAMP: 'timestamp',
  DATETIME: 'timestamp',
  DATE_TEXT: 'date',
  DATE: 'date',
  UUID_TEXT: 'uuid',
  UUID: 'uuid',
  DECIMAL_TEXT: 'decimal',
};

/** Reads a declared type: by its name where it has a meaning of its own, else by SQLite's affinity rules in their order. */
export function readDeclaredType(declared: string): ReadType {
  const vector = /^F32_BLOB\s*\(\s*(\d+)\s*\)$/iu.exec(declared.trim());
  if (vector !== null) return { type: 'vector', dimensions: Number(vector[1]) };
  const upper = declared.toUpperCase();
  const named = byName[upper.replace(/\s*\(.*$/u, '').trim()];
  if (named !== undefined) return { type: named };
  return { type: typeByAffinity(upper) };
}

function typeByAffinity(upper: string): ColumnType {
  if (upper.includes('INT')) return 'integer';
  if (/CHAR|CLOB|TEXT/u.test(upper)) return 'text';
  if (upper.includes('BLOB')) return 'bytes';
  if (/REAL|FLOA|DOUB/u.test(upper)) return 'real';
  if (upper === '') return 'text';
  return 'decimal';
}

/** Whether SQLite would turn a number in text into a number on its way into the column, and so may round a decimal. */
export function hasNumericAffinity(declared: string): boolean {
  const upper = declared.toUpperCase();
  return !/INT|CHAR|CLOB|TEXT|BLOB/u.test(upper) && upper !== '';
}

/** Whether an integer given as a double becomes an integer again (INTEGER or NUMERIC affinity); otherwise it must be bound as one. */
export function takesDoublesAsIntegers(declared: string): boolean {
  const upper = declared.toUpperCase();
  if (upper.includes('INT')) return true;
  return hasNumericAffinity(declared) && !/REAL|FLOA|DOUB/u.test(upper);
}
