/** The contract between the server's routes and its engine, which owns the database file: bytes of a request in, bytes of its answer out. Shapes without code. */

/** The three routes that run statements. */
export type DataRoute = 'execute' | 'query' | 'request';

/** The parameters of a data request, parsed; see facts of rqlite's API in docs/reference/rqlite-compatibility.md. */
export interface DataOptions {
  readonly isTransaction: boolean;
  readonly isPretty: boolean;
  readonly hasTimings: boolean;
  readonly isAssociative: boolean;
  readonly usesBlobArrays: boolean;
  readonly qualifiesColumns: boolean;
  readonly addsRaftIndex: boolean;
  /** `level=strong`, or a write: RANDOM() and the time are replaced by literals, and `raft_index` rises. */
  readonly isStrong: boolean;
  /** undefined: no limit. */
  readonly dbTimeoutMs: number | undefined;
  /** `noparse`: nothing is replaced. */
  readonly parses: boolean;
  readonly rewritesRandom: boolean;
  readonly rewritesTime: boolean;
  /** `strict`: undone statements say `rolled_back`, text that looks like a blob stays text. */
  readonly isStrict: boolean;
  /** The client keeps sluice's ledger itself, as the rqlite driver does: its statements may write to the ledger's tables where those are guarded. */
  readonly mayWriteLedger?: boolean | undefined;
}

/** A request for `/db/execute`, `/db/query` or `/db/request`. */
export interface DataRequest {
  readonly route: DataRoute;
  /** As it came. The engine may keep the memory. */
  readonly body: Uint8Array;
  /** `text/plain`, or `?q=`: the body is one SQL text. */
  readonly isPlainText: boolean;
  readonly options: DataOptions;
}

/** An answer as it goes over the wire: 200 with JSON, or an error with plain text that ends with a newline. */
export interface Reply {
  readonly status: number;
  readonly contentType: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Whole, or in pieces where it is large: whoever reads them slowly slows their making. Not reading on to the end ends it. */
  readonly body: Uint8Array | AsyncIterable<Uint8Array>;
}

/** One request of the queue, as it was made durable. */
export interface QueuedRequest {
  readonly sequence: bigint;
  /** A JSON body that `checkBody` has passed. */
  readonly body: Uint8Array;
  readonly isStrict: boolean;
}

/** What became of a queued request: of each statement whether it was applied. */
export interface QueuedOutcome {
  readonly sequence: bigint;
  readonly applied: number;
  /** By place of the statement in the request. */
  readonly errors: readonly { readonly index: number; readonly message: string }[];
  /** Errors beyond those that are kept. */
  readonly omittedErrors?: number | undefined;
}

/** What `/status` tells of the database. */
export interface EngineFacts {
  readonly sqliteVersion: string;
  readonly path: string;
  readonly sizeBytes: number;
  readonly walSizeBytes: number;
  readonly pragmas: { readonly ro: Readonly<Record<string, string>>; readonly rw: Readonly<Record<string, string>> };
  readonly compileOptions: readonly string[];
  /** Counts the writes since the start, as rqlite's Raft index does. */
  readonly appliedIndex: number;
  /** Since the start, for `/metrics`: statements that were run, and rows that were given back. */
  readonly statementCount?: number | undefined;
  readonly rowCount?: number | undefined;
}

export interface EngineOptions {
  /** Absolute path. */
  readonly file: string;
  readonly isReadOnly: boolean;
  readonly checksForeignKeys: boolean;
  /** Reader threads; 1 by default. */
  readonly readers?: number | undefined;
  /** Refuses statements that write to the tables of sluice's ledger, but for requests with `mayWriteLedger` and scripts; the queue's table is refused to all. Off by default. */
  readonly guardsLedger?: boolean | undefined;
  /** A transaction that a client has begun with BEGIN is rolled back when it is not ended after this; 60 s by default. */
  readonly transactionTimeoutMs?: number | undefined;
  /** How long `close` waits for statements that run; 30 s by default. */
  readonly closeTimeoutMs?: number | undefined;
  /** Hears what the person who runs the server has to know. */
  readonly onNotice?: ((message: string) => void) | undefined;
}

/** Owns the database: one writer thread, readers on others. Calls may be made at the same time; writes are run in the order of the calls. */
export interface Engine {
  /** Never rejects for what is wrong with the request: that is a reply. @throws SLUICE_TARGET_… when the engine itself is gone */
  handle(request: DataRequest): Promise<Reply>;
  /** `/db/sql`: each statement with what it would be rewritten to. */
  analyze(request: DataRequest): Promise<Reply>;
  /** Applies queued requests in order in one transaction with the queue's position; each alone in a savepoint. Those up to the position that is stored are passed over. */
  applyQueued(requests: readonly QueuedRequest[], isOneTransaction: boolean): Promise<readonly QueuedOutcome[]>;
  /** The sequence number up to which queued requests are in the database; 0n for none. */
  readQueuePosition(): Promise<bigint>;
  /** Runs an SQL dump (`/db/load`), as one write. */
  runScript(sql: Uint8Array, options: DataOptions): Promise<Reply>;
  /** Puts the SQLite file at `path` in the place of the database: checked first, then moved; the old one stays whole until the new one is in place. @throws SLUICE_TARGET_NOT_A_DATABASE */
  replaceFile(path: string): Promise<void>;
  /** A consistent copy at `path` while writes go on. `vacuum`: packed · `usesDeleteMode`: with a rollback journal instead of WAL. */
  copyTo(path: string, options: { readonly vacuum: boolean; readonly usesDeleteMode: boolean }): Promise<void>;
  readFacts(): Promise<EngineFacts>;
  /**
   * Waits for what is running, then closes the database.
   * @throws SLUICE_TARGET_TIMEOUT a statement did not end in time: nothing can end it but the end of the process, which then has to be forced
   */
  close(): Promise<void>;
}
