/** Writes the statements that `prepare` runs: the table that a load makes, the one it builds beside another, or the one where rows wait. */
import type { Column } from '../../../rows/schema.ts';
import { quoteIdentifier, quoteList } from '../../sql-text.ts';
import { declareType } from '../catalog/column-types.ts';
import { writeChanges } from './column-change.ts';
import type { PlanContext } from './context.ts';
import type { KeyPlan } from './key.ts';
import type { Publish } from './publish.ts';
import type { VectorPlan } from './vector.ts';
import { quoteName, quoteTable } from '../qualified-name.ts';
import { placeColumns } from '../settings.ts';

interface Parts {
  readonly publish: Publish;
  readonly vectors: VectorPlan;
  readonly key: KeyPlan;
}

/** A table that is built beside another is changed once it is made; any other first. */
export function writeTableDdl(context: PlanContext, parts: Parts): readonly string[] {
  const isVectorAdded = context.stored !== undefined && (context.request.changes ?? []).some(({ column }) => column.type === 'vector');
  const changes = [...(isVectorAdded ? parts.vectors.ddl : []), ...writeChanges(context, parts.publish)];
  const ddl = writeDdl(context, parts);
  return parts.publish.publish === 'swap' ? [...ddl, ...changes] : [...changes, ...ddl];
}

function writeDdl(context: PlanContext, parts: Parts): readonly string[] {
  const { table } = context;
  const { publish, writesTo } = parts.publish;
  if (table === undefined) return [...parts.vectors.ddl, writeCreateTable(context, parts)];
  if (publish === 'swap') return [writeClone(context, parts), ...writeUniqueIndexes(context, writesTo)];
  return publish === 'move' ? [writeWaitingTable(context, writesTo)] : [];
}

/** The statement that makes a table for the load's columns. */
function writeCreateTable(context: PlanContext, { publish, vectors, key }: Parts): string {
  const { request, options } = context;
  const lines = request.columns.map(
    (column) => `${quoteIdentifier(column.name)} ${declare(context, column)}${declareNull(column, context.key)}`,
  );
  if (context.key.length > 0 && !key.defersKey) {
    lines.push(`CONSTRAINT ${quoteIdentifier(context.keyName)} PRIMARY KEY (${quoteList(context.key)})`);
  }
  const unlogged = options.isUnlogged === true && publish.publish === 'rows' ? 'UNLOGGED ' : '';
  const storage = vectors.storage === undefined ? '' : ` WITH (${vectors.storage})`;
  return `CREATE ${unlogged}TABLE IF NOT EXISTS ${quoteTable(publish.writesTo)} (\n  ${lines.join(',\n  ')}\n)${storage}`;
}

/** An extension outside the search path is named with its schema. */
function declare({ options, state }: PlanContext, column: Column): string {
  const type = declareType(column, options);
  return column.type === 'vector' && state.vectorSchema !== null && !state.isVectorVisible
    ? `${quoteIdentifier(state.vectorSchema)}.${type}`
    : type;
}

function declareNull(column: Column, key: readonly string[]): string {
  return column.isNullable && !key.includes(column.name) ? '' : ' NOT NULL';
}

/**
 * Columns, defaults, checks and comments, and what keeps rows apart: a row that it refuses becomes a reject here and stops the load at the end. Other indexes and
 * all that points at the table come when it is whole; then what is there already is found by its definition.
 */
function writeClone({ table, place }: PlanContext, { publish, key }: Parts): string {
  const constraints =
    table?.indexes.flatMap(({ constraint, isPrimary }) => (constraint === null || (isPrimary && key.defersKey) ? [] : [constraint.ddl])) ??
    [];
  const source = quoteName({ schema: table?.schema ?? place.schema, name: place.name });
  const lines = [`LIKE ${source} INCLUDING ALL EXCLUDING INDEXES`, ...constraints];
  const options = table?.options.filter((option) => /^[a-z_]+=[\w.+-]+$/u.test(option)) ?? [];
  const storage = options.length === 0 ? '' : ` WITH (${options.join(', ')})`;
  return `CREATE TABLE IF NOT EXISTS ${quoteTable(publish.writesTo)} (\n  ${lines.join(',\n  ')}\n)${storage}`;
}

function writeUniqueIndexes({ table, request }: PlanContext, writesTo: string): readonly string[] {
  const unique = table?.indexes.filter((index) => index.isUnique && index.isValid && index.constraint === null) ?? [];
  return unique.map(
    (index, at) =>
      `CREATE UNIQUE INDEX IF NOT EXISTS ${quoteIdentifier(`sluice_unique_${request.load}_${String(at)}`)} ON ${quoteTable(writesTo)} ${index.definition}`,
  );
}

/** The load's columns as the table has them, with the place that each row came from. Checks are left to the table: there a row that fails becomes a reject. */
function writeWaitingTable({ table, request }: PlanContext, writesTo: string): string {
  const lines = request.columns.flatMap(({ name }) => {
    const column = table?.columns.find((each) => each.name === name);
    return column === undefined ? [] : [`${quoteIdentifier(name)} ${column.declaredType}${column.isNullable ? '' : ' NOT NULL'}`];
  });
  const places = placeColumns.map((name) => `${quoteIdentifier(name)} bigint NOT NULL`);
  return `CREATE TABLE IF NOT EXISTS ${quoteTable(writesTo)} (\n  ${[...lines, ...places].join(',\n  ')}\n)`;
}
