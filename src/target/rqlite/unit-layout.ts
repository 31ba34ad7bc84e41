/** What a unit is sent as: its statements, behind them guards and the questions for rows in the way, with the place of each in the request. */
import { readBlamed } from '../sqlite/unit-existing.ts';
import { writeExistingQuery } from '../../sql/existing-row.ts';
import type { StatementAnswer, Statement, UnitRequest } from '../batch-contract.ts';
import { quoteIdentifier } from '../sql-text.ts';
import { describeTable } from '../sqlite/schema.ts';
import type { Entry } from './answer.ts';
import { readFirstRow } from './unit-answer.ts';
import type { UnitCall } from './unit-send.ts';
import { bind, type ReadyStatement, type UnitStep } from './unit-statement.ts';
import { withShadow } from './shadow.ts';
import { guardChanges, writeBound } from './transaction.ts';

/** Unique keys and columns of a table. */
export interface KnownTable {
  readonly keys: readonly (readonly string[])[];
  readonly columns: readonly string[];
}

/** A unit on its way. */
export interface UnitRun {
  readonly call: UnitCall;
  readonly unit: UnitRequest;
  readonly steps: readonly UnitStep[];
  /** By name in lower case; only those that rows in the way may be asked of. */
  readonly tables: ReadonlyMap<string, KnownTable>;
  readonly plainTables: ReadonlySet<string>;
  /** INSERTs that met a row with their key, with what the server said: they are left out. */
  readonly conflicts: Map<number, string>;
  /** Statements whose question for the row in the way fails. */
  readonly untold: Set<number>;
}

/** Where in the request a statement and its questions stand. */
interface Spot {
  readonly place: number | undefined;
  readonly questions: readonly { readonly place: number; readonly key: string }[];
}

/** The query for the row that shares a key; `key`: its columns, as {@link readBlamed} gives them. */
interface Question {
  readonly json: string;
  readonly key: string;
}

export interface Layout {
  readonly statements: readonly string[];
  readonly spots: ReadonlyMap<number, Spot>;
  /** By place: which statement a place belongs to, and as what. */
  readonly owners: readonly { readonly index: number; readonly role: 'statement' | 'guard' | 'question' | 'record' | 'fence' }[];
}

export interface LayoutOptions {
  /** Statements from here on are left out. */
  readonly end: number;
  /** Left out besides. */
  readonly without: ReadonlySet<number>;
  /** Rows that a statement must change, where that is known. */
  readonly changes?: ReadonlyMap<number, number> | undefined;
  readonly records?: readonly Statement[] | undefined;
}

export function isReady(step: UnitStep | undefined): step is ReadyStatement {
  return step?.kind === 'ready';
}

/** Lays a unit out as one request. */
export function layOut(run: UnitRun, { end, without, changes, records = [] }: LayoutOptions): Layout {
  const statements: string[] = [];
  const owners: Layout['owners'][number][] = [];
  const spots = new Map<number, Spot>();
  const push = (statement: string, index: number, role: Layout['owners'][number]['role']): number => {
    owners.push({ index, role });
    return statements.push(statement) - 1;
  };
  for (let index = 0; index < end; index++) {
    const step = run.steps[index];
    if (!isReady(step) || without.has(index)) continue;
    const place = run.conflicts.has(index) ? undefined : push(step.json, index, 'statement');
    const count = changes?.get(index);
    if (place !== undefined && step.isChange && count !== undefined) push(guardChanges(count), index, 'guard');
    const questions = run.untold.has(index) ? [] : writeQuestions(run, step);
    spots.set(index, { place, questions: questions.map(({ json, key }) => ({ place: push(json, index, 'question'), key })) });
  }
  for (const { sql, parameters, mustChange } of records) {
    push(writeBound(sql, parameters), -1, 'record');
    if (mustChange !== undefined) push(guardChanges(mustChange), -1, 'fence');
  }
  return { statements, spots, owners };
}

/** Queries for the row in the way, one for each unique key of the table. */
function writeQuestions(run: UnitRun, step: ReadyStatement): readonly Question[] {
  if (!mayMeetRows(run.unit, step)) return [];
  const table = run.tables.get(step.shape.table?.name.text.toLowerCase() ?? '');
  if (table === undefined) return [];
  return table.keys.flatMap((key) => {
    const query = writeExistingQuery(step.text, step.shape, { key, quote: quoteIdentifier, dialect: 'sqlite', columns: table.columns });
    if (query === undefined) return [];
    const json = bind(query.sql, (at) => step.valueAt(query.parameterIndexes[at - 1] ?? at));
    return [{ json, key: key.map((name) => name.toLowerCase()).join() }];
  });
}

/** Whether a statement may be not applied, so that somebody asks for the row in its way. */
export function mayMeetRows(unit: UnitRequest, step: ReadyStatement): boolean {
  return unit.statusRows && (step.isConditional || (unit.onConflict === 'not_applied' && step.shape.verb === 'INSERT'));
}

/** `not_applied`, with the row where one was asked for and found: by the key that the server blamed (`message`) before others. */
export function toNotApplied(spot: Spot | undefined, entries: readonly Entry[], message?: string): StatementAnswer {
  const blamed = readBlamed(message);
  const questions = spot?.questions ?? [];
  for (const { place } of [...questions.filter(({ key }) => key === blamed), ...questions.filter(({ key }) => key !== blamed)]) {
    const entry = entries[place];
    const row = entry === undefined ? undefined : readFirstRow(entry);
    if (row !== undefined) return { status: 'not_applied', row };
  }
  return { status: 'not_applied' };
}

/** The keys of the tables that rows may be asked of. */
export async function readTables(call: UnitCall, unit: UnitRequest, steps: readonly UnitStep[]): Promise<ReadonlyMap<string, KnownTable>> {
  const names = new Set(
    steps.flatMap((step) => (isReady(step) && mayMeetRows(unit, step) ? [step.shape.table?.name.text.toLowerCase() ?? ''] : [])),
  );
  if (names.size === 0) return new Map();
  return withShadow(call.link, { signal: call.signal }, ({ file }) => {
    const tables = new Map<string, KnownTable>();
    for (const name of names) {
      const description = describeTable(file, name);
      if (description === undefined) continue;
      const columns = description.columns.filter((column) => !column.isGenerated).map((column) => column.name);
      const isRowid = !columns.some((column) => column.toLowerCase() === 'rowid');
      tables.set(name, { keys: [...description.uniqueKeys, ...(isRowid ? [['rowid']] : [])], columns });
    }
    return tables;
  });
}
