/** The SQLite driver: one file, one writer at a time. Puts the pieces of this folder behind the driver contract. */
import { SluiceError } from '../../errors.ts';
import type { Batch } from '../../rows/batch.ts';
import type { Scalar } from '../../rows/schema.ts';
import { selectShard } from '../../ledger/statements.ts';
import type {
  Capabilities,
  CommitOptions,
  CommitUnit,
  CompareRequest,
  Connection,
  ConnectOptions,
  Decision,
  DeleteOutcome,
  DeleteRequest,
  Driver,
  DropIndexRequest,
  FinishOptions,
  IndexRequest,
  IndexResult,
  Mark,
  Outcome,
  RejectKeeping,
  ResultRow,
  RowComparison,
  RunOptions,
  SampleRequest,
  SearchAnswer,
  SearchRequest,
  Statement,
  TableDescription,
  TablePlan,
  TableRequest,
  UnitOutcome,
  UnitRequest,
  VectorIndexState,
} from '../driver.ts';
import { commitBatch } from './commit.ts';
import { compareSqlite } from './compare.ts';
import { openSqlite, prepareOnce, transactSqlite, waitForLock, type SqliteFile } from './connect.ts';
import { finishLoad, prepareLoad, runStatements, setJournal } from './finish.ts';
import { countTable, digestTable, findMissing } from './keys.ts';
import { maxParameters, planSqliteTable, type SqliteSettings } from './plan.ts';
import { describeTable } from './schema.ts';
import { readyBatch, type ReadyBatch } from './waiting-table.ts';
import { closeUnitSession } from './unit-session.ts';
import { runSqliteUnit } from './unit.ts';
import { minIndexedFloats } from './vector-hnsw.ts';
import type { SeenWriter } from './seen.ts';
import { findDeclaredType, openWriter, toWritingPlan, type TableWriter } from './write.ts';

export const sqliteCapabilities: Capabilities = {
  name: 'sqlite',
  versionQuery: `SELECT 'SQLite ' || sqlite_version() AS version`,
  maxParameters,
  // SQLITE_MAX_SQL_LENGTH, as compiled in by default.
  maxStatementBytes: 1_000_000_000,
  supportsTransactions: true,
  supportsUpsert: true,
  supportsReplace: true,
  supportsDeferredIndexes: true,
  supportsSearch: true,
  supportsAtomic: true,
  supportsSync: true,
  // A column of doubles is what SQLite has for numbers with a fraction; decimals would be text.
  widensIntegersTo: 'real',
  writers: 1,
  /*
   * Larger transactions are no faster, and rows that outlive the young generation cost memory and time: 10⁷ CSV rows peaked at 330, 216 and 195 MB with
   * 73,000, 33,000 and 20,000 rows a batch.
   */
  batchBytes: 6 * 1024 * 1024,
  batchRows: 20_000,
  minIndexedFloats,
};

/** The statements and settings of the load that this connection commits for. */
interface Begun {
  readonly writer: TableWriter;
  readonly seen: SeenWriter | undefined;
  readonly keeping: RejectKeeping;
}

class SqliteConnection implements Connection {
  readonly capabilities: Capabilities = sqliteCapabilities;
  readonly #link: SqliteFile;
  readonly #options: ConnectOptions;
  #begun: Begun | undefined;
  #ready: ReadyBatch | undefined;

  constructor(link: SqliteFile, options: ConnectOptions) {
    this.#link = link;
    this.#options = options;
  }

  async describe(table: string): Promise<TableDescription | undefined> {
    return this.#read(() => describeTable(this.#link, table));
  }

  async planTable(request: TableRequest): Promise<TablePlan> {
    return this.#read(() => planSqliteTable(this.#link, request));
  }

  async query(statement: Statement): Promise<readonly ResultRow[]> {
    return this.#read(() =>
      prepareOnce(this.#link, statement.sql)
        .all(...statement.parameters)
        .map(narrowIntegers),
    );
  }

  async transact(statements: readonly Statement[], options: CommitOptions = {}): Promise<readonly number[]> {
    return transactSqlite(this.#link, () => runStatements(this.#link, statements), options.signal);
  }

  async prepare(load: string, plan: TablePlan, records: readonly Statement[]): Promise<void> {
    await prepareLoad(this.#link, { id: load, plan }, records);
  }

  async begin(load: string, plan: TablePlan, keeping: RejectKeeping): Promise<void> {
    await setJournal(this.#link, plan);
    const settings = plan.settings as SqliteSettings;
    const written = await this.#read(() => describeTable(this.#link, plan.writesTo));
    // Rows that wait are kept as they are; what matters is the table that they wait for.
    const description = settings.publish === 'move' ? await this.#read(() => describeTable(this.#link, plan.table)) : written;
    if (written === undefined || description === undefined) {
      throw new SluiceError('SLUICE_TABLE_UNKNOWN', `The table ${plan.writesTo} is gone from ${this.#link.file} since the load began.`, {
        hint: 'Load again with --again.',
      });
    }
    const isMirroring = plan.mode === 'sync' && !plan.isNew;
    this.#begun = {
      writer: openWriter(this.#link, toWritingPlan(plan), description),
      seen: isMirroring
        ? { link: this.#link, load, key: plan.key, declaredTypes: plan.key.map((name) => findDeclaredType(description, name)) }
        : undefined,
      keeping,
    };
  }

  ready(batch: Batch): void {
    this.#ready = this.#begun?.writer.settings.publish === 'move' ? readyBatch(batch) : undefined;
  }

  async commit(unit: CommitUnit, options: CommitOptions = {}): Promise<Outcome> {
    const begun = this.#begun;
    if (begun === undefined) throw new SluiceError('SLUICE_INTERNAL', 'commit was called on a connection before begin.');
    const ready = this.#ready;
    this.#ready = undefined;
    return commitBatch({ ...begun, ...unit, ready, signal: options.signal });
  }

  async settle(mark: Mark): Promise<'landed' | 'not_landed' | 'fenced'> {
    const rows = await this.query(selectShard(mark.load, mark.shard));
    const row = rows[0];
    if (row === undefined || Number(row['epoch']) !== mark.epoch) return 'fenced';
    // With the mark's epoch still in force the position is either the one before or the one after it; an empty last commit shows in the state alone.
    const isThere = Number(row['next_offset']) === mark.to.offset && Number(row['next_row']) === mark.to.row;
    return isThere && (!mark.isLast || row['state'] === 'done') ? 'landed' : 'not_landed';
  }

  async finish(load: string, plan: TablePlan, options: FinishOptions): Promise<readonly Decision[]> {
    this.#begun = undefined;
    return finishLoad(this.#link, { id: load, plan, options });
  }

  async compareRows(request: CompareRequest): Promise<RowComparison> {
    return this.#read(() => compareSqlite(this.#link, request));
  }

  async countRows(table: string): Promise<number> {
    return this.#read(() => countTable(this.#link, table));
  }

  async digestKeys(table: string, key: readonly string[]): Promise<{ readonly rows: number; readonly digest: string }> {
    return this.#read(() => digestTable(this.#link, table, key));
  }

  async missingKeys(table: string, key: readonly string[], keys: readonly (readonly Scalar[])[]): Promise<readonly number[]> {
    return this.#read(() => findMissing(this.#link, { table, key }, keys));
  }

  async buildIndex(request: IndexRequest): Promise<IndexResult> {
    const { buildVectorIndex } = await import('./vector-index.ts');
    return buildVectorIndex(this.#link.file, request);
  }

  async listIndexes(table: string): Promise<readonly VectorIndexState[]> {
    const { listVectorIndexes } = await import('./vector-state.ts');
    return this.#read(() => listVectorIndexes(this.#link.db, this.#link.file, table));
  }

  async dropIndex(request: DropIndexRequest): Promise<readonly string[]> {
    const { dropListedIndex } = await import('./vector-index.ts');
    return dropListedIndex(this.#link.file, request, await this.listIndexes(request.table));
  }

  async deleteRows(request: DeleteRequest): Promise<DeleteOutcome> {
    const { deleteRows } = await import('./delete.ts');
    return deleteRows(this.#link, request);
  }

  async measureTable(table: string): Promise<number | undefined> {
    const { measureTable } = await import('./table-size.ts');
    return this.#read(() => measureTable(this.#link.db, table));
  }

  async search(request: SearchRequest): Promise<SearchAnswer> {
    const { searchVectors } = await import('./search.ts');
    return this.#read(() => searchVectors(this.#link.db, this.#link.file, request));
  }

  async run(unit: UnitRequest, options: RunOptions = {}): Promise<UnitOutcome> {
    return runSqliteUnit(this.#link, unit, { ...options, signal: options.signal ?? this.#options.signal });
  }

  async sampleVectors(request: SampleRequest): Promise<readonly Float32Array[]> {
    const { sampleVectors } = await import('./vector-sample.ts');
    return this.#read(() => sampleVectors(this.#link.db, request));
  }

  async close(): Promise<void> {
    closeUnitSession(this.#link);
    if (this.#link.db.isOpen) this.#link.db.close();
  }

  /** Reads wait for locks too: with a rollback journal a commit of another connection keeps readers out for its moment. */
  async #read<Result>(work: () => Result): Promise<Result> {
    return waitForLock(this.#link.file, { lockTimeoutMs: this.#link.lockTimeoutMs, signal: this.#options.signal }, work);
  }
}

/** Integers that a double holds exactly come as numbers, others as bigint. */
function narrowIntegers(row: Record<string, unknown>): ResultRow {
  const narrowed: Record<string, string | number | bigint | Uint8Array | null> = {};
  for (const [name, value] of Object.entries(row)) {
    const isSmall = typeof value === 'bigint' && value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER;
    narrowed[name] = isSmall ? Number(value) : (value as string | number | bigint | Uint8Array | null);
  }
  return narrowed;
}

/** `sqlite:FILE` */
export const driver: Driver = {
  schemes: ['sqlite'],
  capabilities: sqliteCapabilities,
  connect: async (url: string, options: ConnectOptions = {}): Promise<Connection> =>
    new SqliteConnection(await openSqlite(url, options), options),
  openStrategies: async (request) => (await import('./strategies.ts')).openSqliteStrategies(request),
};
