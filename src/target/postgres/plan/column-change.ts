/** Columns that a load adds to a table, or widens, before its first row: the statements, and what stands against them. */
import { quoteIdentifier } from '../../sql-text.ts';
import type { ColumnChange, TargetOptions } from '../../driver.ts';
import { declareType, describeNewType } from '../catalog/column-types.ts';
import type { CatalogTable } from '../catalog/table.ts';
import { quoteTable } from '../qualified-name.ts';
import type { PostgresSettings } from '../settings.ts';
import type { PlanContext } from './context.ts';
import type { Publish } from './publish.ts';

/** Types (`typname`) whose every value a wider one holds, and gives back in the same words. A date's text depends on the session, a timestamp's on its zone: neither is here. */
const widerTypes: Readonly<Record<string, readonly string[]>> = {
  int2: ['int8', 'numeric', 'text'],
  int4: ['int8', 'numeric', 'text'],
  int8: ['numeric', 'text'],
  float4: ['float8', 'text'],
  float8: ['text'],
  numeric: ['text'],
  uuid: ['text'],
  bool: ['text'],
};

/** Of a table that is built beside another only that one is changed, once it is made. */
export function writeChanges({ request, options, state, name }: PlanContext, { publish, writesTo }: Publish): readonly string[] {
  const table = quoteTable(publish === 'swap' ? writesTo : name);
  return (request.changes ?? []).map(({ kind, column }) => {
    const declared = declareType(column, options);
    const isHidden = column.type === 'vector' && state.vectorSchema !== null && !state.isVectorVisible;
    const type = isHidden ? `${quoteIdentifier(state.vectorSchema ?? '')}.${declared}` : declared;
    const quoted = quoteIdentifier(column.name);
    return kind === 'add'
      ? `ALTER TABLE ${table} ADD COLUMN IF NOT EXISTS ${quoted} ${type}`
      : `ALTER TABLE ${table} ALTER COLUMN ${quoted} TYPE ${type} USING ${quoted}::${type}`;
  });
}

/** What the plan's settings keep of them. */
export function noteChanges({ request }: PlanContext): Pick<PostgresSettings, 'changedColumns'> {
  const names = (request.changes ?? []).map(({ column }) => column.name);
  return names.length === 0 ? {} : { changedColumns: JSON.stringify(names) };
}

/** Looks at the table as it is now. */
export function findChangeProblems(table: CatalogTable | undefined, { request, state, name, options }: PlanContext): readonly string[] {
  const { changes = [] } = request;
  if (table === undefined || changes.length === 0) return [];
  if (!table.isOwner)
    return [
      `Only the owner of ${name} (${table.owner}) may change its columns, and the role ${state.role} is not: ask for the change, or for the role.`,
    ];
  return changes.flatMap((change) => {
    if (change.kind === 'add') return [];
    const reasons = listReasons(table, change, options);
    if (reasons.length === 0) return [];
    return [
      `The column ${change.column.name} of ${name} can't be widened from ${change.from}: ${reasons.join('; ')}. Leave out --on-type-change widen (its rows become rejects), or change the column by hand.`,
    ];
  });
}

function listReasons(table: CatalogTable, { column }: ColumnChange, options: TargetOptions): readonly string[] {
  const found = table.columns.find(({ name }) => name === column.name);
  const wider = describeNewType(column, options).name;
  if (found === undefined) return ['it is not there'];
  const isLossless = found.elementOid === 0 && (widerTypes[found.baseName]?.includes(wider) ?? false);
  return [
    ...(isLossless ? [] : [`${wider} does not hold all of its values in the same words`]),
    ...(found.generated === '' && found.identity === '' ? [] : ['the server fills it by itself']),
    ...(found.hasDefault ? ['it has a default'] : []),
    ...(table.views.length > 0 ? [`views stand on the table (${table.views.join(', ')})`] : []),
    ...(table.isPartition || table.hasParents ? ['the table is a part of another'] : []),
    ...(table.referencedBy.length + table.foreignKeys.length > 0 ? ['foreign keys may compare it'] : []),
  ];
}
