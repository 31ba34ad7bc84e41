/** What the ledger keeps of a batch beside the shard's own columns: a JSON text in `tail`, moved together with the position. */
import { SluiceError } from '../errors.ts';
import type { StatementAnswer } from '../target/batch-contract.ts';
import type { BatchCounts } from './options.ts';
import type { StatusPlace } from './status-file.ts';

/** A batch at a committed place. */
export interface BatchNote {
  /** CRC-32 of the file up to the place. */
  readonly crc: number;
  /** Each send of a unit has a number of its own, so that of two the one that landed is known. */
  readonly send: string;
  readonly counts: BatchCounts;
  /** Some statement was applied that may have changed something. */
  readonly hasWrites: boolean;
  readonly status: StatusPlace | undefined;
}

export const noCounts: BatchCounts = { read: 0, applied: 0, notApplied: 0, errors: 0, rolledBack: 0, notAttempted: 0, unknown: 0 };

export const firstNote: BatchNote = { crc: 0, send: '', counts: noCounts, hasWrites: false, status: undefined };

export function writeNote(note: BatchNote): string {
  return JSON.stringify(note);
}

/** @throws SLUICE_LEDGER_VERSION for a text that is none */
export function parseNote(text: string, batch: string): BatchNote {
  const note: unknown = text === '' ? firstNote : JSON.parse(text);
  if (typeof note === 'object' && note !== null && 'crc' in note && 'counts' in note) return note as BatchNote;
  throw new SluiceError('SLUICE_LEDGER_VERSION', `The place of batch ${batch} was written by another version of sluice.`, {
    hint: 'Use that version, or run the file anew with --again.',
  });
}

const countNames: Readonly<Record<StatementAnswer['status'], keyof BatchCounts>> = {
  applied: 'applied',
  not_applied: 'notApplied',
  error: 'errors',
  rolled_back: 'rolledBack',
  not_attempted: 'notAttempted',
  unknown: 'unknown',
};

/** Counts with those of some answers. */
export function addAnswers(counts: BatchCounts, answers: readonly StatementAnswer[]): BatchCounts {
  const sum = { ...counts, read: counts.read + answers.length };
  for (const answer of answers) sum[countNames[answer.status]]++;
  return sum;
}

/** What the ledger calls rejected: all that is neither applied nor not applied. */
export function countRejected({ errors, rolledBack, notAttempted, unknown }: BatchCounts): number {
  return errors + rolledBack + notAttempted + unknown;
}
