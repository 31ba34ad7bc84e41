/** What a caller may ask of a bench, and what it answers. Plain data but for the signal and the callback. */
import type { NamesOf } from '../option-names.ts';
import type { StrategyTimes } from '../target/strategy.ts';

export interface BenchOptions {
  /** Target URL; what the bench makes there is named `sluice_bench_…` and dropped again. */
  readonly to: string;
  /** 100,000 by default; slow ways take a sample of them. */
  readonly rows?: number | undefined;
  /** Numbers in a vector, 0 for rows without one; 384 by default. `rows × dims` is at most 10⁸. */
  readonly dims?: number | undefined;
  /** Only ways whose group or name contains one of these texts. */
  readonly only?: readonly string[] | undefined;
  readonly onProgress?: ((progress: BenchProgress) => void) | undefined;
  /** Aborting ends the way at hand and drops what was made; ends with SLUICE_CANCELLED. */
  readonly signal?: AbortSignal | undefined;
}

export const benchNames: NamesOf<BenchOptions> = { to: true, rows: true, dims: true, only: true, onProgress: true, signal: true };

/** A way begins, or has ended with its result. */
export interface BenchProgress {
  readonly index: number;
  readonly total: number;
  readonly name: string;
  readonly rows: number;
  readonly result: BenchResult | undefined;
}

export interface BenchResult extends StrategyTimes {
  readonly name: string;
  readonly group: string;
  readonly what: string;
  /** Rows counted in the table afterwards. */
  readonly rows: number;
  /** Fewer rows than asked for were written; the rate is that of the sample, and `fullMs` scaled by it. */
  readonly isSample: boolean;
  readonly fullMs: number;
  readonly rowsPerSecond: number;
  readonly bytesPerSecond: number;
  /** Bytes of the write-ahead log per row; undefined where there is none. */
  readonly logBytesPerRow: number | undefined;
  /** Rate over that of the first way. */
  readonly ratio: number;
  /** Processor time of this process over the elapsed time: above 1 with several threads. The rest is the server's and the wire's. */
  readonly clientShare: number;
}

export interface BenchReport {
  readonly schema: 1;
  /** Password taken out. */
  readonly target: string;
  readonly rows: number;
  readonly dims: number;
  readonly facts: Readonly<Record<string, string>>;
  readonly results: readonly BenchResult[];
  /** Ways that could not be run here, and why. */
  readonly skipped: readonly { readonly name: string; readonly group: string; readonly why: string }[];
  readonly notes: readonly string[];
}
