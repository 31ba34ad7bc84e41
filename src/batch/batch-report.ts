/** The account of a batch: counts from the ledger, times from the session. That they add up is checked, not assumed. */
import { formatCount } from '../count-text.ts';
import type { LedgerLoad } from '../ledger/reading.ts';
import { writeBatchWords, writeCommand } from '../load/control/command-text.ts';
import { hideSecrets } from '../secret-text.ts';
import type { Entry } from './batch-entry.ts';
import { countRejected } from './batch-note.ts';
import { listWords } from './command-words.ts';
import type { BatchCounts, BatchFailure, BatchFileOptions, BatchReport } from './options.ts';
import type { StatementInput } from './statement-source.ts';

/** What a session ended with. */
export interface BatchEnding {
  readonly state: 'done' | 'error_limit' | 'cancelled';
  /** Of the whole batch. */
  readonly counts: BatchCounts;
  readonly failures: readonly BatchFailure[];
  /** Statements of earlier sessions. */
  readonly before: number;
  readonly units: number;
  readonly elapsedMs: number;
  readonly status: string | undefined;
}

interface Asked {
  readonly options: BatchFileOptions;
  readonly input: StatementInput;
}

/** The command that goes on with a batch, ready to be pasted into a shell. */
export function writeBatchCommand(batch: string, { options, input }: Asked): string {
  return writeBatchWords(options.to, listWords(batch, options, input));
}

/** Makes the report of a session that ran. */
export function makeReport(load: LedgerLoad, ending: BatchEnding, { options, input }: Asked): BatchReport {
  const { state, counts, failures, before, units, elapsedMs } = ending;
  const read = counts.read - before;
  return {
    ...describeBatch(load, options, input),
    state,
    counts,
    isBalanced: isBalanced(counts, load),
    session: { read, units, elapsedMs, statementsPerSecond: (read * 1_000) / Math.max(1, elapsedMs) },
    failures,
    statusFile: ending.status,
    notes: describeNotes(ending),
    next: chooseNext(load, ending, { options, input }),
  };
}

/** The report of a batch that an earlier session has finished. */
export function reportNothingToDo({ load, note }: Entry, { options, input }: Asked): BatchReport {
  return {
    ...describeBatch(load, options, input),
    state: 'nothing_to_do',
    counts: note.counts,
    isBalanced: isBalanced(note.counts, load),
    session: { read: 0, units: 0, elapsedMs: 0, statementsPerSecond: 0 },
    failures: [],
    statusFile: note.status?.path,
    notes: [],
    next:
      options.label === undefined
        ? `${writeBatchCommand(load.load, { options, input })} --again`
        : writeCommand('status', options.to, load.load),
  };
}

function describeBatch(
  load: LedgerLoad,
  options: BatchFileOptions,
  input: StatementInput,
): Pick<BatchReport, 'schema' | 'batch' | 'label' | 'source' | 'target' | 'transaction' | 'unit' | 'guarantee'> {
  const once = 'exactly once: statements and their place in the file are one commit';
  const isNameless = input.path === undefined && options.label === undefined;
  return {
    schema: 1,
    batch: load.load,
    label: load.label,
    source: input.name,
    target: hideSecrets(options.to),
    transaction: options.transaction ?? false,
    unit: options.unit,
    guarantee: isNameless
      ? `${once}; a stream without a label has no identity, so running it again without --label is another batch`
      : once,
  };
}

/** The statements that were counted are those that the ledger accounts for. */
function isBalanced(counts: BatchCounts, { counts: ledger }: LedgerLoad): boolean {
  const rejected = countRejected(counts);
  const isSum = counts.read === counts.applied + counts.notApplied + rejected;
  return (
    isSum &&
    ledger.read === counts.read &&
    ledger.written === counts.applied &&
    ledger.skipped === counts.notApplied &&
    ledger.rejected === rejected
  );
}

function describeNotes({ before, counts }: BatchEnding): readonly string[] {
  return before === 0 ? [] : [`${formatCount(before)} of the ${formatCount(counts.read)} statements were run by other sessions`];
}

function chooseNext(load: LedgerLoad, { state, counts }: BatchEnding, { options, input }: Asked): string {
  if (state !== 'done') return writeBatchCommand(load.load, { options, input });
  return countRejected(counts) > 0
    ? `${writeCommand('rejects', options.to, load.load)} --summary`
    : writeCommand('status', options.to, load.load);
}
