/** What mode sync adds to a plan: the table for the keys seen, what will be deleted and what goes with it, and the rights and policies that stand in the way. */
import type { Decision } from '../../driver.ts';
import { quoteIdentifier } from '../../sql-text.ts';
import type { CatalogForeignKey, CatalogTable } from '../catalog/table.ts';
import type { Advice, PlanContext } from '../plan/context.ts';
import { quoteName } from '../qualified-name.ts';
import type { PostgresSettings } from '../settings.ts';
import { nameSeen, writeSeenDdl } from './seen-table.ts';

export interface MirrorPlan extends Advice {
  readonly settings: Pick<PostgresSettings, 'seen'>;
  readonly ddl: readonly string[];
}

const nothing: MirrorPlan = { settings: {}, ddl: [], decisions: [], problems: [] };

/** Nothing for other modes, and where the load fills the table itself: then no row of it can have vanished. */
export function planMirror(context: PlanContext, publish: PostgresSettings['publish']): MirrorPlan {
  const { asked, table, place, key, request } = context;
  if (asked !== 'sync') return nothing;
  if (table === undefined || publish === 'swap') {
    const why = 'rows that come later are set beside it by the next sync';
    return { ...nothing, decisions: [{ what: 'sync', choice: 'the table is filled like any other', why }] };
  }
  const seat = { schema: table.schema, name: place.name };
  return {
    settings: { seen: nameSeen(request.load, seat) },
    ddl: key.length === 0 ? [] : writeSeenDdl(request.load, seat, key),
    decisions: [explainMirror(publish), ...warnOfCascades(table.referencedBy)],
    problems: [...findRightProblems(context, table), ...findSightProblems(context, table), ...findRuleProblems(table)],
  };
}

function explainMirror(publish: PostgresSettings['publish']): Decision {
  const when = publish === 'move' ? 'in the transaction that publishes the others' : 'at the end';
  return {
    what: 'sync',
    choice: `new and changed rows are written, equal ones left alone; ${when} rows that the source does not have are deleted`,
    why: 'only when all of it was read, and never more than --max-deletes; rows that others add while the load runs are not in the source either',
  };
}

/** A deletion that reaches further than the table. One that is not allowed shows when a row is deleted: most have no partner. */
function warnOfCascades(references: readonly CatalogForeignKey[]): readonly Decision[] {
  const effects: Readonly<Record<string, string>> = {
    c: 'deletes its rows',
    n: 'sets its column to null',
    d: 'sets its column to the default',
  };
  return references.flatMap(({ name, table, onDelete }) => {
    const effect = effects[onDelete];
    return effect === undefined
      ? []
      : [{ what: 'warning', choice: `a row that is deleted ${effect} in ${table}`, why: `by the foreign key ${name}` }];
  });
}

function findRightProblems({ state, wires, place }: PlanContext, table: CatalogTable): readonly string[] {
  const names = new Set(wires.map(({ column }) => column.name));
  const reads = table.canSelect || table.columns.every(({ name, canSelect }) => canSelect || !names.has(name));
  const missing = [...(reads ? [] : ['SELECT']), ...(table.canDelete ? [] : ['DELETE'])];
  const problems: string[] = [];
  const role = quoteIdentifier(state.role);
  if (missing.length > 0) {
    problems.push(
      `Mode sync compares and deletes rows, and the role ${state.role} lacks rights on ${table.name}. Ask its owner (${table.owner}) for: GRANT ${missing.join(', ')} ON ${quoteName(table)} TO ${role}.`,
    );
  }
  const canCreate = place.schema === undefined || place.schema === state.schema ? state.canCreateInSchema : undefined;
  if (canCreate === false) {
    problems.push(
      `Mode sync keeps the keys it has seen in a table of its own, and the role ${state.role} may not create one in the schema ${table.schema}. Ask its owner for: GRANT CREATE ON SCHEMA ${quoteIdentifier(table.schema)} TO ${role}.`,
    );
  }
  return problems;
}

/** Rows that are there and can't be seen would be taken for missing, and never be deleted. */
function findSightProblems({ state }: PlanContext, table: CatalogTable): readonly string[] {
  if (!table.isRowSecured) return [];
  return [
    `Row-level security holds for the role ${state.role} on ${table.name}, so rows may be hidden from it, and a table can't be mirrored in part: use a role with BYPASSRLS, or mode upsert.`,
  ];
}

function findRuleProblems({ rules, name }: CatalogTable): readonly string[] {
  const names = rules.filter(({ event }) => event === 'DELETE').map((rule) => rule.name);
  if (names.length === 0) return [];
  return [
    `Rules of ${name} rewrite what is deleted (${names.join(', ')}), so mode sync can't tell what became of its rows: drop them, or make triggers of them.`,
  ];
}
