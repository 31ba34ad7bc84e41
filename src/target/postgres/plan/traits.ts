/** What of a table changes how its rows are written, counted and verified: triggers, rules, row security, partitions, foreign keys, generated columns. */
import type { Decision } from '../../driver.ts';
import type { Advice, PlanContext } from './context.ts';
import type { PostgresSettings } from '../settings.ts';

export interface Traits extends Advice {
  /** Each row that is written as new is one row more in the table, and this role can count them. */
  readonly countsRows: boolean;
}

export function readTraits(context: PlanContext, publish: PostgresSettings['publish'], way: PostgresSettings['way']): Traits {
  const { table, request } = context;
  if (table === undefined || publish === 'swap') return { countsRows: true, decisions: [], problems: [] };
  const firing = table.triggers.filter((trigger) => trigger.onInsert || (trigger.onUpdate && request.mode === 'upsert'));
  const altering = firing.filter((trigger) => trigger.isRow && (trigger.isBefore || trigger.isInstead));
  const meddling = firing.filter((trigger) => trigger.namesTable);
  const settles = request.mode === 'upsert' || request.mode === 'skip';
  const rules = table.rules.filter(({ event }) => event === 'INSERT' || (event === 'UPDATE' && settles));
  const countsRows = altering.length === 0 && meddling.length === 0 && !table.isRowSecured && rules.length === 0 && table.canSelect;
  const decisions: Decision[] = [
    ...(altering.length > 0 ? [explainAltering(listNames(altering))] : []),
    ...explainOthers(firing.filter((trigger) => !altering.includes(trigger))),
    ...explainRules(listNames(rules), way),
    ...(table.isRowSecured ? [explainRowSecurity()] : []),
    ...(table.canSelect ? [] : [explainUnreadable(context)]),
    ...explainPlaces(context),
    ...explainForeignKeys(context),
    ...explainComputed(context),
  ];
  return { countsRows, decisions, problems: findRuleProblems(context, listNames(rules)) };
}

function listNames(entries: readonly { readonly name: string }[]): string {
  return entries.map(({ name }) => name).join(', ');
}

function explainAltering(names: string): Decision {
  return {
    what: 'triggers',
    choice: `${names}: fired before each row`,
    why: 'they may alter or drop rows, so the table is not counted against the load (a dropped row counts as skipped); the server writes row by row, which is slower',
  };
}

function explainUnreadable({ state, name }: PlanContext): Decision {
  return {
    what: 'warning',
    choice: `the role ${state.role} may not read ${name}`,
    why: 'its rows are written and accounted for, but the table can not be counted against them (GRANT SELECT allows it)',
  };
}

function explainOthers(triggers: readonly { readonly name: string; readonly isRow: boolean }[]): readonly Decision[] {
  if (triggers.length === 0) return [];
  const each = triggers.some(({ isRow }) => isRow) ? 'once for each row, queued to the end of its statement' : 'once for each batch';
  return [{ what: 'triggers', choice: `${listNames(triggers)}: fired`, why: `${each}; their time is part of the commit` }];
}

function explainRules(names: string, way: PostgresSettings['way']): readonly Decision[] {
  if (names === '') return [];
  if (way === 'copy')
    return [
      {
        what: 'warning',
        choice: `the rules ${names} are not run`,
        why: 'PostgreSQL runs no rules for COPY; --no-copy writes by INSERT, which does',
      },
    ];
  return [
    {
      what: 'rules',
      choice: `${names}: run for each batch`,
      why: 'they may write elsewhere or nothing, so the table is not counted against the load',
    },
  ];
}

function findRuleProblems({ request, asked, table }: PlanContext, names: string): readonly string[] {
  const settles = request.mode === 'upsert' || request.mode === 'skip';
  if (names === '' || !settles) return [];
  return [
    `PostgreSQL takes no ON CONFLICT on a table with rules for INSERT or UPDATE (${names} on ${table?.name ?? ''}), so mode ${asked} can't be used: drop them, or make triggers of them.`,
  ];
}

function explainRowSecurity(): Decision {
  return {
    what: 'row security',
    choice: 'the policies of the table hold for every row',
    why: 'a row that they refuse stops the load (42501), and this role may not see all rows, so the table is not counted against the load',
  };
}

function explainPlaces({ table }: PlanContext): readonly Decision[] {
  if (table?.kind === 'p') {
    return [{ what: 'partitions', choice: 'rows are routed by the server', why: 'a row that no partition takes becomes a reject (23514)' }];
  }
  if (table?.isPartition === true) {
    return [
      {
        what: 'partitions',
        choice: `${table.name} is a partition, written to directly`,
        why: 'rows outside its bounds become rejects (23514)',
      },
    ];
  }
  return [];
}

function explainForeignKeys({ table }: PlanContext): readonly Decision[] {
  if (table === undefined || table.foreignKeys.length === 0) return [];
  const deferrable = table.foreignKeys.filter(({ isDeferrable }) => isDeferrable);
  const checked = deferrable.length > 0 ? '; deferrable ones are checked before the commit of each batch' : '';
  const names = table.foreignKeys.map(({ name, table: other }) => `${name} → ${other}`).join(', ');
  return [
    {
      what: 'foreign keys',
      choice: `kept: ${names}`,
      why: `each row is looked up in the other table${checked}; a row without its partner becomes a reject`,
    },
  ];
}

function explainComputed({ table }: PlanContext): readonly Decision[] {
  const computed = table?.columns.filter((column) => column.generated !== '' || column.identity === 'a') ?? [];
  if (computed.length === 0) return [];
  return [
    { what: 'generated', choice: `left to the server: ${listNames(computed)}`, why: 'it computes them, and refuses values for them' },
  ];
}
