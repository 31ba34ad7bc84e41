/** Limits and abilities of a driver as data; the flow asks these and never a driver's name. */
export interface Capabilities {
  readonly name: string;
  /** How statements are cut and read where the target takes them; `sqlite` by default. */
  readonly dialect?: 'sqlite' | 'postgres';
  /** Asks for the version of the target: one row with one text `version`; undefined where there is nothing to ask. For reports. */
  readonly versionQuery?: string;
  readonly maxParameters: number;
  readonly maxStatementBytes: number;
  readonly supportsTransactions: boolean;
  readonly supportsUpsert: boolean;
  readonly supportsReplace: boolean;
  readonly supportsDeferredIndexes: boolean;
  readonly supportsSearch: boolean;
  /** Whether a load can be made visible all at once, or not at all, in every mode ({@link TargetOptions.isAtomic}). */
  readonly supportsAtomic: boolean;
  /** Whether rows can be compared and a table mirrored: `compareRows`, mode sync; `false` by default. */
  readonly supportsSync?: boolean;
  /** What an integer column turns into for numbers with a fraction, where it may be widened; `decimal`, which holds all of both, by default. */
  readonly widensIntegersTo?: 'real' | 'decimal';
  /** How many connections can commit at the same moment; 1: lanes take turns, in the order of the input. */
  readonly writers: number;
  /** `false`: the database lives in the caller's thread, and one lane runs there; `true` by default. */
  readonly usesThreads?: boolean;
  /** The connection that a load was planned over ({@link ConnectOptions.isPlanning}) can load as well; `false` by default. */
  readonly plansInSession?: boolean;
  /** The size of a batch, in memory, where the caller names none: bytes and rows. */
  readonly batchBytes: number;
  readonly batchRows: number;
  /** When a vector index is made unasked: from this many floats (rows × dimensions) on; undefined: only when asked for. */
  readonly minIndexedFloats: number | undefined;
}
