/** Runs an SQL dump as one write: SQLite reads the text itself, statement after statement, so that its length costs time in proportion. */
import { type Counters, printCounters, printEnd, printError } from './answer-format.ts';
import { decodeText } from './body-bytes.ts';
import type { DataOptions } from './contract.ts';
import { DisallowedPragma, type Link } from './link.ts';
import { readCounters, readMessage } from './statement-run.ts';
import type { TextAnswer } from './write-run.ts';

/** A dump that begins or ends transactions, or holds what can't be in one, runs as it is; any other gets a transaction around it, which saves an fsync per row. */
const controlPattern = /(?:^|;)\s*(?:begin|commit|end|rollback|savepoint|release|vacuum|pragma)\b|\brollback\b/i;

/** Whether nothing but a comment or semicolons stand behind the last statement: rqlite's counters are zero then. */
const blankEndPattern = /(?:^|;)\s*(?:;|--[^\n]*|\/\*(?:[^*]|\*(?!\/))*\*\/)\s*$/;

const noCounters: Counters = { lastInsertId: 0, rowsAffected: 0 };

/** Only so much of the end is looked at. */
const endLength = 2000;

function runText(link: Link, sql: string): string | undefined {
  const { db } = link;
  // A backup holds the ledger, and comes back with it.
  link.setLedgerRight(true);
  const wasOpen = db.isTransaction;
  const isWrapped = !wasOpen && !controlPattern.test(sql);
  let message: string | undefined;
  if (isWrapped) link.trust(() => db.exec('BEGIN'));
  try {
    link.allowNameless(() => db.exec(sql));
  } catch (error) {
    message = error instanceof DisallowedPragma ? 'disallowed pragma' : readMessage(error);
    // What a dump has begun and not ended is undone; statements outside of a transaction stay.
    if (!isWrapped && !wasOpen && db.isTransaction) link.trust(() => db.exec('ROLLBACK'));
  }
  if (isWrapped && db.isTransaction) {
    try {
      link.trust(() => db.exec('COMMIT'));
    } catch (error) {
      message ??= readMessage(error);
      if (db.isTransaction) link.trust(() => db.exec('ROLLBACK'));
    }
  }
  return message;
}

/** Runs the text and answers with one entry, as `/db/load` does. */
export function runScriptText(
  link: Link,
  bytes: Uint8Array,
  { options, raftIndex }: { options: DataOptions; raftIndex: number },
): TextAnswer {
  const startMs = performance.now();
  const sql = decodeText(bytes);
  const entries: string[] = [];
  if (sql !== '') {
    const message = runText(link, sql);
    const counters = blankEndPattern.test(sql.slice(-endLength)) ? noCounters : readCounters(link);
    entries.push(message === undefined ? printCounters(counters, options, startMs) : printError(message));
  }
  const end = printEnd({ startMs, raftIndex: options.addsRaftIndex ? raftIndex : undefined }, options);
  return { status: 200, isJson: true, text: `{"results":[${entries.join(',')}${end}` };
}
