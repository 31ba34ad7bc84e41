/** What the server and the thread of a load tell each other. Plain data that crosses threads. */
import type { SentError } from '../../load/lane/news.ts';
import type { LoadOptions, LoadReport, Progress } from '../../load/options.ts';

/** What a thread is started with; the rows follow as pieces. */
export type LoadOrder = Omit<LoadOptions, 'from' | 'onProgress' | 'signal' | 'embed' | 'cache'>;

export type LoadCommand =
  | { readonly kind: 'piece'; readonly bytes: Uint8Array<ArrayBuffer> }
  /** All rows have come. */
  | { readonly kind: 'end' }
  /** They have not: the load stops with what it has committed, and can be resumed. */
  | { readonly kind: 'stop' };

export type LoadNews =
  /** So many bytes have been taken up; as many may follow. */
  | { readonly kind: 'taken'; readonly bytes: number }
  | { readonly kind: 'progress'; readonly progress: Progress }
  | { readonly kind: 'done'; readonly report: LoadReport }
  | { readonly kind: 'failed'; readonly error: SentError };
