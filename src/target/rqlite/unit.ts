/**
 * Runs a unit of statements on rqlite: one request, one answer for each statement, and every answer true of what was committed.
 *
 * rqlite tells of the statements before a failed one of a transaction as if they stood; they are `rolled_back`. A unit that the ledger keeps record of is
 * tried first without a trace, because the record depends on the answers and goes in the same transaction as what was applied: then statements,
 * guards that fail where the trial does not hold, and record are sent as one. So a lost answer is `unknown` only until the ledger is asked.
 */
import { SluiceError } from '../../errors.ts';
import type { RunOptions, StatementAnswer, UnitOutcome, UnitRequest } from '../batch-contract.ts';
import { readRows, writeStatement, type Entry } from './answer.ts';
import type { RqliteLink } from './link.ts';
import { transact } from './transaction.ts';
import { isOwnConflict, readApplied, toStatementError } from './unit-answer.ts';
import { isReady, layOut, readTables, toNotApplied, type Layout, type UnitRun } from './unit-layout.ts';
import { sendAlone, sendReads, sendTogether, tryAlone, tryTogether, type UnitCall, type UnitEnd } from './unit-send.ts';
import { readyStatement, type ReadyStatement, type UnitStep } from './unit-statement.ts';

/** How long a unit may take unless the caller says otherwise. */
const defaultTimeoutMs = 300_000;

/** How often others may change what a trial has seen before the unit is sent. */
const maxRaces = 8;

/**
 * Runs a unit. Its answers are as many as its statements, in their order. `record` may be asked more than once; what it gave last is committed.
 * @throws LinkLostError `no` or `unknown`; SLUICE_TARGET_BUSY (over time, or somebody's transaction is open), SLUICE_FENCED, SLUICE_TARGET_…
 */
export async function runRqliteUnit(link: RqliteLink, unit: UnitRequest, options: RunOptions = {}): Promise<UnitOutcome> {
  if (unit.statements.length === 0 && unit.record === undefined) return { answers: [] };
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
  const call: UnitCall = { link, signal: options.signal, deadline: performance.now() + timeoutMs, timeoutMs };
  const steps = unit.statements.map(readyStatement);
  const run: UnitRun = {
    call,
    unit,
    steps,
    tables: await readTables(call, unit, steps),
    plainTables: await readPlainTables(call, steps),
    conflicts: new Map(),
    untold: new Set(),
  };
  return { answers: unit.isTransaction ? await runTogether(run) : await runAlone(run) };
}

/** Names of tables WITHOUT ROWID by link: asked for once, and again after a statement that may have made one. */
const plainTables = new WeakMap<RqliteLink, ReadonlySet<string>>();

async function readPlainTables({ link, signal }: UnitCall, steps: readonly UnitStep[]): Promise<ReadonlySet<string>> {
  if (steps.some((step) => isReady(step) && !step.isChange && !step.shape.isRead)) plainTables.delete(link);
  if (!steps.some((step) => isReady(step) && step.shape.verb === 'INSERT' && !step.shape.hasReturning)) return new Set();
  const known = plainTables.get(link);
  if (known !== undefined) return known;
  const { values } = await readRows(link, writeStatement(`SELECT lower(name) FROM pragma_table_list WHERE wr = 1`, []), { signal });
  const names = new Set(values.map(([name]) => String(name)));
  plainTables.set(link, names);
  return names;
}

const none: ReadonlySet<number> = new Set();

/** Whether an entry with rows is waited for: `/db/execute` gives those of RETURNING only. */
function givesRows(run: UnitRun): boolean {
  return run.tables.size > 0 || run.steps.some((step) => isReady(step) && step.shape.isRead);
}

function answerOf(run: UnitRun, index: number, got: { readonly layout: Layout; readonly entries: readonly Entry[] }): StatementAnswer {
  const step = run.steps[index];
  if (step === undefined) return { status: 'not_attempted' };
  if (step.kind === 'refused') return { status: 'error', error: step.error };
  const spot = got.layout.spots.get(index);
  const conflict = run.conflicts.get(index);
  if (conflict !== undefined) return toNotApplied(spot, got.entries, conflict);
  const entry = spot?.place === undefined ? undefined : got.entries[spot.place];
  if (entry === undefined) return { status: 'not_attempted' };
  if (entry.error !== undefined) {
    const isConflict = run.unit.onConflict === 'not_applied' && isOwnConflict(step, entry.error);
    return isConflict ? toNotApplied(spot, got.entries, entry.error) : { status: 'error', error: toStatementError(entry.error) };
  }
  const answer = readApplied(step, entry, { maxRows: run.unit.maxRows, plainTables: run.plainTables });
  return answer.status === 'not_applied' ? toNotApplied(spot, got.entries) : answer;
}

function answerAll(run: UnitRun, got: { readonly layout: Layout; readonly entries: readonly Entry[] }): readonly StatementAnswer[] {
  return run.steps.map((_, index) => answerOf(run, index, got));
}

async function runAlone(run: UnitRun): Promise<readonly StatementAnswer[]> {
  const { call, unit, steps } = run;
  if (unit.record !== undefined) return runRecorded(run);
  const layout = layOut(run, { end: steps.length, without: none });
  if (layout.statements.length === 0) return answerAll(run, { layout, entries: [] });
  const onlyReads = steps.every((step) => !isReady(step) || step.shape.isRead);
  const entries = onlyReads ? await sendReads(call, layout.statements) : await sendAlone(call, layout.statements, givesRows(run));
  return answerAll(run, { layout, entries });
}

/** Statements on their own, kept record of: those that the trial found good are sent with the record in one transaction. */
async function runRecorded(run: UnitRun): Promise<readonly StatementAnswer[]> {
  const { call, unit, steps } = run;
  for (let races = 0; races <= maxRaces; races++) {
    const trial = layOut(run, { end: steps.length, without: none });
    const tried = trial.statements.length === 0 ? [] : await tryEach(run, trial);
    const forecast = answerAll(run, { layout: trial, entries: tried });
    const without = new Set(forecast.flatMap((answer, index) => (answer.status === 'error' ? [index] : [])));
    noteFailures(run, trial, tried);
    const layout = layOut(run, { end: steps.length, without, changes: readChanges(trial, tried), records: unit.record?.(forecast) });
    const end = await sendTogether(call, layout.statements, givesRows(run));
    if (end.kind === 'kept') {
      const answers = answerAll(run, { layout, entries: end.entries });
      return answers.map((answer, index) => (without.has(index) ? (forecast[index] ?? answer) : answer));
    }
    checkFence(run, layout, end);
    run.conflicts.clear();
  }
  throw tooManyRaces(run);
}

/** Conflicts are left out, and questions that fail are not asked again. */
function noteFailures(run: UnitRun, layout: Layout, entries: readonly Entry[]): void {
  layout.owners.forEach(({ index, role }, place) => {
    const error = entries[place]?.error;
    const step = run.steps[index];
    if (error === undefined || !isReady(step)) return;
    if (role === 'question') run.untold.add(index);
    else if (run.unit.onConflict === 'not_applied' && isOwnConflict(step, error)) run.conflicts.set(index, error);
  });
}

function readChanges(layout: Layout, entries: readonly Entry[]): ReadonlyMap<number, number> {
  const changes = new Map<number, number>();
  for (const [index, { place }] of layout.spots) {
    const entry = place === undefined ? undefined : entries[place];
    if (entry === undefined || entry.error !== undefined) continue;
    changes.set(index, entry.columns === undefined ? entry.rowsAffected : entry.values.length);
  }
  return changes;
}

/** Whether something in the schema may end a transaction by itself: then a savepoint is no shelter. */
async function hasRollbackClauses({ link, signal }: UnitCall): Promise<boolean> {
  const { values } = await readRows(link, writeStatement(`SELECT 1 FROM sqlite_schema WHERE sql LIKE '%ROLLBACK%' LIMIT 1`, []), {
    signal,
  });
  return values.length > 0;
}

async function tryEach(run: UnitRun, layout: Layout): Promise<readonly Entry[]> {
  const { call, steps } = run;
  const mentions = steps.some((step) => isReady(step) && /ROLLBACK/iu.test(step.text));
  if (!mentions && !(await hasRollbackClauses(call))) return tryAlone(call, layout.statements);
  // One bad statement a round, each in a transaction that is undone.
  const failed = new Map<number, Entry>();
  for (;;) {
    const open = layout.statements.flatMap((_, place) => (failed.has(place) ? [] : [place]));
    const end = await tryTogether(
      call,
      open.map((place) => layout.statements[place] ?? ''),
    );
    if (end.kind === 'refused') throw tooManyRaces(run);
    if (end.kind === 'undone') {
      const place = open[end.index];
      const entry = end.entries[end.index];
      if (place === undefined || entry === undefined) throw tooManyRaces(run);
      failed.set(place, entry);
      continue;
    }
    const entries = new Map(open.map((place, at) => [place, end.entries[at]]));
    return layout.statements.flatMap((_, place) => failed.get(place) ?? entries.get(place) ?? []);
  }
}

/** A record that misses its count is no race but another owner's doing. */
function checkFence({ call }: UnitRun, layout: Layout, end: UnitEnd): void {
  if (end.kind !== 'undone') return;
  const role = layout.owners[end.index]?.role;
  if (role === 'fence') {
    throw new SluiceError('SLUICE_FENCED', `The ledger in ${call.link.address.label} was changed by another process at the same moment.`, {
      hint: 'Run the same command again.',
    });
  }
  if (role === 'record')
    throw new SluiceError('SLUICE_TARGET_FAILED', `rqlite refused the record of a unit on ${call.link.address.label}: ${end.error}.`);
}

function tooManyRaces({ call }: UnitRun): SluiceError {
  return new SluiceError(
    'SLUICE_TARGET_BUSY',
    `Others change the same rows of ${call.link.address.label} faster than a unit can be tried and sent; none of it was kept.`,
    {
      hint: 'Run the same command again.',
    },
  );
}

async function runTogether(run: UnitRun): Promise<readonly StatementAnswer[]> {
  const { call, unit, steps } = run;
  // Each round leaves out one more INSERT or question, or is a race.
  for (let round = 0; round <= 2 * steps.length + maxRaces; round++) {
    const trial = await tryFirst(run);
    if (trial.kind === 'again') continue;
    if (trial.kind === 'failed') return failAt(run, trial.failure);
    const records = unit.record?.(trial.forecast);
    const layout = layOut(run, { end: steps.length, without: none, changes: trial.changes, records });
    const sent = await sendTogether(call, layout.statements, givesRows(run));
    if (sent.kind === 'kept') return answerAll(run, { layout, entries: sent.entries });
    checkFence(run, layout, sent);
    const failure = learn(run, layout, sent);
    if (failure !== undefined) return failAt(run, failure);
  }
  throw tooManyRaces(run);
}

type Trial =
  | { readonly kind: 'good'; readonly forecast: readonly StatementAnswer[]; readonly changes: ReadonlyMap<number, number> | undefined }
  | { readonly kind: 'failed'; readonly failure: Failure }
  | { readonly kind: 'again' };

/** A look at what the transaction would do, where its answers are needed beforehand, or an error may not undo all on the route that gives rows. */
async function tryFirst(run: UnitRun): Promise<Trial> {
  const { call, unit, steps } = run;
  const firstRefused = steps.findIndex((step) => step.kind === 'refused');
  if (firstRefused < 0 && unit.record === undefined && !givesRows(run)) return { kind: 'good', forecast: [], changes: undefined };
  const layout = layOut(run, { end: firstRefused < 0 ? steps.length : firstRefused, without: none });
  const tried = await tryTogether(call, layout.statements);
  if (tried.kind !== 'kept') {
    const failure = learn(run, layout, tried);
    return failure === undefined ? { kind: 'again' } : { kind: 'failed', failure };
  }
  const refused = steps[firstRefused];
  if (refused?.kind === 'refused')
    return { kind: 'failed', failure: { index: firstRefused, answer: { status: 'error', error: refused.error } } };
  const forecast = answerAll(run, { layout, entries: tried.entries });
  return { kind: 'good', forecast, changes: unit.record === undefined ? undefined : readChanges(layout, tried.entries) };
}

interface Failure {
  readonly index: number;
  readonly answer: StatementAnswer;
  readonly ranAll?: boolean;
}

/** What an undone transaction teaches; a failure where there is nothing to leave out. */
function learn(run: UnitRun, layout: Layout, end: Exclude<UnitEnd, { kind: 'kept' }>): Failure | undefined {
  if (end.kind === 'refused') {
    // COMMIT names no statement: the last one that changed something takes it.
    const index = Math.max(
      0,
      run.steps.findLastIndex((step) => isReady(step) && step.isChange),
    );
    return { index, answer: { status: 'error', error: { code: 'COMMIT', message: end.error } }, ranAll: true };
  }
  const owner = layout.owners[end.index];
  const step = run.steps[owner?.index ?? -1] as ReadyStatement | undefined;
  if (owner === undefined || step === undefined || owner.role === 'guard') return undefined;
  if (owner.role === 'question') {
    run.untold.add(owner.index);
    return undefined;
  }
  if (run.unit.onConflict === 'not_applied' && isOwnConflict(step, end.error)) {
    run.conflicts.set(owner.index, end.error);
    return undefined;
  }
  return { index: owner.index, answer: { status: 'error', error: toStatementError(end.error) } };
}

/** All is undone; only what the ledger keeps of it is written. */
async function failAt(run: UnitRun, { index, answer, ranAll = false }: Failure): Promise<readonly StatementAnswer[]> {
  const { unit, call } = run;
  const answers = unit.statements.map((_, at): StatementAnswer => {
    if (at === index) return answer;
    return { status: at < index || ranAll ? 'rolled_back' : 'not_attempted' };
  });
  if (unit.record !== undefined) await transact(call.link, unit.record(answers), { signal: call.signal });
  return answers;
}
