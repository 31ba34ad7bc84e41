/** What the thread of a batch and its process tell each other. Plain data, copied from thread to thread. */
import type { BatchFailure, BatchFileOptions, BatchProgress, BatchReport } from '../batch/options.ts';
import type { ErrorCode } from '../errors.ts';

/** How often the thread says that it is not held by a statement: between the statements of a unit it is let go every 25 ms. */
export const beatMs = 100;

/** What the thread is started with. */
export interface BatchStart {
  readonly options: BatchFileOptions & { readonly from: string };
  readonly isJson: boolean;
  /** Failed statements that are told of one by one. */
  readonly maxShown: number;
}

/** From the thread. */
export type BatchNews =
  | { readonly kind: 'beat' }
  | { readonly kind: 'progress'; readonly progress: BatchProgress }
  | {
      readonly kind: 'answers';
      /** The first ones of the batch. */
      readonly failures: readonly BatchFailure[];
      /** Of this unit. */
      readonly failed: number;
      readonly givesRows: boolean;
      /** Answers as JSON, where they are wanted so. */
      readonly lines: readonly string[];
    }
  | { readonly kind: 'report'; readonly report: BatchReport }
  | {
      readonly kind: 'failure';
      readonly code: ErrorCode;
      readonly message: string;
      readonly hint: string | undefined;
      readonly problems: readonly string[];
      readonly trace: string;
    };

/** To the thread: the unit in flight is the last one · the lines were handed on · stdin can't be read. */
export type BatchCommand =
  { readonly kind: 'stop' } | { readonly kind: 'taken' } | { readonly kind: 'unreadable'; readonly message: string };
