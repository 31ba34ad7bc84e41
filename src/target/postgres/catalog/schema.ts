/** What a table is to a load: its columns, keys and indexes in the contract's terms, and the exact types that the wire needs. Reads only. */
import { SluiceError } from '../../../errors.ts';
import type { Column } from '../../../rows/schema.ts';
import type { ColumnDescription, IndexDescription, TableDescription } from '../../driver.ts';
import { probeTimeoutMs, readCatalogTable, type CatalogColumn, type CatalogIndex, type CatalogTable } from './table.ts';
import { readTogether, type ReadWait } from './transaction.ts';
import { readColumnType } from './column-types.ts';
import type { PgLink } from '../link.ts';
import { formatName, parseQualifiedName, quoteName, quoteTable } from '../qualified-name.ts';
import type { WireColumn, WireType } from '../wire-column.ts';

/** The table as it stands; undefined where there is none, or something else has its name (the plan says so). */
export async function describeTable(link: PgLink, table: string, wait: ReadWait = {}): Promise<TableDescription | undefined> {
  return readTogether(link, wait, async () => {
    const found = await readCatalogTable(link, table);
    return found === undefined || !isTable(found) ? undefined : toDescription(link, table, found);
  });
}

/** Ordinary and partitioned tables take rows of a load; views, foreign tables and sequences don't. */
export function isTable({ kind }: Pick<CatalogTable, 'kind'>): boolean {
  return kind === 'r' || kind === 'p';
}

/** The contract's description of a table whose catalog entries were read. */
export async function toDescription(link: PgLink, table: string, found: CatalogTable): Promise<TableDescription> {
  const primary = found.indexes.find((index) => index.isPrimary);
  const key = primary === undefined ? [] : listColumns(primary);
  const others = found.indexes.filter((index) => !index.isPrimary && isArbiter(index)).map(listColumns);
  return {
    name: formatName(parseQualifiedName(table)),
    columns: found.columns.map(toColumn),
    key,
    uniqueKeys: primary === undefined ? others : [key, ...others],
    indexes: found.indexes.map(toIndex),
    triggers: found.triggers.map(({ name }) => name),
    isEmpty: await isTableEmpty(link, found),
  };
}

/**
 * Whether an index settles ON CONFLICT and tells rows apart: unique over whole columns and all rows, checked at once. An invalid one (a broken
 * CREATE INDEX CONCURRENTLY) promises nothing.
 */
export function isArbiter(index: CatalogIndex): boolean {
  return index.isUnique && !index.isPartial && index.isImmediate && index.isValid && index.columns.every((name) => name !== null);
}

function listColumns(index: CatalogIndex): readonly string[] {
  return index.columns.filter((name) => name !== null);
}

const integerBits: Readonly<Record<string, number>> = { int2: 16, int4: 32 };

function toColumn(column: CatalogColumn): ColumnDescription {
  const type = toWireType(column);
  return {
    name: column.name,
    declaredType: column.declaredType,
    ...readColumnType(type),
    // What COPY writes of an array is no JSON; the wire reads both.
    ...(type.isArray ? { textType: 'text' } : {}),
    ...(integerBits[type.name] === undefined || type.isArray ? {} : { integerBits: integerBits[type.name] ?? 64 }),
    isNullable: column.isNullable,
    hasDefault: column.hasDefault,
    isGenerated: column.generated !== '' || column.identity === 'a',
  };
}

function toIndex(index: CatalogIndex): IndexDescription {
  return { name: index.name, columns: listColumns(index), isUnique: index.isUnique, ddl: index.constraint === null ? index.ddl : '' };
}

/** One row is looked for; where the role may not read, or sees only some rows, the table's size answers for it. */
async function isTableEmpty(link: PgLink, found: CatalogTable): Promise<boolean> {
  if (found.bytes === 0) return true;
  if (!found.canSelect || found.isRowSecured) return false;
  const { rows } = await link.query(`SELECT EXISTS (SELECT FROM ${quoteName(found)}) AS found`, [], { timeoutMs: probeTimeoutMs });
  return rows[0]?.['found'] === false;
}

/** The type of a column as the wire needs it. Arrays of domains have no binary form that is known: their elements are checked by the server alone. */
export function toWireType(column: CatalogColumn): WireType {
  const { baseName, baseOid, typmod, baseKind, elementOid, elementName, elementKind, arrayOid } = column;
  if (elementOid !== 0 && elementName !== null) {
    return { name: elementName, oid: baseOid, typmod, isArray: true, elementOid, kind: readKind(elementKind) };
  }
  return {
    name: baseName,
    oid: baseOid,
    typmod,
    isArray: false,
    elementOid: 0,
    kind: readKind(baseKind),
    ...(arrayOid === 0 ? {} : { arrayOid }),
  };
}

function readKind(kind: string | null): WireType['kind'] {
  return kind === 'b' ? 'base' : kind === 'e' ? 'enum' : 'other';
}

/**
 * The load's columns with the types that the table has for them.
 * @throws SLUICE_TABLE_UNKNOWN, SLUICE_COLUMN_UNKNOWN when the table was dropped or altered since the plan was made
 */
export async function readWireColumns(link: PgLink, table: string, columns: readonly Column[]): Promise<readonly WireColumn[]> {
  const found = await readCatalogTable(link, table);
  if (found === undefined) {
    throw new SluiceError('SLUICE_TABLE_UNKNOWN', `There is no table ${quoteTable(table)} in ${link.place}.`, {
      hint: 'It was dropped or renamed since the load was planned: load anew with --again.',
    });
  }
  return columns.map((column) => {
    const match = found.columns.find(({ name }) => name === column.name);
    if (match !== undefined) return { column, type: toWireType(match) };
    throw new SluiceError('SLUICE_COLUMN_UNKNOWN', `The table ${quoteTable(table)} in ${link.place} has no column ${column.name}.`, {
      hint: 'It was altered since the load was planned: add the column again and run the load once more, or plan anew with --again.',
    });
  });
}
