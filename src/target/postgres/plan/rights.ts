/** Rights and states that a load needs, asked beforehand; a problem names the GRANT that mends it. */
import { quoteIdentifier } from '../../sql-text.ts';
import type { CatalogColumn } from '../catalog/table.ts';
import type { PlanContext } from './context.ts';
import { quoteName } from '../qualified-name.ts';
import type { PostgresSettings } from '../settings.ts';

export function findRightProblems(context: PlanContext, publish: PostgresSettings['publish']): readonly string[] {
  return [
    ...findStateProblems(context),
    ...findLedgerProblems(context),
    ...findSchemaProblems(context, publish),
    ...findTableProblems(context),
  ];
}

function findStateProblems({ state, link }: PlanContext): readonly string[] {
  if (state.isInRecovery) {
    return [
      `The server ${link.place} is a read-only standby: name its primary, or let the URL find it with several hosts and target_session_attrs=read-write.`,
    ];
  }
  if (state.isReadOnly) {
    return [
      `Sessions of ${state.role} in ${state.database} are read-only (default_transaction_read_only is on): set it off for the role, or use another.`,
    ];
  }
  return [];
}

/** The ledger stands in the schema that unqualified names are made in. */
function findLedgerProblems({ state }: PlanContext): readonly string[] {
  const role = quoteIdentifier(state.role);
  if (state.hasLedger) {
    if (state.missingLedgerRights.length === 0) return [];
    return [
      `The role ${state.role} lacks rights on the ledger's tables. Ask their owner for: ${state.missingLedgerRights.map((right) => `GRANT ${right} TO ${role}`).join('; ')}.`,
    ];
  }
  if (state.schema === null) {
    return [
      `No schema of the search path of ${state.role} exists, so there is no place for the ledger's tables: CREATE SCHEMA ${role} AUTHORIZATION ${role} makes one that every path has.`,
    ];
  }
  if (state.canCreateInSchema) return [];
  return [
    `The role ${state.role} may not create the ledger's tables in the schema ${state.schema}. Ask its owner for: GRANT CREATE ON SCHEMA ${quoteIdentifier(state.schema)} TO ${role}.`,
  ];
}

/** The schema of a table that the load makes: a new one, or one beside. `link` is asked only where it is not the ledger's. */
function findSchemaProblems({ state, place, table, schemaState }: PlanContext, publish: PostgresSettings['publish']): readonly string[] {
  const makesTable = table === undefined || publish !== 'rows';
  if (!makesTable) return [];
  const { schema } = place;
  if (schema === undefined) {
    // Without a ledger the same is said of the ledger already.
    if (!state.hasLedger || state.canCreateInSchema || state.schema === null) return [];
    return [grantCreate(state.role, state.schema)];
  }
  if (schemaState === undefined) return [`There is no schema ${schema}: CREATE SCHEMA ${quoteIdentifier(schema)} makes it.`];
  return schemaState.canCreate ? [] : [grantCreate(state.role, schema)];
}

function grantCreate(role: string, schema: string): string {
  return `The role ${role} may not create tables in the schema ${schema}. Ask its owner for: GRANT CREATE ON SCHEMA ${quoteIdentifier(schema)} TO ${quoteIdentifier(role)}.`;
}

/** Rights on a table that is there. One that replaces it belongs to the load. */
function findTableProblems({ state, table, request, wires, key }: PlanContext): readonly string[] {
  if (table === undefined || request.mode === 'replace') return [];
  const loaded = wires.map(({ column }) => column.name);
  const columns = table.columns.filter(({ name }) => loaded.includes(name));
  const settles = request.mode === 'upsert' || request.mode === 'skip';
  const missing = [
    ...(table.canInsert || columns.every((column) => column.canInsert) ? [] : ['INSERT']),
    // ON CONFLICT reads its key; an update reads what it sets from the row that came, and the row that stands.
    ...(settles && !canRead(columns, key) ? ['SELECT'] : []),
    ...(request.mode === 'upsert' && !columns.every((column) => column.canUpdate || key.includes(column.name)) ? ['UPDATE'] : []),
  ];
  if (missing.length === 0) return [];
  return [
    `The role ${state.role} lacks rights on ${table.name}. Ask its owner (${table.owner}) for: GRANT ${missing.join(', ')} ON ${quoteName(table)} TO ${quoteIdentifier(state.role)}.`,
  ];
}

function canRead(columns: readonly CatalogColumn[], key: readonly string[]): boolean {
  return columns.every((column) => column.canSelect || !key.includes(column.name));
}
