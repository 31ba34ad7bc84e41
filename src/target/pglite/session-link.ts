/** A connection to PGlite in this process, behind the contract of PostgreSQL's driver: protocol messages for statements, its blob device for COPY. */
import { SluiceError } from '../../errors.ts';
import type { Landed, ResultRow } from '../driver.ts';
import { LinkLostError } from '../link.ts';
import { bindEncoded, bindValue, writeQuery, writeStatement } from '../postgres/connect/frames.ts';
import { createCollector } from '../postgres/connect/pipeline.ts';
import { writePipeline } from '../postgres/connect/pipeline-frames.ts';
import type {
  CopyPieces,
  EncodedParameter,
  PgLink,
  PgParameter,
  PgResult,
  PipelineOptions,
  PipelineResult,
  PipelineStep,
  ResultField,
  RunOptions,
  ServerFacts,
} from '../postgres/link.ts';
import { createRowReader } from '../postgres/connect/result-values.ts';
import { readServerError } from '../postgres/connect/wire-client.ts';
import { toBlobCopy } from './blob-copy.ts';
import { leaveDatabase, type SharedDatabase } from './database.ts';
import type { Place } from './place.ts';

/** What comes back from PGlite; of its messages these fields are read. */
interface Answer {
  readonly name: string;
  readonly fields?: readonly unknown[];
  readonly text?: string;
}

/** COPY's bytes are handed on in pieces of this size. */
const pieceBytes = 65_536;

/** The number at the end of a command tag: `INSERT 0 5`, `COPY 7`; 0 for those without one. */
function readCount(tag: string): number {
  return Number(/ (\d+)$/u.exec(tag)?.[1] ?? 0);
}

export interface SessionOptions {
  /** How long another connection's transaction is waited for. */
  readonly lockTimeoutMs: number;
  readonly server: ServerFacts;
}

export class SessionLink implements PgLink {
  readonly place: string;
  readonly server: ServerFacts;
  /** Other connections of this process come into the same session. */
  readonly ownsSession = false;
  readonly #place: Place;
  readonly #database: SharedDatabase;
  readonly #lockTimeoutMs: number;
  #isClosed = false;

  constructor(place: Place, database: SharedDatabase, { lockTimeoutMs, server }: SessionOptions) {
    this.place = place.name;
    this.server = server;
    this.#place = place;
    this.#database = database;
    this.#lockTimeoutMs = lockTimeoutMs;
  }

  get isBroken(): boolean {
    return this.#database.isDead;
  }

  async query(sql: string, parameters: readonly PgParameter[] = [], options: RunOptions = {}): Promise<PgResult> {
    return this.#run(sql, options, () => this.#exchange(Buffer.concat(writeStatement(sql, parameters.map(bindValue)))));
  }

  async queryEncoded(sql: string, parameters: readonly EncodedParameter[], options: RunOptions = {}): Promise<PgResult> {
    return this.#run(sql, options, () => this.#exchange(Buffer.concat(writeStatement(sql, parameters.map(bindEncoded)))));
  }

  async pipeline(steps: readonly PipelineStep[], options: PipelineOptions): Promise<PipelineResult> {
    return this.#run('', options, () => this.#exchangeSteps(steps));
  }

  async script(sql: string, options: RunOptions = {}): Promise<void> {
    await this.#run(sql, options, () => this.#exchange(writeQuery(sql)));
  }

  async copyIn(sql: string, pieces: CopyPieces, options: RunOptions = {}): Promise<number> {
    // A batch at most. The blob has its own copy of the pieces, which may be overwritten one by one.
    const parts: Uint8Array<ArrayBuffer>[] = [];
    for (const piece of pieces) parts.push(Uint8Array.from(piece));
    const blob = new Blob(parts);
    const { rowCount } = await this.#run(sql, options, () => this.#database.db.query(toBlobCopy(sql), [], { blob }));
    return rowCount ?? 0;
  }

  /** The whole answer is in memory before its first piece is handed out: PGlite has no other way. */
  async *copyOut(sql: string, options: RunOptions = {}): AsyncIterable<Uint8Array> {
    const { blob } = await this.#run(sql, options, () => this.#database.db.query(toBlobCopy(sql)));
    for (let at = 0; at < (blob?.size ?? 0); at += pieceBytes) {
      yield new Uint8Array((await blob?.slice(at, at + pieceBytes).arrayBuffer()) ?? new ArrayBuffer());
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    try {
      await this.#rollBack();
    } finally {
      this.#database.giveBack(this);
      await leaveDatabase(this.#place, this.#database);
    }
  }

  /** A transaction that its connection left open would be everybody's. */
  async #rollBack(): Promise<void> {
    if (this.isBroken || !this.#database.isBorrowedBy(this)) return;
    try {
      await this.#database.db.execProtocol(writeQuery('ROLLBACK'), { throwOnError: false });
    } catch {
      // The program inside crashed: with it went the transaction.
      this.#database.bury();
    }
  }

  /** Borrows the session for one call, and keeps it while a transaction is open. */
  async #run<Result>(sql: string, options: RunOptions & Partial<PipelineOptions>, work: () => Promise<Result>): Promise<Result> {
    this.#checkUsable(options);
    const database = this.#database;
    await database.borrow(this, { timeoutMs: this.#lockTimeoutMs, signal: options.signal });
    const wasOpen = this.isBroken || database.db.isInTransaction();
    try {
      this.#checkUsable(options);
      return await work();
    } catch (error) {
      throw this.#explain(error, options.landed ?? (wasOpen && !/^\s*COMMIT\b/iu.test(sql) ? 'no' : 'unknown'));
    } finally {
      if (this.isBroken || !database.db.isInTransaction()) database.giveBack(this);
    }
  }

  #checkUsable({ signal }: RunOptions): void {
    if (this.#isClosed) throw new LinkLostError('no', `The connection to ${this.place} is closed.`);
    if (this.isBroken) throw new LinkLostError('no', `The database ${this.place} crashed.`, { hint: 'Resume; it is opened anew.' });
    if (signal?.aborted === true)
      throw new SluiceError('SLUICE_CANCELLED', `A statement on ${this.place} was cancelled before it was sent.`);
  }

  /** An error that is not the server's, nor ours, is the program's inside: WebAssembly trapped, or ran out of memory. */
  #explain(error: unknown, landed: Landed): unknown {
    if (error instanceof SluiceError) return error;
    const known = error instanceof Error ? readServerError(error) : undefined;
    if (known !== undefined) return known;
    this.#database.bury();
    return new LinkLostError(landed, `The database ${this.place} crashed.`, { cause: error, hint: 'Resume; it is opened anew.' });
  }

  async #exchangeSteps(steps: readonly PipelineStep[]): Promise<PipelineResult> {
    const answer = await this.#database.db.execProtocol(writePipeline(steps), { throwOnError: false });
    const collector = createCollector(steps);
    for (const message of answer.messages as readonly (Answer | Error)[]) {
      if (message instanceof Error) {
        const error = readServerError(message);
        if (error === undefined) throw message;
        return { results: collector.results, error };
      }
      if (message.name === 'rowDescription') collector.addFields(message.fields as readonly ResultField[]);
      else if (message.name === 'dataRow') collector.addRow(message.fields as readonly (string | null)[]);
      else if (message.name === 'commandComplete') collector.end(message.text ?? '');
      else if (message.name === 'emptyQuery') collector.end('');
      else if (message.name === 'portalSuspended') collector.end(undefined);
    }
    return { results: collector.results, error: undefined };
  }

  /** Sends messages that end with Sync, or one Query, and reads what came back. */
  async #exchange(messages: Uint8Array): Promise<PgResult> {
    const answer = await this.#database.db.execProtocol(messages, { throwOnError: false });
    let read: ((values: readonly (string | null)[]) => ResultRow) | undefined;
    const rows: ResultRow[] = [];
    let rowCount = 0;
    for (const message of answer.messages as readonly (Answer | Error)[]) {
      if (message instanceof Error) throw message;
      if (message.name === 'rowDescription') {
        read = createRowReader(message.fields as Parameters<typeof createRowReader>[0], this.server.extensionTypes);
      } else if (message.name === 'dataRow' && read !== undefined) rows.push(read(message.fields as readonly (string | null)[]));
      else if (message.name === 'commandComplete') rowCount = readCount(message.text ?? '');
    }
    return { rows, rowCount };
  }
}
