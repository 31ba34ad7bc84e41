/** What a lane tells the thread that owns the load: plain data, small, one message a batch. */
import type { MessagePort } from 'node:worker_threads';
import { isSluiceError, SluiceError, type ErrorCode } from '../../errors.ts';
import type { Counts, EmbeddingCounts, RejectCause, StageName } from '../options.ts';
import type { LaneEvent } from './lane.ts';
import type { FlowShare } from './flow.ts';
import { groupRejects } from '../report/progress-meter.ts';
import type { SourceDescriptor } from '../../source/source.ts';
import type { Claim } from '../../target/driver.ts';
import type { RunPlan } from '../plan/run-plan.ts';
import type { ShardEnd } from '../shard/shard.ts';

/** A batch is in the target. `commitMs` is the time of its commit alone. */
export interface CommittedNews {
  readonly kind: 'committed';
  readonly counts: Counts;
  readonly bytes: number;
  readonly embedding: EmbeddingCounts;
  readonly causes: readonly RejectCause[];
  readonly stageMs: Readonly<Record<StageName, number>>;
  readonly commitMs: number;
  /** Bytes that the batch held in memory. */
  readonly batchBytes: number;
}

export type LaneNews = CommittedNews | { readonly kind: 'warning'; readonly message: string };

/** Gathers a lane's events until a batch is committed, then tells them as one piece of news. */
export function createNewsroom(tell: (news: LaneNews) => void): (event: LaneEvent) => void {
  let stageMs = emptyStages();
  let commitMs = 0;
  return (event) => {
    if (event.kind === 'stage') {
      stageMs[event.stage] += event.ms;
      if (event.stage === 'commit') commitMs = event.ms;
      return;
    }
    if (event.kind === 'link') {
      tell({
        kind: 'warning',
        message: `The link to the target broke (${event.landed === 'no' ? 'nothing was written' : 'asking the ledger what landed'}); trying again.`,
      });
      return;
    }
    if (event.kind === 'batch' && event.outcome.kind === 'fenced') return;
    const { mark } = event;
    const rejects =
      event.kind === 'batch' && event.outcome.kind === 'committed' ? event.outcome.rejects : event.kind === 'landed' ? event.rejects : [];
    const skipped = event.kind === 'batch' && event.outcome.kind === 'committed' ? event.outcome.skipped : 0;
    tell({
      kind: 'committed',
      counts: { read: mark.readCount, written: mark.readCount - skipped - rejects.length, skipped, rejected: rejects.length },
      bytes: mark.byteCount,
      embedding: mark.embedded,
      causes: groupRejects(rejects),
      stageMs,
      commitMs,
      batchBytes: event.kind === 'batch' ? event.batch.byteCount : 0,
    });
    stageMs = emptyStages();
  };
}

function emptyStages(): Record<StageName, number> {
  return { read: 0, check: 0, embed: 0, wait: 0, commit: 0 };
}

/** An error as it crosses threads. */
export interface SentError {
  readonly code: ErrorCode | undefined;
  readonly message: string;
  readonly hint: string | undefined;
  readonly problems: readonly string[];
  readonly stack: string | undefined;
}

export type LaneAnswer =
  | { readonly kind: 'news'; readonly news: LaneNews }
  | { readonly kind: 'ended'; readonly place: number; readonly end: ShardEnd }
  | { readonly kind: 'failed'; readonly place: number | undefined; readonly error: SentError };

/** What a lane in a thread is opened with. */
export interface LaneOpening {
  readonly load: string;
  readonly target: string;
  readonly plan: RunPlan;
  /** Of the session's own source: the plan's may be of an earlier session. */
  readonly source: SourceDescriptor | undefined;
  readonly lockTimeoutMs: number | undefined;
  readonly turnBuffer: SharedArrayBuffer;
  readonly flow: FlowShare;
  /** Leads to the thread that reads for this lane; undefined where it reads for itself. */
  readonly reader: MessagePort | undefined;
}

/** What a thread is opened with that reads for a lane. */
export interface ServeOpening {
  readonly plan: RunPlan;
  readonly source: SourceDescriptor | undefined;
  readonly port: MessagePort;
}

/** `open` comes first, and only once, or `serve` where the thread reads for the lane of another one; a thread that is never opened is closed all the same. */
export type LaneCommand =
  | { readonly kind: 'open'; readonly opening: LaneOpening }
  | { readonly kind: 'serve'; readonly serving: ServeOpening }
  | { readonly kind: 'run'; readonly claim: Claim; readonly place: number }
  | { readonly kind: 'stop'; readonly code: ErrorCode }
  | { readonly kind: 'abort' }
  | { readonly kind: 'close' };

export function packError(error: unknown): SentError {
  const isOurs = isSluiceError(error);
  return {
    code: isOurs ? error.code : undefined,
    message: error instanceof Error ? error.message : String(error),
    hint: isOurs ? error.hint : undefined,
    problems: isOurs ? error.problems : [],
    stack: error instanceof Error ? error.stack : undefined,
  };
}

export function unpackError(sent: SentError): SluiceError {
  const cause = new Error(sent.message);
  if (sent.stack !== undefined) cause.stack = sent.stack;
  return new SluiceError(sent.code ?? 'SLUICE_INTERNAL', sent.message, {
    cause,
    problems: sent.problems,
    ...(sent.hint === undefined ? {} : { hint: sent.hint }),
  });
}

/** A thread of the load that ended before it was told to. */
export function laneDied(message: string, cause?: Error): SluiceError {
  return new SluiceError('SLUICE_LANE_DIED', message, { cause, hint: 'Resume the load; what was committed stays.' });
}
