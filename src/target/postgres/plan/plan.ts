/** Decides what a load will do to a PostgreSQL table, with the reason beside each decision. Reads only; all problems are found at once. */
import type { Decision, TablePlan, TableRequest } from '../../driver.ts';
import { readTogether, type ReadWait } from '../catalog/transaction.ts';
import { findUnsupported, formatServerVersion } from './family.ts';
import { planIndexes } from './index-plan.ts';
import type { PgLink } from '../link.ts';
import { countProcesses, planBuild } from './build.ts';
import { findChangeProblems, noteChanges } from './column-change.ts';
import { gatherContext, type PlanContext } from './context.ts';
import { planKey } from './key.ts';
import { choosePublish } from './publish.ts';
import { planMirror } from '../mirror/plan-mirror.ts';
import { findRightProblems } from './rights.ts';
import { writeTableDdl } from './table.ts';
import { readTraits } from './traits.ts';
import { planVectors } from './vector.ts';
import { chooseWay } from './way.ts';
import { formatName, parseQualifiedName } from '../qualified-name.ts';
import type { PostgresSettings } from '../settings.ts';
import { nameTypes } from '../wire-column.ts';

/** PostgreSQL cuts longer names without an error, and two could then be one. */
const maxNameBytes = 63;
const maxColumns = 1600;

/** Names that every table has already. */
const systemColumns = ['ctid', 'xmin', 'cmin', 'xmax', 'cmax', 'tableoid'];

/** The plan for a table; `problems` lists all that stands against it. */
export async function planPostgresTable(link: PgLink, request: TableRequest, wait: ReadWait = {}): Promise<TablePlan> {
  const unsupported = findUnsupported(link.server);
  return unsupported === undefined ? readTogether(link, wait, () => decide(link, request)) : refuse(request, unsupported);
}

async function decide(link: PgLink, request: TableRequest): Promise<TablePlan> {
  const context = await gatherContext(link, request);
  const publish = await choosePublish(context);
  const key = planKey(context, publish);
  const way = chooseWay(context, publish.publish);
  const traits = readTraits(context, publish.publish, way.way);
  const vectors = planVectors(context);
  const indexes = planIndexes(context, publish.publish, countProcesses(context));
  const deferredIndexes = [...key.deferred, ...indexes.deferred];
  const build = planBuild(context, publish.publish, deferredIndexes);
  const mirror = planMirror(context, publish.publish);
  const settings: PostgresSettings = {
    way: way.way,
    format: way.format,
    staging: way.staging,
    publish: publish.publish,
    defersKey: key.defersKey,
    isFastSession: context.options.isFastSession === true,
    countsRows: traits.countsRows,
    tracksKeys: key.isTrackable && traits.countsRows,
    columnTypes: JSON.stringify(nameTypes(context.wires)),
    ...noteChanges(context),
    ...build.settings,
    ...mirror.settings,
  };
  const parts = [publish, key, way, traits, vectors, mirror];
  return {
    table: context.name,
    writesTo: publish.writesTo,
    columns: request.columns,
    key: context.key,
    mode: request.mode,
    isNew: context.table === undefined && context.other === undefined,
    ddl: [...writeTableDdl(context, { publish, vectors, key }), ...mirror.ddl],
    deferredIndexes,
    decisions: [
      describeServer(context),
      ...warnOfLookalike(context),
      ...way.decisions,
      ...publish.decisions,
      ...key.decisions,
      ...indexes.decisions,
      ...build.decisions,
      ...vectors.decisions,
      ...traits.decisions,
      ...mirror.decisions,
      ...explainSession(settings),
    ],
    problems: [
      ...findNameProblems(context),
      ...findChangeProblems(context.stored, context),
      ...findRightProblems(context, publish.publish),
      ...parts.flatMap((part) => part.problems),
    ],
    settings,
  };
}

/** A plan that does nothing, for a server that can't be asked any further. */
function refuse(request: TableRequest, problem: string): TablePlan {
  const name = formatName(parseQualifiedName(request.table));
  const settings: PostgresSettings = {
    way: 'insert',
    format: 'text',
    staging: 'none',
    publish: 'rows',
    defersKey: false,
    isFastSession: false,
    countsRows: false,
    tracksKeys: false,
  };
  const { columns, key, mode } = request;
  return {
    table: name,
    writesTo: name,
    columns,
    key,
    mode,
    isNew: true,
    ddl: [],
    deferredIndexes: [],
    decisions: [],
    problems: [problem],
    settings,
  };
}

function describeServer({ link, state, family }: PlanContext): Decision {
  const { version, vectorVersion } = link.server;
  const vector = vectorVersion === undefined ? '' : `, pgvector ${vectorVersion}`;
  const base = family.name === 'PostgreSQL' ? '' : `${family.name} on `;
  const session = link.ownsSession || family.hasOneSession ? '' : '; behind a pooler: nothing is left in a session';
  const notes = family.notes.length > 0 ? `; ${family.notes.join('; ')} (${family.source})` : '';
  return {
    what: 'server',
    choice: `${base}PostgreSQL ${formatServerVersion(version)}${vector}`,
    why: `role ${state.role}, database ${state.database}${session}${notes}`,
  };
}

function warnOfLookalike({ lookalike, name }: PlanContext): readonly Decision[] {
  if (lookalike === undefined) return [];
  return [
    {
      what: 'warning',
      choice: `${name} is made new beside ${lookalike}`,
      why: 'names are taken exactly as they are written, upper and lower case apart',
    },
  ];
}

function explainSession({ isFastSession }: PostgresSettings): readonly Decision[] {
  if (!isFastSession) return [];
  return [
    {
      what: 'warning',
      choice: 'synchronous_commit off for the batches',
      why: 'as asked for: a crash of the server may take back the last batches, rows and ledger together, and a resume writes them again',
    },
  ];
}

function findNameProblems({ request, place, other, table, name }: PlanContext): readonly string[] {
  const problems: string[] = [];
  const columns = request.columns.map((column) => column.name);
  if (/^sluice_/iu.test(place.name)) problems.push(`The name ${place.name} is kept for sluice's own tables; choose another with --table.`);
  if (other !== undefined) problems.push(`${name} is a ${kindNames[other.kind] ?? 'relation'}, not a table; choose another with --table.`);
  if (table?.persistence === 't')
    problems.push(`${name} is a temporary table, which other sessions do not see; choose another with --table.`);
  if (request.options?.isBoot === true) problems.push('Only rqlite can be booted from a file (--boot).');
  if (columns.length === 0) problems.push('The load has no columns.');
  if (columns.length > maxColumns) problems.push(`The load has ${String(columns.length)} columns; PostgreSQL takes ${String(maxColumns)}.`);
  if (table !== undefined) {
    const known = table.columns.map((column) => column.name);
    for (const column of columns)
      if (!known.includes(column)) problems.push(`The table ${name} has no column ${column}; it has ${known.join(', ')}.`);
    return problems;
  }
  for (const each of [place.schema ?? '', place.name, ...columns]) {
    if (Buffer.byteLength(each) > maxNameBytes)
      problems.push(`The name ${each} has more than ${String(maxNameBytes)} bytes, and PostgreSQL would cut it; map it to a shorter one.`);
    if (each.includes('\0')) problems.push('A name holds a NUL character, which PostgreSQL does not take; map it to another.');
  }
  for (const column of columns.filter((each) => systemColumns.includes(each))) {
    problems.push(`The column name ${column} is PostgreSQL's own; map it to another with --map.`);
  }
  return problems;
}

const kindNames: Readonly<Record<string, string>> = {
  v: 'view',
  m: 'materialized view',
  f: 'foreign table',
  S: 'sequence',
  i: 'index',
  I: 'index',
  c: 'composite type',
};
