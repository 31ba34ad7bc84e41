/** Chooses how rows become visible: with each commit, by a table that takes the other's place, or by one INSERT … SELECT at the end. */
import type { Decision } from '../../driver.ts';
import type { CatalogTable } from '../catalog/table.ts';
import type { Advice, PlanContext } from './context.ts';
import { formatName } from '../qualified-name.ts';
import type { PostgresSettings } from '../settings.ts';
import { findSwapObstacles } from '../finish/swap-obstacles.ts';

export interface Publish extends Advice {
  readonly publish: PostgresSettings['publish'];
  /** Where rows are written. */
  readonly writesTo: string;
}

export async function choosePublish(context: PlanContext): Promise<Publish> {
  const { request, options, table } = context;
  const problems = options.isUnlogged === true ? findUnloggedProblems(context) : [];
  if (request.mode === 'replace') {
    const obstacles = table === undefined ? [] : await listObstacles(context);
    return {
      ...aside(context, 'swap'),
      decisions: [explainReplace(context)],
      problems: [...problems, ...refuseReplace(context, obstacles)],
    };
  }
  if (options.isAtomic !== true) return { publish: 'rows', writesTo: context.name, decisions: explainRows(context), problems };
  if (table === undefined) {
    const choice = 'a new table, renamed when it is whole';
    return {
      ...aside(context, 'swap'),
      decisions: [{ what: 'atomic', choice, why: 'nobody sees it before; a rename takes a moment' }],
      problems,
    };
  }
  const obstacles = context.description?.isEmpty === true ? [...(await listObstacles(context)), ...listRowWork(table)] : undefined;
  if (obstacles?.length === 0) {
    const decision = { what: 'atomic', choice: 'built beside the empty table, swapped in one transaction', why: 'a rename takes a moment' };
    return { ...aside(context, 'swap'), decisions: [decision, ...explainCarried(context)], problems };
  }
  const why =
    obstacles === undefined
      ? 'the table has rows that stay; until then nobody sees the others'
      : `the table is empty but can't be exchanged: ${obstacles.join('; ')}`;
  return {
    ...aside(context, 'move'),
    decisions: [
      { what: 'atomic', choice: 'rows wait in a table beside it, then one INSERT … SELECT', why: `${why}. Each row is written twice` },
    ],
    problems,
  };
}

/** The other table's name: the load's own, in the schema of the table. */
function aside({ place, request }: PlanContext, publish: 'swap' | 'move'): Pick<Publish, 'publish' | 'writesTo'> {
  return { publish, writesTo: formatName({ schema: place.schema, name: `sluice_new_${request.load}` }) };
}

/** What the table does to each row that comes, which one that is built beside would not: such rows are better moved than swapped in. */
function listRowWork({ triggers, foreignKeys }: CatalogTable): readonly string[] {
  const firing = triggers.filter(({ onInsert }) => onInsert);
  return [
    ...(firing.length > 0 ? [`triggers fire for its rows (${firing.map(({ name }) => name).join(', ')})`] : []),
    // At a swap they are checked for all rows at once, and one row without its partner would keep all others out.
    ...(foreignKeys.length > 0 ? [`rows are looked up by its foreign keys (${foreignKeys.map(({ name }) => name).join(', ')})`] : []),
  ];
}

/** What the swap can't carry over. */
async function listObstacles({ link, table, name, state }: PlanContext): Promise<readonly string[]> {
  if (table === undefined) return [];
  const own: string[] = [];
  if (!table.isOwner) own.push(`the role ${state.role} is not the owner of ${name} (${table.owner})`);
  if (table.kind === 'p' || table.isPartition || table.hasParents || table.hasChildren) {
    own.push(`${name} is part of a partitioned or inherited table`);
    return own;
  }
  return [...own, ...(await findSwapObstacles(link, name))];
}

function refuseReplace({ name }: PlanContext, obstacles: readonly string[]): readonly string[] {
  if (obstacles.length === 0) return [];
  return [
    `Mode replace would build ${name} anew, and this can't be carried over: ${obstacles.join('; ')}. Change it, or empty the table and use mode insert.`,
  ];
}

function explainReplace(context: PlanContext): Decision {
  const carried = explainCarried(context).map(({ choice, why }) => (why === '' ? choice : `${choice}; ${why}`));
  return {
    what: 'replace',
    choice: 'built beside, its indexes made, then swapped in one short transaction',
    why: ['readers see the old table or the new one, never half', ...carried].join('; '),
  };
}

/** What FINISH puts on the new table before readers see it. */
function explainCarried({ table }: PlanContext): readonly Decision[] {
  if (table === undefined) return [];
  const parts = [
    ...(table.views.length > 0 ? [`views ${table.views.join(', ')}`] : []),
    ...(table.triggers.length > 0 ? [`triggers ${table.triggers.map(({ name }) => name).join(', ')}`] : []),
    ...(table.foreignKeys.length > 0 ? [`foreign keys ${table.foreignKeys.map(({ name }) => name).join(', ')}`] : []),
    ...(table.referencedBy.length > 0
      ? [`foreign keys from ${table.referencedBy.map((key) => key.table).join(', ')} (checked again)`]
      : []),
    ...(table.publications.length > 0 ? [`publications ${table.publications.join(', ')}`] : []),
  ];
  const choice = `carried over: indexes, owner, grants, comments${parts.length > 0 ? `, ${parts.join(', ')}` : ''}`;
  const firing = table.triggers.some(({ onInsert }) => onInsert);
  const notes = [
    ...(firing ? ['triggers do not fire for rows that nobody sees yet'] : []),
    ...(table.foreignKeys.length > 0 ? ['a row that a foreign key refuses keeps all of them out'] : []),
  ];
  return [{ what: 'swap', choice, why: notes.join('; ') }];
}

function explainRows({ options, family }: PlanContext): readonly Decision[] {
  if (options.isUnlogged !== true || !family.supportsUnlogged) return [];
  return [
    {
      what: 'warning',
      choice: 'UNLOGGED table',
      why: 'as asked for: about 1.3 × the speed, and after a crash of the server it is empty, though the ledger says that its rows were written; load them once more with --again then',
    },
  ];
}

/** A crash empties an unlogged table; nothing that a load promises to publish may depend on one. */
function findUnloggedProblems({ request, options, table, name, family }: PlanContext): readonly string[] {
  const problems: string[] = [];
  if (!family.supportsUnlogged) problems.push(`${family.name} has no unlogged tables that last; leave out --unlogged.`);
  if (table !== undefined && request.mode !== 'replace') {
    problems.push(`The table ${name} exists; --unlogged is for tables that the load makes. Drop it first, or leave the option out.`);
  }
  if (request.mode === 'replace' || options.isAtomic === true) {
    problems.push(
      'An unlogged table can not be published all at once: a crash of the server would empty it on the way. Leave out --unlogged.',
    );
  }
  return problems;
}
