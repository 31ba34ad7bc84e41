/** The rqlite driver: a cluster behind HTTP, one leader that writes. Puts the pieces of this folder behind the driver contract. */
import { SluiceError } from '../../errors.ts';
import type { Batch } from '../../rows/batch.ts';
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
  FinishOptions,
  IndexResult,
  Mark,
  Outcome,
  RejectKeeping,
  ResultRow,
  RowComparison,
  RunOptions,
  SearchAnswer,
  Statement,
  TableDescription,
  TablePlan,
  TableRequest,
  UnitOutcome,
  UnitRequest,
} from '../driver.ts';
import { readLanded } from '../link.ts';
import { maxParameters } from '../sqlite/plan.ts';
import { parseRqliteUrl } from './address.ts';
import { beginBootFile, bootFile, joinBootFile } from './boot.ts';
import { readRows, toResultRows, writeStatement } from './answer.ts';
import { commitBatch, openRun, settleMark } from './commit.ts';
import { compareRqlite } from './compare.ts';
import { openMirror, type Mirror } from './mirror.ts';
import { finishLoad, prepareLoad } from './finish.ts';
import { countTable, digestTable, findMissing } from './keys.ts';
import { closeLink, defaultLeaderTimeoutMs, openLink, type RqliteLink } from './link.ts';
import { planTable, type RqliteSettings } from './plan.ts';
import { describeRemoteTable } from './shadow.ts';
import { transact, writeBound } from './transaction.ts';
import { runRqliteUnit } from './unit.ts';
import { readyBatch } from './ready.ts';
import type { TableWriter } from './writer.ts';

export const rqliteCapabilities: Capabilities = {
  name: 'rqlite',
  versionQuery: `SELECT 'SQLite ' || sqlite_version() AS version`,
  maxParameters,
  // Far below SQLite's 10⁹: a request is held in memory several times over, by every node.
  maxStatementBytes: 16 * 1024 * 1024,
  supportsTransactions: true,
  supportsUpsert: true,
  supportsReplace: true,
  supportsDeferredIndexes: true,
  supportsSearch: false,
  supportsAtomic: false,
  widensIntegersTo: 'real',
  supportsSync: true,
  // One leader applies one request after the other; in turns the table is the one that a single lane would have made.
  writers: 1,
  plansInSession: true,
  batchBytes: 4 * 1024 * 1024,
  batchRows: 20_000,
  minIndexedFloats: undefined,
};

/** A load that this connection commits for. */
interface Begun {
  readonly writer: TableWriter;
  readonly mirror: Mirror | undefined;
  readonly keeping: RejectKeeping;
}

class RqliteConnection implements Connection {
  readonly capabilities: Capabilities = rqliteCapabilities;
  readonly #link: RqliteLink;
  readonly #options: ConnectOptions;
  #begun: Begun | undefined;
  /** The file that is built to be booted: until then the load and its ledger are there. */
  #local: Connection | undefined;

  constructor(link: RqliteLink, options: ConnectOptions) {
    this.#link = link;
    this.#options = options;
  }

  async describe(table: string): Promise<TableDescription | undefined> {
    if (this.#local !== undefined) return this.#local.describe(table);
    return describeRemoteTable(this.#link, table);
  }

  async planTable(request: TableRequest): Promise<TablePlan> {
    return planTable(this.#link, request);
  }

  async query(statement: Statement): Promise<readonly ResultRow[]> {
    if (this.#local !== undefined) return this.#local.query(statement);
    return toResultRows(await readRows(this.#link, writeBound(statement.sql, statement.parameters)));
  }

  async transact(statements: readonly Statement[], options: CommitOptions = {}): Promise<readonly number[]> {
    this.#refuseReadOnly();
    if (this.#local !== undefined) return this.#local.transact(statements, options);
    return transact(this.#link, statements, { signal: options.signal });
  }

  async prepare(load: string, plan: TablePlan, records: readonly Statement[]): Promise<void> {
    this.#refuseReadOnly();
    this.#local = await beginBootFile(this.#link, load, plan);
    if (this.#local !== undefined) return this.#local.prepare(load, plan, records);
    await prepareLoad(this.#link, { id: load, plan }, records);
  }

  async begin(load: string, plan: TablePlan, keeping: RejectKeeping): Promise<void> {
    this.#local ??= await joinBootFile(plan);
    if (this.#local !== undefined) return this.#local.begin(load, plan, keeping);
    const description = await this.describe(plan.writesTo);
    if (description === undefined) {
      throw new SluiceError(
        'SLUICE_TABLE_UNKNOWN',
        `The table ${plan.writesTo} is gone from ${this.#link.address.label} since the load began.`,
        {
          hint: 'Load again with --again.',
        },
      );
    }
    const declaredTypes = plan.columns.map((column) => description.columns.find((found) => found.name === column.name)?.declaredType ?? '');
    const isMirroring = plan.mode === 'sync' && !plan.isNew;
    this.#begun = {
      mirror: isMirroring ? await openMirror(this.#link, load, plan) : undefined,
      // Rows of a sync meet those of the table as an upsert's do; in a table that is new there are none.
      writer: {
        link: this.#link,
        plan: plan.mode === 'sync' ? { ...plan, mode: isMirroring ? 'upsert' : 'insert' } : plan,
        settings: plan.settings as RqliteSettings,
        declaredTypes,
        texts: new Map(),
      },
      keeping,
    };
  }

  ready(batch: Batch): void {
    if (this.#begun !== undefined) readyBatch(openRun(this.#begun.writer, batch));
  }

  async commit(unit: CommitUnit, options: CommitOptions = {}): Promise<Outcome> {
    if (this.#local !== undefined) return this.#local.commit(unit, options);
    if (this.#begun === undefined) throw new SluiceError('SLUICE_INTERNAL', 'commit was called on a connection before begin.');
    return commitBatch({ ...this.#begun, ...unit, signal: options.signal });
  }

  async settle(mark: Mark): Promise<'landed' | 'not_landed' | 'fenced'> {
    if (this.#local !== undefined) return this.#local.settle(mark);
    return settleMark(this.#link, mark);
  }

  async finish(load: string, plan: TablePlan, options: FinishOptions): Promise<readonly Decision[]> {
    this.#begun = undefined;
    if (this.#local === undefined) return finishLoad(this.#link, { id: load, plan, options });
    const decisions = await this.#local.finish(load, plan, options);
    await this.#local.close();
    this.#local = undefined;
    // The file's journal is nobody's business once it is sent.
    return [...decisions.filter(({ what }) => !what.startsWith('journal')), await bootFile(this.#link, load, plan)];
  }

  async compareRows(request: CompareRequest): Promise<RowComparison> {
    if (this.#local?.compareRows !== undefined) return this.#local.compareRows(request);
    return compareRqlite(this.#link, request);
  }

  async countRows(table: string): Promise<number> {
    if (this.#local !== undefined) return this.#local.countRows(table);
    return countTable(this.#link, table);
  }

  async digestKeys(table: string, key: readonly string[]): Promise<{ readonly rows: number; readonly digest: string }> {
    if (this.#local !== undefined) return this.#local.digestKeys(table, key);
    return digestTable(this.#link, { table, key });
  }

  async missingKeys(table: string, key: readonly string[], keys: readonly (readonly Scalar[])[]): Promise<readonly number[]> {
    if (this.#local !== undefined) return this.#local.missingKeys(table, key, keys);
    return findMissing(this.#link, { table, key }, keys);
  }

  async buildIndex(): Promise<IndexResult> {
    throw noVectors(this.#link);
  }

  async search(): Promise<SearchAnswer> {
    throw noVectors(this.#link);
  }

  async deleteRows(request: DeleteRequest): Promise<DeleteOutcome> {
    this.#refuseReadOnly();
    const { deleteRows } = await import('./delete.ts');
    return deleteRows(this, request);
  }

  async run(unit: UnitRequest, options: RunOptions = {}): Promise<UnitOutcome> {
    this.#refuseReadOnly();
    return runRqliteUnit(this.#link, unit, options);
  }

  async close(): Promise<void> {
    await this.#local?.close();
    closeLink(this.#link);
  }

  #refuseReadOnly(): void {
    if (this.#options.isReadOnly !== true) return;
    throw new SluiceError('SLUICE_TARGET_READ_ONLY', `This connection to ${this.#link.address.label} was opened for reading only.`);
  }
}

function noVectors({ address }: RqliteLink): SluiceError {
  return new SluiceError('SLUICE_USAGE', `rqlite has no vector search, so there is none in ${address.label}.`, {
    hint: 'Load the rows into sqlite: or postgres: to search them.',
  });
}

/** How long a new connection waits for a leader: an election takes a second or two, and the caller tries again. */
const electionMs = 5000;

/** @throws SLUICE_USAGE, SLUICE_TARGET_UNREACHABLE, SLUICE_TARGET_DENIED */
async function connectRqlite(url: string, options: ConnectOptions = {}): Promise<Connection> {
  const address = parseRqliteUrl(url);
  const link = openLink(address, options.lockTimeoutMs ?? defaultLeaderTimeoutMs);
  try {
    // Whether there is a leader, whether the user may ask it, and whether it is rqlite at all.
    await readRows(link, writeStatement('SELECT 1', []), {
      level: 'weak',
      signal: options.signal,
      leaderTimeoutMs: Math.min(electionMs, link.leaderTimeoutMs),
      failsFast: true,
    });
  } catch (error) {
    closeLink(link);
    if (readLanded(error) === undefined) throw error;
    throw new SluiceError('SLUICE_TARGET_UNREACHABLE', error instanceof Error ? error.message : String(error), {
      cause: error,
      hint: 'Check that rqlite runs at this address and has a leader (GET /readyz), then run the same command again.',
    });
  }
  return new RqliteConnection(link, options);
}

/** `rqlite://host:4001`, `rqlites://…` over TLS. */
export const driver: Driver = {
  schemes: ['rqlite', 'rqlites'],
  capabilities: rqliteCapabilities,
  connect: connectRqlite,
  openStrategies: async (request) => (await import('./strategies.ts')).openRqliteStrategies(request),
};
