/** What became of queued requests, by sequence number: the newest in memory and in two small files, so that a restart still knows them. Bounded by count and bytes. */
import { open, readFile, rename, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

import type { QueuedOutcome } from '../engine/contract.ts';

export interface OutcomeStore {
  /** Adds outcomes of a committed group, in order of their numbers. */
  add(outcomes: readonly QueuedOutcome[]): Promise<void>;
  list(since: bigint, limit: number): readonly QueuedOutcome[];
  oldest(): bigint;
  close(): Promise<void>;
}

export interface OutcomeOptions {
  readonly folder: string;
  readonly capacity: number;
  readonly maxBytes: number;
  /** A file can't be written: outcomes are then kept in memory only. */
  readonly onFault: (error: unknown) => void;
}

/** Errors that are kept of one request, and characters of their messages: 1,000 × 300 are what a request of failed statements may hold of the store. */
const errorsKept = 1_000;
const messageKept = 300;
/** What an outcome without errors takes in memory, about. */
const outcomeOverhead = 96;

interface Kept {
  readonly outcome: QueuedOutcome;
  readonly bytes: number;
}

interface StoreState {
  readonly options: OutcomeOptions;
  /** In order; what lies before `head` is forgotten. */
  kept: Kept[];
  head: number;
  bytes: number;
  handle: FileHandle | undefined;
  fileBytes: number;
}

export async function openOutcomes(options: OutcomeOptions): Promise<OutcomeStore> {
  const state: StoreState = { options, kept: [], head: 0, bytes: 0, handle: undefined, fileBytes: 0 };
  for (const name of ['outcomes.old.jsonl', 'outcomes.jsonl']) {
    for (const outcome of await readOutcomes(join(options.folder, name))) keep(state, outcome);
  }
  return {
    add: (outcomes) => addOutcomes(state, outcomes),
    list: (since, limit) => list(state, since, limit),
    oldest: () => state.kept[state.head]?.outcome.sequence ?? 0n,
    close: async () => state.handle?.close(),
  };
}

async function addOutcomes(state: StoreState, outcomes: readonly QueuedOutcome[]): Promise<void> {
  const lines: string[] = [];
  for (const outcome of outcomes) {
    const short = shorten(outcome);
    keep(state, short);
    lines.push(`${JSON.stringify({ ...short, sequence: String(short.sequence) })}\n`);
  }
  try {
    await writeLines(state, lines.join(''));
  } catch (error) {
    state.options.onFault(error);
  }
}

/** No sync: the requests themselves are committed, and an outcome that a power cut takes is missing, never wrong. */
async function writeLines(state: StoreState, lines: string): Promise<void> {
  const path = join(state.options.folder, 'outcomes.jsonl');
  if (state.handle !== undefined && state.fileBytes > state.options.maxBytes) {
    await state.handle.close();
    state.handle = undefined;
    await rename(path, join(state.options.folder, 'outcomes.old.jsonl'));
  }
  if (state.handle === undefined) {
    state.handle = await open(path, 'a');
    state.fileBytes = (await state.handle.stat()).size;
    // After a crash the last line may be half: the next must not be glued to it.
    if (state.fileBytes > 0) lines = `\n${lines}`;
  }
  await state.handle.appendFile(lines);
  state.fileBytes += Buffer.byteLength(lines);
}

function keep(state: StoreState, outcome: QueuedOutcome): void {
  const last = state.kept.at(-1)?.outcome.sequence;
  if (last !== undefined && outcome.sequence <= last) return;
  const bytes = outcomeOverhead + outcome.errors.reduce((sum, error) => sum + 64 + 2 * error.message.length, 0);
  state.kept.push({ outcome, bytes });
  state.bytes += bytes;
  const { capacity, maxBytes } = state.options;
  while (state.kept.length - state.head > 1 && (state.kept.length - state.head > capacity || state.bytes > maxBytes)) {
    state.bytes -= state.kept[state.head]?.bytes ?? 0;
    state.head++;
  }
  // Moved to the front now and then, so that each outcome is moved once at most on average.
  if (state.head > capacity) {
    state.kept = state.kept.slice(state.head);
    state.head = 0;
  }
}

function list({ kept, head }: StoreState, since: bigint, limit: number): readonly QueuedOutcome[] {
  let low = head;
  let high = kept.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((kept[middle]?.outcome.sequence ?? 0n) > since) high = middle;
    else low = middle + 1;
  }
  return kept.slice(low, low + Math.max(0, limit)).map((one) => one.outcome);
}

function shorten(outcome: QueuedOutcome): QueuedOutcome {
  const { sequence, applied } = outcome;
  const errors = outcome.errors.slice(0, errorsKept).map(({ index, message }) => ({ index, message: message.slice(0, messageKept) }));
  const omittedErrors = outcome.errors.length - errors.length + (outcome.omittedErrors ?? 0);
  return omittedErrors === 0 ? { sequence, applied, errors } : { sequence, applied, errors, omittedErrors };
}

async function readOutcomes(path: string): Promise<QueuedOutcome[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  });
  return text
    .split('\n')
    .map((line) => readOutcome(line))
    .filter((outcome) => outcome !== undefined);
}

/** undefined for a line that a crash left half. */
function readOutcome(line: string): QueuedOutcome | undefined {
  const match = /^\{"sequence":"(\d{1,19})","applied":(\d+),"errors":(\[.*\])(?:,"omittedErrors":(\d+))?\}$/.exec(line);
  if (match === null) return undefined;
  const [, sequence = '0', applied = '0', list_ = '[]', omitted] = match;
  const errors = JSON.parse(list_) as QueuedOutcome['errors'];
  return {
    sequence: BigInt(sequence),
    applied: Number(applied),
    errors,
    ...(omitted === undefined ? {} : { omittedErrors: Number(omitted) }),
  };
}
