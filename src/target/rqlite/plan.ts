/** Decides what a load will do to a table of rqlite: SQLite's own plan over the schema rebuilt in memory, with what a server behind HTTP makes different. Reads only. */
import type { Decision, TablePlan, TableRequest } from '../driver.ts';
import { quoteIdentifier } from '../sql-text.ts';
import { maxParameters, planSqliteTable, type SqliteSettings } from '../sqlite/plan.ts';
import { describeTable, findTable } from '../sqlite/schema.ts';
import { readRows, writeStatement } from './answer.ts';
import { nameBootFile } from './boot-place.ts';
import { planBoot, type BootChoice } from './boot-plan.ts';
import type { RqliteLink } from './link.ts';
import { withShadow, type Shadow } from './shadow.ts';

/**
 * Rows of one INSERT: rqlited takes 234k rows/s so and 329k with 10,000 a statement, which few columns allow; a refused row costs a second look at
 * all rows of its statement.
 */
const rowsPerStatement = 1000;

/** Indexes are put off when the load brings at least this share of the rows already there, as on SQLite. */
const minDeferShare = 0.5;

/** What the driver notes for itself in {@link TablePlan.settings}; see SQLite's for the others. */
export interface RqliteSettings extends SqliteSettings {
  /** Rows are looked at one by one: triggers, ON CONFLICT clauses or the comparison of keys may make something else of a row than is asked. */
  readonly isRowwise: boolean;
  /** The rows are gathered in a file of this machine that takes the place of the server's database. */
  readonly isBoot: boolean;
  /** That file; empty without one. */
  readonly bootFile: string;
}

/** The plan for a table; `problems` lists all that stands against it. */
export async function planTable(link: RqliteLink, request: TableRequest): Promise<TablePlan> {
  return withShadow(link, {}, async (shadow) => {
    const { file } = shadow;
    const description = describeTable(file, request.table);
    const storedRows = description === undefined ? 0 : await estimateRows(link, file.db.prepare.bind(file.db), description.name);
    // The one option is ours alone, and SQLite's plan would refuse it; the other SQLite's alone.
    const options = { ...request.options, isBoot: undefined, isAtomic: undefined };
    const plan = planSqliteTable(file, weighIndexes({ ...request, options }, storedRows));
    const boot = await planBoot(link, shadow, request);
    const settings = chooseSettings(plan, boot, nameBootFile(link, request.load));
    return {
      ...plan,
      settings,
      decisions: explain(plan, settings, boot),
      problems: [...plan.problems.map(nameTarget), ...boot.problems, ...(await findProblems(link, shadow, request))],
    };
  });
}

/** SQLite's text of a problem that is rqlite's as well. */
function nameTarget(problem: string): string {
  return problem.replace(/^SQLite (?=has|keeps)/u, 'rqlite ');
}

function chooseSettings(plan: TablePlan, boot: BootChoice, bootFile: string): RqliteSettings {
  const settings = plan.settings as SqliteSettings;
  // One row a statement is what SQLite's plan chooses for such tables, and for no other reason.
  const isRowwise = settings.rowsPerStatement === 1;
  const fits = Math.max(1, Math.floor(maxParameters / Math.max(1, plan.columns.length)));
  // As SQLite's driver wants them, which builds the file.
  if (boot.isChosen) return { ...settings, isRowwise, isBoot: true, bootFile };
  return {
    ...settings,
    journal: 'keep',
    rowsPerStatement: isRowwise ? 1 : Math.min(rowsPerStatement, fits),
    isRowwise,
    isBoot: false,
    bootFile: '',
  };
}

/** The schema in memory has no rows, so it is told whether there are many. */
function weighIndexes(request: TableRequest, storedRows: number): TableRequest {
  const { indexes = 'auto' } = request.options ?? {};
  const isSmall = (request.expectedRows ?? 0) < minDeferShare * storedRows;
  return indexes === 'auto' && isSmall ? { ...request, options: { ...request.options, indexes: 'keep' } } : request;
}

async function estimateRows(link: RqliteLink, prepare: (sql: string) => unknown, table: string): Promise<number> {
  const name = quoteIdentifier(table);
  let sql = `SELECT coalesce(max(rowid), 0) FROM ${name}`;
  try {
    prepare(sql);
  } catch {
    // A table WITHOUT ROWID has no such column; counting is the only way.
    sql = `SELECT count(*) FROM ${name}`;
  }
  const entry = await readRows(link, writeStatement(sql, []), { level: 'weak' });
  return Number(entry.values[0]?.[0] ?? 0);
}

/** Tables whose foreign keys point at this one. */
export function findChildren({ file }: Shadow, table: string): readonly string[] {
  const rows = file.db
    .prepare(
      `SELECT DISTINCT m.name FROM sqlite_schema m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table' AND f."table" = ? COLLATE NOCASE AND m.name <> ? COLLATE NOCASE`,
    )
    .all(table, table);
  return rows.map((row) => String(row['name']));
}

async function findProblems(link: RqliteLink, shadow: Shadow, request: TableRequest): Promise<readonly string[]> {
  const problems: string[] = [];
  if (request.options?.isAtomic === true && request.mode !== 'replace')
    problems.push('rqlite has no --atomic for this mode: rows become visible batch by batch. Mode replace shows all rows at once.');
  if (shadow.unknownTables.some((name) => name.toLowerCase() === request.table.toLowerCase())) {
    problems.push(`The table ${request.table} needs a module of SQLite that is not here, so its columns can't be read.`);
  }
  const table = findTable(shadow.file, request.table);
  if (request.mode === 'replace' && table !== undefined) {
    const children = findChildren(shadow, table.name);
    if (children.length > 0 && (await checksForeignKeys(link))) {
      problems.push(
        `${children.join(', ')} refer to ${table.name} and the server checks foreign keys (-fk), so that to drop the old table would delete or refuse rows: use mode upsert.`,
      );
    }
  }
  return problems;
}

async function checksForeignKeys(link: RqliteLink): Promise<boolean> {
  const entry = await readRows(link, writeStatement('PRAGMA foreign_keys', []), { level: 'weak' });
  return Number(entry.values[0]?.[0] ?? 0) === 1;
}

function explain(plan: TablePlan, settings: RqliteSettings, boot: BootChoice): readonly Decision[] {
  const others = plan.decisions.filter(({ what }) => what !== 'journal' && what !== 'statement');
  const commit: Decision = {
    what: 'commit',
    choice: 'POST /db/execute?transaction, one request a batch',
    why: 'rows, rejects and the ledger’s mark are one entry of the Raft log, so a lost answer is settled by the ledger (level=linearizable)',
  };
  const statement: Decision = settings.isRowwise
    ? {
        what: 'statement',
        choice: 'INSERT of 1 row a statement, looked at in a transaction that is undone before it is sent for good',
        why: 'triggers, ON CONFLICT clauses or the comparison of keys may make something else of a row than is asked, so each is counted',
      }
    : {
        what: 'statement',
        choice: `INSERT of ${String(settings.rowsPerStatement)} rows a statement, values bound`,
        why: 'few large statements: rqlited takes 118k rows/s with one row a statement in one transaction, 234k with 1,000',
      };
  return [...(settings.isBoot ? [] : [commit, statement]), ...boot.decisions, ...others];
}
