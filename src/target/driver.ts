/** The contract of a target: what a driver must do for a load to be planned, committed exactly once, searched and verified. */
import type { Batch } from '../rows/batch.ts';
import type { Column, ColumnType, Scalar } from '../rows/schema.ts';
import type { RunOptions, Statement, UnitOutcome, UnitRequest } from './batch-contract.ts';
import type {
  Mark,
  Outcome,
  RejectKeeping,
  CommitUnit,
  CommitOptions,
  FinishOptions,
  DuplicateRepair,
  CompareRequest,
  RowComparison,
} from './commit-contract.ts';
import type { Capabilities } from './capabilities.ts';
import type { DeleteOutcome, DeleteRequest } from './delete-contract.ts';
import type {
  Decision,
  DropIndexRequest,
  IndexRequest,
  IndexResult,
  Metric,
  SampleRequest,
  SearchAnswer,
  SearchRequest,
  VectorIndexState,
} from './search-contract.ts';
import type { StrategyRequest, StrategySet } from './strategy.ts';

export type {
  Claim,
  Mark,
  Outcome,
  Landed,
  RejectKeeping,
  CommitUnit,
  CommitOptions,
  FinishOptions,
  DuplicateRepair,
  CompareRequest,
  RowComparison,
} from './commit-contract.ts';
export type { Capabilities, RunOptions, Statement, UnitOutcome, UnitRequest };
export type { DeleteOutcome, DeleteRequest } from './delete-contract.ts';
export type {
  Decision,
  DropIndexRequest,
  IndexRequest,
  IndexResult,
  IndexSettings,
  Metric,
  SampleRequest,
  SearchAnswer,
  SearchHit,
  SearchRequest,
  VectorIndexState,
} from './search-contract.ts';

/**
 * How rows meet rows that are already there. insert: a row with a known key is refused · upsert: it replaces the columns loaded · skip: the old row stays ·
 * replace: the whole table is · sync: the table becomes the source's mirror: new rows in, changed ones updated, equal ones left alone, vanished ones deleted.
 */
export type LoadMode = 'insert' | 'upsert' | 'skip' | 'replace' | 'sync';

/** What a caller may ask of the way a target is written. A driver puts what it can't do into the plan's problems. All false or `auto` by default. */
export interface TargetOptions {
  /** The rows become visible all at once at the end; after a failure, or above the reject limit, not at all. Resumable all the same. */
  readonly isAtomic?: boolean | undefined;
  /** The table is made without a log: faster, and empty after a crash of the server. Only for tables that the load makes. */
  readonly isUnlogged?: boolean | undefined;
  /** `false`: rows are written by INSERT, where COPY is not allowed or not there. */
  readonly usesCopy?: boolean | undefined;
  /** `keep`: rows go through the indexes that are there · `rebuild`: dropped first, made again at the end · `auto`: whichever is estimated to be faster. */
  readonly indexes?: 'auto' | 'keep' | 'rebuild' | undefined;
  /** Session settings that trade safety for speed are allowed; they are reset afterwards. */
  readonly isFastSession?: boolean | undefined;
  /** How vectors are stored in a table that the load makes: 32-bit floats, or 16-bit ones at half the size. */
  readonly vectorType?: 'vector' | 'halfvec' | undefined;
  /** rqlite: an SQLite file is built here and takes the place of the node's whole database, which must be empty and the node alone. */
  readonly isBoot?: boolean | undefined;
}

export interface ColumnDescription {
  readonly name: string;
  /** As declared in the target. */
  readonly declaredType: string;
  readonly type: ColumnType;
  /** How fields of delimited text are read, where the target writes such values in another way than `type` has them (an array as `{1,2}`); else as `type`. */
  readonly textType?: ColumnType;
  readonly dimensions?: number;
  /** Of an integer column that holds fewer than 64. */
  readonly integerBits?: number;
  readonly isNullable: boolean;
  readonly hasDefault: boolean;
  /** Generated: the target computes it and refuses a value. */
  readonly isGenerated: boolean;
}

export interface IndexDescription {
  readonly name: string;
  readonly columns: readonly string[];
  readonly isUnique: boolean;
  /** The statement that makes it again; empty for one that belongs to a constraint. */
  readonly ddl: string;
}

export interface TableDescription {
  readonly name: string;
  readonly columns: readonly ColumnDescription[];
  /** Columns of the primary key, in order; empty without one. */
  readonly key: readonly string[];
  /** Column lists that are unique, the primary key's first. */
  readonly uniqueKeys: readonly (readonly string[])[];
  readonly indexes: readonly IndexDescription[];
  readonly triggers: readonly string[];
  readonly isEmpty: boolean;
}

/** What a load may do to the columns of a table that exists, before its first row. */
export type ColumnChange =
  | { readonly kind: 'add'; readonly column: Column }
  /** The column takes the type of `column`; `from` is what it is declared as. */
  | { readonly kind: 'widen'; readonly column: Column; readonly from: string };

/** What a load wants of a table; the driver answers with a {@link TablePlan}. */
export interface TableRequest {
  /** The load's id, for names that belong to it alone. */
  readonly load: string;
  readonly table: string;
  readonly columns: readonly Column[];
  readonly key: readonly string[];
  readonly mode: LoadMode;
  /** From the sample; undefined for a stream. */
  readonly expectedRows: number | undefined;
  readonly expectedBytes: number | undefined;
  readonly options?: TargetOptions | undefined;
  /** What the table is to become first: part of the plan's `ddl`, and of its `problems` where the target can't. */
  readonly changes?: readonly ColumnChange[] | undefined;
  /** Whether the input can be read a second time (files): only then can the key of a new table be put off, see {@link DuplicateKeysError}. */
  readonly isRereadable?: boolean | undefined;
  /** Vectors are made on the way: they are not in `expectedBytes`, and a second reading of the input would have to make them again. */
  readonly isEmbedded?: boolean | undefined;
  /** The vector index that the load will end with, for a forecast of its cost; undefined for none. */
  readonly index?: { readonly column: string; readonly metric: Metric } | undefined;
}

/** An index or constraint that is put off. */
export interface DeferredIndex {
  readonly name: string;
  /** The statement that makes it (again). */
  readonly ddl: string;
  /** The statement that drops it; undefined: the driver's own, or nothing to drop (the key of a table that is new). */
  readonly drop?: string;
}

/** What a driver will do to a table for a load. Plain data. */
export interface TablePlan {
  readonly table: string;
  /** Where rows are written: the table, or the one built beside it for mode replace. */
  readonly writesTo: string;
  readonly columns: readonly Column[];
  readonly key: readonly string[];
  readonly mode: LoadMode;
  readonly isNew: boolean;
  /** Statements run by `prepare`, in one transaction. */
  readonly ddl: readonly string[];
  /** Indexes and constraints to be dropped by `prepare` and made again by `finish`, in this order. */
  readonly deferredIndexes: readonly DeferredIndex[];
  readonly decisions: readonly Decision[];
  /** Reasons why the load can't be done as asked. Not empty: nothing may be written. */
  readonly problems: readonly string[];
  /** The driver's own settings (journal mode, page size …), opaque to the flow. */
  readonly settings: Readonly<Record<string, string | number | boolean>>;
}

export type ResultRow = Readonly<Record<string, string | number | bigint | boolean | Uint8Array | null>>;

/** How many lanes a target can take now, and why. */
export interface LaneAdvice {
  readonly lanes: number;
  readonly why: string;
}

/** An open link to a target. Not shared between threads; calls are made one after another. */
export interface Connection {
  readonly capabilities: Capabilities;
  describe(table: string): Promise<TableDescription | undefined>;
  planTable(request: TableRequest): Promise<TablePlan>;
  /** Reads; for the ledger and the read verbs. */
  query(statement: Statement): Promise<readonly ResultRow[]>;
  /** Runs all statements in one transaction and returns how many rows each changed. */
  transact(statements: readonly Statement[], options?: CommitOptions): Promise<readonly number[]>;
  /** In one transaction: makes the ledger's tables where they are missing, runs `records` (ledger rows of the load), makes the load's table, records and drops indexes. Repeatable. */
  prepare(load: string, plan: TablePlan, records: readonly Statement[]): Promise<void>;
  /** Readies this connection for commits of the load. */
  begin(load: string, plan: TablePlan, keeping: RejectKeeping): Promise<void>;
  /** What a commit of this batch can do before its turn comes: lays the rows out as they will be sent. Asks the target nothing, and what fails is for `commit` to tell. */
  ready?(batch: Batch): void;
  /** Rows, rejects and mark in one transaction. A row that the target refuses becomes a reject and its neighbours are written. */
  commit(unit: CommitUnit, options?: CommitOptions): Promise<Outcome>;
  /** After an unknown end, over a new connection: whether the marked commit is in the ledger. */
  settle(mark: Mark): Promise<'landed' | 'not_landed' | 'fenced'>;
  /**
   * Indexes back and, when every shard is done, the replaced table published. Repeatable; tells what it did.
   * @throws DuplicateKeysError when a key that was put off can't be made; `repairDuplicates` and another `finish` follow
   */
  finish(load: string, plan: TablePlan, options: FinishOptions): Promise<readonly Decision[]>;
  /** In one transaction: of rows with equal keys only the first stays, the others become rejects of their shards. For drivers that put keys off. */
  repairDuplicates?(load: string, plan: TablePlan, repair: DuplicateRepair): Promise<void>;
  /** How many lanes there is room for; by the cores of this machine where a driver doesn't say. */
  adviseLanes?(): Promise<LaneAdvice>;
  countRows(table: string): Promise<number>;
  /** Count and digest of the table's keys, by reading all of them. */
  digestKeys(table: string, key: readonly string[]): Promise<{ readonly rows: number; readonly digest: string }>;
  /** Which of the keys (each a list of values in the order of `key`) are not in the table, by index. */
  missingKeys(table: string, key: readonly string[], keys: readonly (readonly Scalar[])[]): Promise<readonly number[]>;
  /**
   * Compares rows with those that are stored, value by value as the target would store them (its types, its rounding, its own equality). Asks only, leaves nothing behind,
   * and may be called while other connections write. For mode sync and for `verify --deep`.
   */
  compareRows?(request: CompareRequest): Promise<RowComparison>;
  /** Builds, extends or leaves the side index of a vector column, off the caller's thread. */
  buildIndex(request: IndexRequest): Promise<IndexResult>;
  /** The vector indexes of a table, of all its vector columns; undefined where the driver has none. */
  listIndexes?(table: string): Promise<readonly VectorIndexState[]>;
  /** Drops vector indexes and answers with their names; the table's rows stay. */
  dropIndex?(request: DropIndexRequest): Promise<readonly string[]>;
  /** Deletes rows in one transaction, with the ledger's records of it; indexes stay right. */
  deleteRows?(request: DeleteRequest): Promise<DeleteOutcome>;
  /** Bytes on disk that a table takes, its indexes included; undefined where that can't be told cheaply. */
  measureTable?(table: string): Promise<number | undefined>;
  search(request: SearchRequest): Promise<SearchAnswer>;
  /**
   * Runs statements as one request, for targets that take SQL; n statements give n answers.
   * @throws LinkLostError when the link broke before anything was committed (`landed: no`), or under the commit (`unknown`); SLUICE_FENCED from `record`
   */
  run?(unit: UnitRequest, options?: RunOptions): Promise<UnitOutcome>;
  /** Some stored vectors, to measure recall with; undefined where the driver can't. */
  sampleVectors?(request: SampleRequest): Promise<readonly Float32Array[]>;
  close(): Promise<void>;
}

export interface ConnectOptions {
  readonly isReadOnly?: boolean;
  /** For a plan: a target that does not exist yet is taken as empty, and nothing is made. */
  readonly isPlanning?: boolean;
  /** How long a lock may be waited for; 30,000 by default. */
  readonly lockTimeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface Driver {
  readonly schemes: readonly string[];
  readonly capabilities: Capabilities;
  /** @throws SLUICE_TARGET_… when it can't be opened. */
  connect(url: string, options?: ConnectOptions): Promise<Connection>;
  /** Loads the code that a connection will need, where that takes time; called while there is something else to wait for. Never rejects. */
  warmUp?(): Promise<void>;
  /** The ways of writing rows that `sluice bench` sets side by side; undefined: nothing to compare. The caller closes them. @throws as `connect` does */
  openStrategies?(request: StrategyRequest): Promise<StrategySet>;
}
