/** The PostgreSQL driver: many sessions, COPY, one transaction a batch. Puts the pieces of this folder behind the driver contract. */
import { SluiceError } from '../../errors.ts';
import type { Scalar } from '../../rows/schema.ts';
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
  DuplicateRepair,
  FinishOptions,
  IndexRequest,
  IndexResult,
  LaneAdvice,
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
import { adviseLanes } from './plan/advice.ts';
import { commitBatch, openWriter, settleMark, type TableWriter } from './commit/commit.ts';
import { openLink } from './connect/connect.ts';
import { warmUpClient } from './connect/wire-client.ts';
import { repairDuplicates } from './commit/duplicates.ts';
import { toSluiceError } from './errors.ts';
import { finishLoad } from './finish/finish.ts';
import { countTable, digestTable, findMissing } from './catalog/keys.ts';
import { queryStatement, transact } from './ledger.ts';
import type { PgLink } from './link.ts';
import { planPostgresTable } from './plan/plan.ts';
import { prepareLoad } from './finish/prepare.ts';
import { describeTable } from './catalog/schema.ts';
import { compareRows, type Comparer } from './mirror/compare.ts';

export const postgresCapabilities: Capabilities = {
  name: 'postgres',
  versionQuery: 'SELECT version() AS version',
  dialect: 'postgres',
  // The protocol counts parameters in 16 bits.
  maxParameters: 65_535,
  // A message's length is a signed 32-bit number, and the server's memory for one is 1 GiB less a page.
  maxStatementBytes: 1_000_000_000,
  supportsTransactions: true,
  supportsUpsert: true,
  supportsReplace: true,
  supportsDeferredIndexes: true,
  supportsSearch: true,
  supportsAtomic: true,
  supportsSync: true,
  writers: 64,
  /*
   * COPY and ledger row in one transaction: batches of 0.6 MB cost 20 to 35 %, of 6 MB 10 %, of 31 MB 0 to 2 %. In memory a batch takes somewhat more than
   * on the wire.
   */
  batchBytes: 16 * 1024 * 1024,
  batchRows: 25_000,
  plansInSession: true,
  // An index over a large table takes minutes and the server's memory: it is built when it is asked for.
  minIndexedFloats: undefined,
};

class PostgresConnection implements Connection {
  readonly capabilities: Capabilities;
  readonly #link: PgLink;
  readonly #options: ConnectOptions;
  readonly #openSecond: (() => Promise<PgLink>) | undefined;
  #writer: TableWriter | undefined;
  #comparer: Comparer | undefined;

  constructor(link: PgLink, options: ConnectOptions, setting: PostgresSetting) {
    this.#link = link;
    this.#options = options;
    this.#openSecond = setting.openSecond;
    this.capabilities = setting.capabilities;
  }

  describe(table: string): Promise<TableDescription | undefined> {
    return this.#run(() => describeTable(this.#link, table, this.#options));
  }

  planTable(request: TableRequest): Promise<TablePlan> {
    return this.#run(() => planPostgresTable(this.#link, request, this.#options));
  }

  adviseLanes(): Promise<LaneAdvice> {
    return this.#run(() => adviseLanes(this.#link));
  }

  query(statement: Statement): Promise<readonly ResultRow[]> {
    return this.#run(() => queryStatement(this.#link, statement));
  }

  transact(statements: readonly Statement[], options: CommitOptions = {}): Promise<readonly number[]> {
    return this.#run(() => transact(this.#link, statements, { signal: options.signal, lockTimeoutMs: this.#options.lockTimeoutMs }));
  }

  prepare(load: string, plan: TablePlan, records: readonly Statement[]): Promise<void> {
    return this.#run(() => prepareLoad(this.#link, { id: load, plan, lockTimeoutMs: this.#options.lockTimeoutMs }, records));
  }

  async begin(_load: string, plan: TablePlan, keeping: RejectKeeping): Promise<void> {
    this.#writer = { ...(await this.#run(() => openWriter(this.#link, plan, keeping))), lockTimeoutMs: this.#options.lockTimeoutMs };
  }

  commit(unit: CommitUnit, options: CommitOptions = {}): Promise<Outcome> {
    const writer = this.#writer;
    if (writer === undefined) throw new SluiceError('SLUICE_INTERNAL', 'commit was called on a connection before begin.');
    return this.#run(() => commitBatch(writer, unit, options.signal));
  }

  settle(mark: Mark): Promise<'landed' | 'not_landed' | 'fenced'> {
    return this.#run(() => settleMark(this.#link, mark));
  }

  async finish(load: string, plan: TablePlan, options: FinishOptions): Promise<readonly Decision[]> {
    this.#writer = undefined;
    return this.#run(() =>
      finishLoad(this.#link, { id: load, plan, options, lockTimeoutMs: this.#options.lockTimeoutMs, openSecond: this.#openSecond }),
    );
  }

  repairDuplicates(load: string, plan: TablePlan, repair: DuplicateRepair): Promise<void> {
    return this.#run(() => repairDuplicates(this.#link, { id: load, plan }, repair));
  }

  countRows(table: string): Promise<number> {
    return this.#run(() => countTable(this.#link, table));
  }

  digestKeys(table: string, key: readonly string[]): Promise<{ readonly rows: number; readonly digest: string }> {
    return this.#run(() => digestTable(this.#link, table, key));
  }

  missingKeys(table: string, key: readonly string[], keys: readonly (readonly Scalar[])[]): Promise<readonly number[]> {
    return this.#run(() => findMissing(this.#link, { table, key }, keys));
  }

  compareRows(request: CompareRequest): Promise<RowComparison> {
    return this.#run(async () => {
      const options = { lockTimeoutMs: this.#options.lockTimeoutMs, known: this.#comparer };
      const { comparison, comparer } = await compareRows(this.#link, request, options);
      this.#comparer = comparer;
      return comparison;
    });
  }

  buildIndex(request: IndexRequest): Promise<IndexResult> {
    return this.#run(async () => {
      const { buildVectorIndex } = await import('./search/vector-index.ts');
      return buildVectorIndex(this.#link, request, { openSecond: this.#openSecond });
    });
  }

  listIndexes(table: string): Promise<readonly VectorIndexState[]> {
    return this.#run(async () => (await import('./search/index-state.ts')).listIndexes(this.#link, table));
  }

  dropIndex(request: DropIndexRequest): Promise<readonly string[]> {
    return this.#run(async () => (await import('./search/index-state.ts')).dropIndexes(this.#link, request));
  }

  deleteRows(request: DeleteRequest): Promise<DeleteOutcome> {
    return this.#run(async () => (await import('./delete.ts')).deleteRows(this.#link, request));
  }

  measureTable(table: string): Promise<number | undefined> {
    return this.#run(async () => (await import('./search/index-state.ts')).measureTable(this.#link, table));
  }

  search(request: SearchRequest): Promise<SearchAnswer> {
    return this.#run(async () => {
      const { searchVectors } = await import('./search/search.ts');
      return searchVectors(this.#link, request);
    });
  }

  run(unit: UnitRequest, options: RunOptions = {}): Promise<UnitOutcome> {
    return this.#run(async () => {
      const { runPostgresUnit } = await import('./unit/unit.ts');
      return runPostgresUnit(this.#link, unit, { ...options, lockTimeoutMs: this.#options.lockTimeoutMs });
    });
  }

  sampleVectors(request: SampleRequest): Promise<readonly Float32Array[]> {
    return this.#run(async () => {
      const { sampleVectors } = await import('./search/vector-sample.ts');
      return sampleVectors(this.#link, request);
    });
  }

  close(): Promise<void> {
    return this.#link.close();
  }

  /** Errors of the server leave this folder as errors of sluice. */
  async #run<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      throw toSluiceError(error, this.#link.place);
    }
  }
}

/** What a link of one kind brings. */
export interface PostgresSetting {
  readonly capabilities: Capabilities;
  /** Opens another session, to watch over what this one is doing; where that is not possible nothing is watched. */
  readonly openSecond?: (() => Promise<PgLink>) | undefined;
}

/** A connection over any link that speaks PostgreSQL; closing it closes the link. */
export function createPostgresConnection(link: PgLink, options: ConnectOptions, setting: PostgresSetting): Connection {
  return new PostgresConnection(link, options, setting);
}

/** `postgres://user@host/database`, as psql takes it. */
export const driver: Driver = {
  schemes: ['postgres', 'postgresql'],
  capabilities: postgresCapabilities,
  connect: async (url: string, options: ConnectOptions = {}): Promise<Connection> =>
    createPostgresConnection(await openLink(url, options), options, {
      capabilities: postgresCapabilities,
      openSecond: () => openLink(url, options),
    }),
  warmUp: warmUpClient,
  openStrategies: async (request) => (await import('./strategies/strategies.ts')).openPostgresStrategies(request),
};
