/** Brings a unit into the target exactly once: its statements, their statuses and the batch's place are one commit, and after a lost link the ledger says whether it landed. */
import { isSluiceError, SluiceError } from '../errors.ts';
import type { StatementAnswer } from '../target/batch-contract.ts';
import type { Claim, Mark, RunOptions, Statement, UnitOutcome, UnitRequest } from '../target/driver.ts';
import { LinkLostError, readLanded } from '../target/link.ts';
import { countFault } from './batch.ts';
import { readNote } from './batch-entry.ts';
import { addAnswers, type BatchNote } from './batch-note.ts';
import { writeStatusLine, type StatusFile } from './status-file.ts';
import type { Unit } from './unit-cut.ts';
import { markUnit, recordUnit } from './unit-record.ts';
import { repeatOver, runUnit, type RunningConnection, type UnitLink } from './unit-run.ts';

/** A batch between two units. */
export interface Progressing {
  readonly link: UnitLink & { readonly connection: RunningConnection };
  readonly status: StatusFile | undefined;
  /** Whether a statement can't change anything; false where that is not certain. */
  readonly isRead: (sql: string) => boolean;
  readonly run: RunOptions;
  claim: Claim;
  note: BatchNote;
  sends: number;
  /** A unit was sent and nobody could be asked yet whether it landed. */
  isDoubtful: boolean;
}

/** Statements of a unit with how they are run. */
export interface SentUnit {
  readonly unit: Unit;
  readonly request: UnitRequest;
}

/** How often a unit whose end was lost is sent again after the ledger said that it is not there. */
const maxLosses = 4;

/** What was handed to the target to be committed with a unit. */
interface Recorded {
  readonly answers: readonly StatementAnswer[];
  readonly note: BatchNote;
}

/**
 * Commits a unit and moves the batch behind it.
 * @throws SLUICE_FENCED when another process has the batch; LinkLostError when the link can't be mended; what `run` throws: then nothing of it was committed
 */
export async function commitUnit(batch: Progressing, sent: SentUnit): Promise<readonly StatementAnswer[]> {
  const mark = markUnit(batch.claim, sent.unit);
  const answers = sent.unit.statements.length === 0 ? await commitEmpty(batch, sent.unit, mark) : await sendUnit(batch, sent, mark);
  batch.claim = { ...batch.claim, position: mark.to };
  return answers;
}

/** The end of the file without statements: the position alone. Sent again it finds its own mark. */
async function commitEmpty(batch: Progressing, unit: Unit, mark: Mark): Promise<readonly StatementAnswer[]> {
  const note = { ...batch.note, crc: unit.crc };
  const statements = recordUnit(mark, unit, { answers: [], note });
  try {
    await batch.link.connection.transact(statements);
  } catch (error) {
    if (readLanded(error) === undefined) throw error;
    await batch.link.renew();
    const found = await batch.link.connection.settle(mark);
    if (found === 'fenced') throw fenced(mark);
    if (found === 'not_landed') await batch.link.connection.transact(statements);
  }
  batch.note = note;
  return [];
}

async function sendUnit(batch: Progressing, sent: SentUnit, mark: Mark): Promise<readonly StatementAnswer[]> {
  const doubtful = new Map<string, Recorded>();
  for (let losses = 0; ; losses++) {
    let recorded: Recorded | undefined;
    const record = (answers: readonly StatementAnswer[]): readonly Statement[] => {
      recorded = noteAnswers(batch, sent.unit, answers);
      return recordUnit(mark, sent.unit, recorded);
    };
    try {
      const outcome = await runUnit(batch.link, { ...sent.request, record }, batch.run);
      return takeOutcome(batch, outcome, recorded);
    } catch (error) {
      const isOvertaken = isSluiceError(error, 'SLUICE_FENCED') && doubtful.size > 0;
      if (readLanded(error) !== 'unknown' && !isOvertaken) throw error;
      batch.isDoubtful = true;
      if (recorded !== undefined && !isOvertaken) doubtful.set(recorded.note.send, recorded);
      const landed = await settleUnit(batch, sent.unit, { mark, doubtful });
      if (landed !== undefined) return landed;
      if (isOvertaken || losses >= maxLosses) throw error;
    }
  }
}

/** The note and the status lines of a unit, before its commit. */
function noteAnswers(batch: Progressing, unit: Unit, answers: readonly StatementAnswer[]): Recorded {
  const { note, status, claim, isRead } = batch;
  const bytes = status === undefined ? 0 : writeLines(batch, unit, answers);
  return {
    answers,
    note: {
      crc: unit.crc,
      send: `${String(claim.epoch)}-${String(++batch.sends)}`,
      counts: addAnswers(note.counts, answers),
      hasWrites:
        note.hasWrites || unit.statements.some(({ statement }, index) => answers[index]?.status === 'applied' && !isRead(statement.sql)),
      status: status === undefined ? note.status : { path: status.path, bytes },
    },
  };
}

function writeLines({ status, note, claim }: Progressing, unit: Unit, answers: readonly StatementAnswer[]): number {
  const lines = answers.map((answer, index) =>
    writeStatusLine({ index: claim.position.row + index, line: (unit.statements[index]?.start.line ?? 0) + 1 }, answer),
  );
  const place = note.status?.path === status?.path ? (note.status?.bytes ?? 0) : 0;
  return status?.write(place, lines.join('')) ?? 0;
}

function takeOutcome(batch: Progressing, { answers }: UnitOutcome, recorded: Recorded | undefined): readonly StatementAnswer[] {
  if (recorded === undefined) throw new SluiceError('SLUICE_INTERNAL', 'The target ran a unit without its record.');
  if (answers.length !== recorded.answers.length) throw countFault(answers.length, recorded.answers.length);
  if (answers.some((answer) => answer.status === 'unknown'))
    throw new LinkLostError('unknown', 'The link broke while a unit was committed.');
  batch.note = recorded.note;
  return answers;
}

interface Doubt {
  readonly mark: Mark;
  readonly doubtful: ReadonlyMap<string, Recorded>;
}

/** Asks the ledger over a new connection; the answers of the send that landed, or undefined when none did. */
async function settleUnit(batch: Progressing, unit: Unit, { mark, doubtful }: Doubt): Promise<readonly StatementAnswer[] | undefined> {
  const { link } = batch;
  await link.renew();
  const found = await repeatOver(link, (connection) => connection.settle(mark));
  batch.isDoubtful = found === 'landed';
  if (found === 'fenced') throw fenced(mark);
  if (found === 'not_landed') return undefined;
  const { send } = await repeatOver(link, (connection) => readNote(connection, mark.load));
  const landed = doubtful.get(send);
  if (landed === undefined)
    throw new SluiceError('SLUICE_INTERNAL', `Batch ${mark.load} was moved by a send that this process did not make.`);
  // A later send may have put its own lines there before it was refused.
  if (batch.status !== undefined) writeLines(batch, unit, landed.answers);
  batch.note = landed.note;
  batch.isDoubtful = false;
  return landed.answers;
}

function fenced(mark: Mark): SluiceError {
  return new SluiceError('SLUICE_FENCED', `Another process has taken over batch ${mark.load}.`, {
    hint: 'See what it does with `sluice status`.',
  });
}
