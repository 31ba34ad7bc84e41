/**
 * Runs requests that wait at the same time in one transaction, one fsync for all of them. Each keeps the answer that it would have had alone: a statement that
 * can't be in a shared transaction ends it first, and where it is lost (OR ROLLBACK, a full disk, a failed COMMIT) all that was in it runs again, each alone.
 */
import { maxHeldLength } from './held-rows.ts';
import type { Link, Prepared } from './link.ts';
import { NotHere, readMessage } from './statement-run.ts';
import { giveUp, isFinished, rewindRun, runNext, type WriteRun } from './write-run.ts';

/** The transaction that requests share. */
interface Group {
  readonly link: Link;
  /** Requests in it, each with the statement at which it came in. */
  readonly members: { readonly run: WriteRun; readonly from: number }[];
  isOpen: boolean;
}

const runsAnywhere = (): void => undefined;

/** Words that mean a transaction of the user's own, or something that can't be in one; a false alarm costs an fsync. */
const controlPattern = /\b(?:begin|commit|end|rollback|savepoint|release|vacuum|pragma|attach|detach|defer)/i;

function refuseAlone(prepared: Prepared): void {
  if (prepared.standsAlone) throw new NotHere('must not be in a shared transaction');
}

/**
 * Whether a foreign key could be checked only at COMMIT: then a shared transaction would hide which statement broke it. Read each time: the setting and the
 * tables may have changed.
 */
function defersKeys(link: Link): boolean {
  const isOn = link.trust(() => link.prepare('PRAGMA foreign_keys').statement?.get()) as unknown as readonly unknown[] | undefined;
  if (Number(isOn?.[0]) !== 1) return false;
  const found = link.trust(() => link.prepare("SELECT 1 FROM sqlite_schema WHERE sql LIKE '%deferr%' LIMIT 1").statement?.get());
  return found !== undefined;
}

function openGroup(group: Group): void {
  if (group.isOpen) return;
  group.link.trust(() => group.link.db.exec('BEGIN IMMEDIATE'));
  group.isOpen = true;
}

/** Ends the shared transaction; where that fails, what was in it runs alone. */
function closeGroup(group: Group): void {
  if (!group.isOpen) return;
  const { db } = group.link;
  try {
    group.link.trust(() => db.exec('COMMIT'));
    group.isOpen = false;
    group.members.length = 0;
  } catch {
    // Each request finds the reason again when it runs alone, and says it in its own answer.
    recoverGroup(group);
  }
}

function recoverGroup(group: Group): void {
  const { link } = group;
  if (link.db.isTransaction) link.trust(() => link.db.exec('ROLLBACK'));
  group.isOpen = false;
  const members = group.members.splice(0);
  for (const { run, from } of members) rewindRun(run, from);
  for (const { run } of members) runAlone(link, run);
}

/** Runs a request in rqlite's way: its statements one after another, each committed before the next, or in a transaction of its own. */
export function runAlone(link: Link, run: WriteRun, onEntry?: (text: string) => void): void {
  if (run.request.options.isTransaction) runOwnTransaction(link, run, onEntry);
  else
    while (!isFinished(run)) {
      const { text } = runNext(link, run, runsAnywhere);
      onEntry?.(text);
    }
}

function endsTransaction(run: WriteRun, entry: { readonly isError: boolean; readonly isUnprepared?: boolean }): boolean {
  // rqlite commits the rest of a /db/request after a statement that can't be prepared; nobody who asks for `strict` wants that.
  return entry.isError && (entry.isUnprepared !== true || run.request.options.isStrict);
}

function runOwnTransaction(link: Link, run: WriteRun, onEntry?: (text: string) => void): void {
  const { db } = link;
  const execute = (sql: string): string | undefined => {
    try {
      link.trust(() => db.exec(sql));
      return undefined;
    } catch (error) {
      return readMessage(error);
    }
  };
  run.error = execute('BEGIN');
  if (run.error !== undefined) {
    run.next = run.statements.length;
    return;
  }
  while (!isFinished(run)) {
    const entry = runNext(link, run, runsAnywhere);
    if (!endsTransaction(run, entry)) {
      onEntry?.(entry.text);
      continue;
    }
    giveUp(run);
    if (db.isTransaction) execute('ROLLBACK');
    return;
  }
  run.error = execute('COMMIT');
  if (run.error !== undefined && db.isTransaction) execute('ROLLBACK');
}

/** A transaction of a request inside the shared one. */
function runSavepoint(group: Group, run: WriteRun): void {
  const { link } = group;
  const execute = (sql: string): void => link.trust(() => link.db.exec(sql));
  execute('SAVEPOINT sluice_request');
  try {
    while (!isFinished(run)) {
      if (!endsTransaction(run, runNext(link, run, refuseAlone))) continue;
      if (!link.db.isTransaction) return;
      giveUp(run);
      execute('ROLLBACK TO sluice_request');
    }
  } catch (error) {
    if (!(error instanceof NotHere)) throw error;
    execute('ROLLBACK TO sluice_request');
    execute('RELEASE sluice_request');
    group.members.pop();
    rewindRun(run, 0);
    closeGroup(group);
    runOwnTransaction(link, run);
    return;
  }
  if (link.db.isTransaction) execute('RELEASE sluice_request');
}

/** Runs a request's statements in the shared transaction, as far as they can be there. */
function runPlainly(group: Group, run: WriteRun): void {
  const { link } = group;
  while (!isFinished(run)) {
    if (link.db.isTransaction && !group.isOpen) {
      // A transaction that a user has begun: everything joins it until its end.
      runNext(link, run, runsAnywhere);
      continue;
    }
    if (!group.isOpen || group.members.at(-1)?.run !== run) {
      openGroup(group);
      group.members.push({ run, from: run.next });
    }
    try {
      runNext(link, run, refuseAlone);
    } catch (error) {
      if (!(error instanceof NotHere)) throw error;
      closeGroup(group);
      if (!isFinished(run)) runNext(link, run, runsAnywhere);
      continue;
    }
    if (!link.db.isTransaction) recoverGroup(group);
  }
}

function runInGroup(group: Group, run: WriteRun): void {
  const { link } = group;
  if (!run.request.options.isTransaction) {
    runPlainly(group, run);
    return;
  }
  const isOwn = run.statements.some(({ sql }) => controlPattern.test(sql)) || (link.db.isTransaction && !group.isOpen);
  if (isOwn) {
    closeGroup(group);
    runOwnTransaction(link, run);
    return;
  }
  openGroup(group);
  group.members.push({ run, from: 0 });
  runSavepoint(group, run);
  if (!link.db.isTransaction) recoverGroup(group);
}

/** Whether a shared transaction would gain nothing. */
function isSingle(runs: readonly WriteRun[]): boolean {
  const [run, second] = runs;
  return run !== undefined && second === undefined && (run.statements.length === 1 || run.request.options.isTransaction);
}

/** Runs `each` until together the answers are as large as one may be; how many were run. */
function runWhileRoom(runs: readonly WriteRun[], each: (run: WriteRun) => void): number {
  let held = 0;
  for (const [index, run] of runs.entries()) {
    each(run);
    held += run.heldLength;
    if (held > maxHeldLength) return index + 1;
  }
  return runs.length;
}

/** Runs requests to their end, in their order, and returns how many: fewer where the answers get large. What they did is durable when this returns. */
export function runRequests(link: Link, runs: readonly WriteRun[], isReadOnly: boolean): number {
  if (isReadOnly || isSingle(runs) || defersKeys(link)) return runWhileRoom(runs, (run) => runAlone(link, run));
  const group: Group = { link, members: [], isOpen: false };
  let refusal: string | undefined;
  const count = runWhileRoom(runs, (run) => {
    try {
      if (refusal === undefined) runInGroup(group, run);
    } catch (error) {
      if (group.isOpen) throw error;
      // The shared transaction could not even be begun (a lock, a full disk). Who waits behind it has waited as long, and is told the same.
      refusal = readMessage(error);
    }
    if (refusal !== undefined) failRun(run, refusal);
  });
  closeGroup(group);
  return count;
}

function failRun(run: WriteRun, message: string): void {
  if (run.request.options.isTransaction) run.error = message;
  else while (run.entries.length < run.statements.length) run.entries.push(`{"error":${JSON.stringify(message)}}`);
  run.next = run.statements.length;
}
