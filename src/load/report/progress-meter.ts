/** Turns what lanes tell into {@link Progress}: no clock and no I/O of its own, and memory that grows neither with rows nor with time. */
import { rejectCodes } from '../../rows/batch.ts';
import type { Reject } from '../../rows/batch.ts';
import { stageNames } from '../options.ts';
import type { Counts, EmbeddingCounts, Progress, RejectCause, StageName } from '../options.ts';

/** Rates and shares speak of the last 5 s; an ETA of the last 30 s, since a countdown that jumps is not believed. */
const rateWindowMs = 5_000;
const etaWindowMs = 30_000;
/** Events are gathered in bins, so that the window holds at most 600 of them (two for each 100 ms) however fast batches come. */
const binMs = 100;
/** Where commits are far apart the window reaches back for minutes: beyond this, every second bin is dropped. */
const maxBins = 2_000;
/** Before this much time a rate is an accident of the first batch, and an ETA made of it is absurd. */
const minEtaBasisMs = 500;
/** Above this an ETA says nothing that a person would act upon. */
const maxEtaMs = 100 * 24 * 3_600_000;
/** Different causes that are told apart; further ones are counted by their code (28 of them). */
const maxCauses = 64;

/** What the meter is told, in the order in which it happened. Plain data: a lane in another thread can post it. */
export type MeterEvent =
  | { readonly kind: 'phase'; readonly phase: Progress['phase'] }
  /** Time that a lane spent in a stage. */
  | { readonly kind: 'stage'; readonly stage: StageName; readonly ms: number }
  /** A batch is in the target: its own counts, source bytes, embedding counts and refused rows by cause. */
  | {
      readonly kind: 'committed';
      readonly counts: Counts;
      readonly bytes: number;
      readonly embedding?: EmbeddingCounts | undefined;
      readonly causes?: readonly RejectCause[] | undefined;
    }
  /** Bytes that a lane's batch holds now. */
  | { readonly kind: 'queued'; readonly lane: number; readonly bytes: number }
  | { readonly kind: 'held'; readonly by: Progress['heldBy'] }
  | { readonly kind: 'indexed'; readonly done: number; readonly total: number; readonly index?: string };

/** Where a load stands when its meter starts; counts and bytes of earlier sessions included. */
export interface MeterStart {
  readonly load: string;
  readonly lanes: number;
  readonly totalBytes: number | undefined;
  readonly counts: Counts;
  readonly bytes: number;
  readonly embedding: EmbeddingCounts | undefined;
  readonly rejectsByCause: readonly RejectCause[];
  /** The caller's clock, the same as in later calls; milliseconds. */
  readonly nowMs: number;
}

/** Gathers events and answers with the moment's progress. Times must not go backwards; they are taken as equal if they do. */
export interface ProgressMeter {
  observe(event: MeterEvent, nowMs: number): void;
  progress(nowMs: number): Progress;
}

/** Sums up to a moment; differences of two of them make rates. */
interface Sums {
  atMs: number;
  rows: number;
  bytes: number;
  readonly stageMs: Record<StageName, number>;
}

interface State {
  readonly start: MeterStart;
  phase: Progress['phase'];
  phaseSinceMs: number;
  counts: Counts;
  embedding: EmbeddingCounts | undefined;
  readonly causes: Map<string, RejectCause>;
  readonly queued: Map<number, number>;
  indexed: Progress['indexed'];
  heldBy: Progress['heldBy'];
  /** The newest sums; they move into `history` when their bin is over. */
  latest: Sums;
  /** Oldest first. The first is older than the longest window, or the start. */
  readonly history: Sums[];
  /** When the last batches were committed, oldest first: one more than there are lanes. */
  readonly commitsAtMs: number[];
}

/** Makes a meter for one session of a load. Rates count this session alone, so they are right at once after a resume. */
export function createProgressMeter(start: MeterStart): ProgressMeter {
  const state: State = {
    start,
    phase: 'plan',
    phaseSinceMs: start.nowMs,
    counts: start.counts,
    embedding: start.embedding,
    causes: new Map(),
    queued: new Map(),
    indexed: undefined,
    heldBy: undefined,
    latest: { atMs: start.nowMs, rows: 0, bytes: 0, stageMs: emptyStages() },
    history: [],
    commitsAtMs: Array.from({ length: start.lanes + 1 }, () => start.nowMs),
  };
  for (const cause of start.rejectsByCause) addCause(state.causes, cause);
  return {
    observe: (event, nowMs) => observe(state, event, nowMs),
    progress: (nowMs) => describeProgress(state, nowMs),
  };
}

function emptyStages(): Record<StageName, number> {
  return { read: 0, check: 0, embed: 0, wait: 0, commit: 0 };
}

function observe(state: State, event: MeterEvent, nowMs: number): void {
  turnBin(state, nowMs);
  if (event.kind === 'stage') state.latest.stageMs[event.stage] += Math.max(0, event.ms);
  else if (event.kind === 'committed') addCommit(state, event);
  else if (event.kind === 'queued') state.queued.set(event.lane, event.bytes);
  else if (event.kind === 'held') state.heldBy = event.by;
  else if (event.kind === 'indexed') state.indexed = { done: event.done, total: event.total, index: event.index };
  else startPhase(state, event.phase);
}

/** Waiting for the plan or for an earlier phase is no part of the rate: each phase starts its own window. */
function startPhase(state: State, phase: Progress['phase']): void {
  if (phase === state.phase) return;
  state.phase = phase;
  state.phaseSinceMs = state.latest.atMs;
  state.history.length = 0;
  state.history.push(copySums(state.latest));
  state.commitsAtMs.fill(state.latest.atMs);
}

function addCommit(state: State, event: Extract<MeterEvent, { kind: 'committed' }>): void {
  const { latest, commitsAtMs } = state;
  state.counts = addCounts(state.counts, event.counts);
  latest.rows += event.counts.read;
  latest.bytes += event.bytes;
  // A load that does not embed reports no texts: it has no embedding to show, rather than one of zeros.
  if (event.embedding && (state.embedding || event.embedding.texts > 0)) state.embedding = addEmbedding(state.embedding, event.embedding);
  for (const cause of event.causes ?? []) addCause(state.causes, cause);
  commitsAtMs.push(latest.atMs);
  commitsAtMs.shift();
}

/** Keeps the sums as they were when a bin ended, and forgets those that no window reaches any more. */
function turnBin(state: State, nowMs: number): void {
  const { history, latest } = state;
  const last = history.at(-1);
  // Only once time has moved on: sums of a moment that is not over would split what happened in it. What stands before a pause is kept exactly.
  const isOver = nowMs > latest.atMs && Math.max(latest.atMs - (last?.atMs ?? 0), nowMs - latest.atMs) >= binMs;
  if (!last || isOver) history.push(copySums(latest));
  latest.atMs = Math.max(latest.atMs, nowMs);
  const horizon = Math.min(latest.atMs - etaWindowMs, oldestCommitMs(state));
  let expired = 0;
  while (expired + 1 < history.length && history[expired + 1]!.atMs <= horizon) expired++;
  if (expired > 0) history.splice(0, expired);
  if (history.length > maxBins) history.splice(0, history.length, ...history.filter((_, index) => index % 2 === 0));
}

function copySums(sums: Sums): Sums {
  return { ...sums, stageMs: { ...sums.stageMs } };
}

function oldestCommitMs(state: State): number {
  return state.commitsAtMs[0] ?? state.start.nowMs;
}

/**
 * What was added over the last `windowMs`. Where batches are rarer than the window it reaches back over the last batch of each lane,
 * so that a slow load shows a low rate, never none.
 */
function measureWindow(state: State, windowMs: number, nowMs: number): Sums {
  const now = Math.max(state.latest.atMs, nowMs);
  const base = findBase(state, Math.min(now - windowMs, oldestCommitMs(state)));
  const stageMs = emptyStages();
  for (const stage of stageNames) stageMs[stage] = state.latest.stageMs[stage] - base.stageMs[stage];
  return { atMs: now - base.atMs, rows: state.latest.rows - base.rows, bytes: state.latest.bytes - base.bytes, stageMs };
}

function findBase(state: State, fromMs: number): Sums {
  const { history } = state;
  let index = history.length - 1;
  while (index > 0 && history[index]!.atMs > fromMs) index--;
  return history[index] ?? state.latest;
}

function describeProgress(state: State, nowMs: number): Progress {
  const { start, latest } = state;
  const window = measureWindow(state, rateWindowMs, nowMs);
  return {
    load: start.load,
    phase: state.phase,
    counts: state.counts,
    bytes: start.bytes + latest.bytes,
    totalBytes: start.totalBytes,
    elapsedMs: Math.max(latest.atMs, nowMs) - start.nowMs,
    rowsPerSecond: window.atMs > 0 ? (window.rows * 1_000) / window.atMs : 0,
    etaMs: estimateEta(state, nowMs),
    lanes: start.lanes,
    stageShare: shareStages(window.stageMs),
    queuedBytes: sumValues(state.queued.values()),
    embedding: state.embedding,
    rejectsByCause: sortCauses(state.causes.values()),
    indexed: state.indexed,
    ...(state.heldBy === undefined ? {} : { heldBy: state.heldBy }),
  };
}

function shareStages(stageMs: Readonly<Record<StageName, number>>): Record<StageName, number> {
  const total = sumValues(Object.values(stageMs));
  const share = emptyStages();
  if (total > 0) for (const stage of stageNames) share[stage] = stageMs[stage] / total;
  return share;
}

/** The time left of the phase, or undefined where nothing honest can be said. Never negative. */
function estimateEta(state: State, nowMs: number): number | undefined {
  if (state.phase === 'index') return estimateIndexEta(state, nowMs);
  const { start, latest } = state;
  if (state.phase !== 'load' || start.totalBytes === undefined) return undefined;
  const window = measureWindow(state, etaWindowMs, nowMs);
  if (window.atMs < minEtaBasisMs) return undefined;
  return extrapolate(start.totalBytes - start.bytes - latest.bytes, window.bytes, window.atMs);
}

function estimateIndexEta(state: State, nowMs: number): number | undefined {
  const spentMs = nowMs - state.phaseSinceMs;
  if (!state.indexed || spentMs < minEtaBasisMs) return undefined;
  return extrapolate(state.indexed.total - state.indexed.done, state.indexed.done, spentMs);
}

function extrapolate(left: number, done: number, doneInMs: number): number | undefined {
  if (left <= 0) return 0;
  const etaMs = (left * doneInMs) / done;
  return etaMs <= maxEtaMs ? etaMs : undefined;
}

function sumValues(values: Iterable<number>): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
}

function addCounts(a: Counts, b: Counts): Counts {
  return { read: a.read + b.read, written: a.written + b.written, skipped: a.skipped + b.skipped, rejected: a.rejected + b.rejected };
}

function addEmbedding(a: EmbeddingCounts | undefined, b: EmbeddingCounts): EmbeddingCounts {
  if (!a) return b;
  return { texts: a.texts + b.texts, distinct: a.distinct + b.distinct, cached: a.cached + b.cached, embedded: a.embedded + b.embedded };
}

function addCause(causes: Map<string, RejectCause>, cause: RejectCause): void {
  const key = JSON.stringify([cause.code, cause.column, cause.message]);
  const known = causes.get(key);
  if (known) causes.set(key, { ...known, count: known.count + cause.count });
  else if (causes.size < maxCauses || isCatchAll(cause)) causes.set(key, cause);
  else addCause(causes, { ...cause, column: undefined, message: catchAllMessage });
}

const catchAllMessage = 'other causes with this code';

function isCatchAll(cause: RejectCause): boolean {
  return cause.column === undefined && cause.message === catchAllMessage;
}

function sortCauses(causes: Iterable<RejectCause>): readonly RejectCause[] {
  return [...causes].sort((a, b) => b.count - a.count);
}

/** Groups refused rows by code, column and message, most frequent first; at most 64 causes, further ones by their code. */
export function groupRejects(rejects: readonly Pick<Reject, 'code' | 'column' | 'message'>[]): readonly RejectCause[] {
  const causes = new Map<string, RejectCause>();
  for (const { code, column, message } of rejects) addCause(causes, { class: rejectCodes[code], code, column, message, count: 1 });
  return sortCauses(causes.values());
}
