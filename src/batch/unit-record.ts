/** The ledger's part of a unit: its position, its note and what failed, written in the transaction of its statements. */
import { advanceShard, insertRejectSql, noteShard } from '../ledger/statements.ts';
import type { StatementAnswer } from '../target/batch-contract.ts';
import type { Claim, Mark, Statement } from '../target/driver.ts';
import { addAnswers, countRejected, noCounts, writeNote, type BatchNote } from './batch-note.ts';
import type { Unit } from './unit-cut.ts';

/** Of one unit: a transaction of a million statements that fails must not become a million rows of the ledger. Those with an error of their own come first. */
const maxUnitRejects = 1_000;

/** Bytes kept of a statement and of a message. */
const maxKeptBytes = 64 * 1024;
const maxMessageLength = 4_096;

/** The move of the shard that a unit makes. */
export function markUnit(claim: Claim, unit: Unit): Mark {
  const { load, shard, epoch, position: from } = claim;
  return {
    load,
    shard: shard.ordinal,
    epoch,
    from,
    to: { offset: unit.end.offset, row: from.row + unit.statements.length, line: unit.end.line },
    isLast: unit.isLast,
    readCount: unit.statements.length,
    byteCount: unit.end.offset - from.offset,
    embedded: { texts: 0, distinct: 0, cached: 0, embedded: 0 },
  };
}

/** The statements of the ledger for the answers of a unit. */
export function recordUnit(
  mark: Mark,
  unit: Unit,
  ended: { readonly answers: readonly StatementAnswer[]; readonly note: BatchNote },
): readonly Statement[] {
  const counts = addAnswers(noCounts, ended.answers);
  const moved = advanceShard(mark, {
    written: counts.applied,
    skipped: counts.notApplied,
    rejected: countRejected(counts),
    added: 0,
    digest: { high: 0, low: 0 },
  });
  return [
    { ...moved, mustChange: 1 },
    { ...noteShard(mark.load, mark.shard, writeNote(ended.note)), mustChange: 1 },
    ...listRejects(mark, unit, ended.answers),
  ];
}

function listRejects(mark: Mark, unit: Unit, answers: readonly StatementAnswer[]): readonly Statement[] {
  const own: Statement[] = [];
  const undone: Statement[] = [];
  for (const [index, answer] of answers.entries()) {
    if (answer.status === 'applied' || answer.status === 'not_applied') continue;
    const list = answer.status === 'error' ? own : undone;
    if (list.length < maxUnitRejects) list.push(insertFailed(mark, unit, { index, answer }));
  }
  return [...own, ...undone].slice(0, maxUnitRejects);
}

interface Failed {
  readonly index: number;
  readonly answer: Exclude<StatementAnswer, { readonly status: 'applied' | 'not_applied' }>;
}

function insertFailed(mark: Mark, unit: Unit, { index, answer }: Failed): Statement {
  const statement = unit.statements[index];
  const raw = statement?.raw ?? '';
  const kept = cutText(raw);
  return {
    sql: insertRejectSql,
    parameters: [
      mark.load,
      mark.shard,
      mark.from.row + index,
      statement?.start.offset ?? 0,
      statement?.start.line ?? 0,
      'refused',
      answer.status === 'error' ? answer.error.code : answer.status.toUpperCase(),
      null,
      describeFailed(answer),
      withoutNul(kept),
      kept.length < raw.length ? 1 : 0,
    ],
  };
}

function describeFailed(answer: Failed['answer']): string {
  if (answer.status === 'error') return withoutNul(answer.error.message).slice(0, maxMessageLength);
  if (answer.status === 'rolled_back') return 'it worked, and was undone with its transaction';
  return answer.message ?? 'an earlier statement of its transaction failed';
}

/** PostgreSQL has no text with this character. */
function withoutNul(text: string): string {
  return text.replaceAll('\0', '\ufffd');
}

/** At most {@link maxKeptBytes} of UTF-8, never half a character. */
function cutText(text: string): string {
  if (text.length * 3 <= maxKeptBytes || Buffer.byteLength(text) <= maxKeptBytes) return text;
  return new TextDecoder().decode(Buffer.from(text.slice(0, maxKeptBytes)).subarray(0, maxKeptBytes)).replace(/\ufffd+$/u, '');
}
