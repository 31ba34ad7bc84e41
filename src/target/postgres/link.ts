/** The contract between PostgreSQL's driver and what carries it: a connection over a socket, or a database in process. Both fail with {@link PgError} or LinkLostError. */
import type { Landed, ResultRow } from '../driver.ts';

/** A value bound to `$n`. Integers go as bigint, texts as text, bytes as bytea, null without a type. */
export type PgParameter = string | number | bigint | boolean | Uint8Array | null;

/** A value in PostgreSQL's binary form, with the type that it is sent as. */
export interface EncodedParameter {
  readonly typeOid: number;
  readonly bytes: Uint8Array | null;
}

export interface PgResult {
  /**
   * Integers as number, beyond 53 bits as bigint · numeric, date, uuid, json, enums, arrays and the like as PostgreSQL writes them · timestamps as sluice does
   * (`2026-11-21T10:00:00.5Z`; without the `Z` for `timestamp`) · bytea as bytes · vector and halfvec as the bytes of little-endian float32.
   */
  readonly rows: readonly ResultRow[];
  /** Rows changed or returned, as the command tag says. */
  readonly rowCount: number;
}

/** What a server said of itself when the connection was opened. */
export interface ServerFacts {
  /** `server_version_num`, such as 180004. */
  readonly version: number;
  /** `version()` in full: it names Yugabyte, Citus, Redshift … */
  readonly versionText: string;
  /** Version of pgvector; undefined where the extension is not installed in this database. */
  readonly vectorVersion: string | undefined;
  /** Types of extensions that need a form of their own, by oid: vector, halfvec, sparsevec. */
  readonly extensionTypes: ReadonlyMap<number, string>;
}

/** A value of a {@link PipelineStep}: text whose type the server infers unless one is named, or the bytes of a bytea. */
export type StepValue = string | Uint8Array | null;

/** One statement among others that are sent together. */
export interface PipelineStep {
  readonly sql: string;
  readonly values: readonly StepValue[];
  /** Types of the values by oid, 0 where the server is to infer it; undefined: all are inferred, bytes are bytea. */
  readonly types?: readonly number[] | undefined;
  /** The portal is suspended behind so many rows; 0: all rows. */
  readonly maxRows: number;
}

export interface ResultField {
  readonly name: string;
  /** Oid of its type. */
  readonly dataTypeID: number;
}

/** What a step came to; values as the server writes them. */
export interface StepResult {
  /** The command tag, such as `INSERT 0 1`; empty for a text without a statement and for one that was suspended. */
  readonly tag: string;
  /** undefined: it gives no rows. */
  readonly fields: readonly ResultField[] | undefined;
  readonly rows: readonly (readonly (string | null)[])[];
  /** There are `maxRows` rows, and there may be more. */
  readonly isSuspended: boolean;
}

/** The results of the steps up to the first that failed, and its error: the steps behind it were not run. */
export interface PipelineResult {
  readonly results: readonly StepResult[];
  readonly error: PgError | undefined;
}

export interface PipelineOptions extends RunOptions {
  /** What a link that breaks meanwhile has landed: `unknown` for steps outside a transaction and for those that end one. */
  readonly landed: Landed;
}

export interface RunOptions {
  readonly signal?: AbortSignal | undefined;
  /** Without an answer for this long the link counts as lost, 0 for no limit; undefined: as soon as the server, asked after a silence, is not at work for it. */
  readonly timeoutMs?: number | undefined;
}

/** Bytes of COPY data, in pieces of whole rows. Pulled only as fast as the server takes them. A piece may be overwritten once the next one is asked for. */
export type CopyPieces = Iterable<Uint8Array>;

/** One session. Calls are made one after another; each settles exactly once, whatever happens on the wire. */
export interface PgLink {
  /** For messages: `host:port/database`, or the folder; no secrets. */
  readonly place: string;
  readonly server: ServerFacts;
  /** The link is gone: every further call fails with LinkLostError (landed: no). */
  readonly isBroken: boolean;
  /** `false`: nothing may be left in the session (a pooler hands it to others): SET LOCAL only, no session's temporary tables. */
  readonly ownsSession: boolean;
  /**
   * Runs one statement with bound values (`$1` …).
   * @throws PgError when the server refuses it; LinkLostError (landed: unknown, for COMMIT and for a statement outside a transaction that may have run; else no)
   */
  query(sql: string, parameters?: readonly PgParameter[], options?: RunOptions): Promise<PgResult>;
  /** Runs one statement with values in binary form. */
  queryEncoded(sql: string, parameters: readonly EncodedParameter[], options?: RunOptions): Promise<PgResult>;
  /**
   * Runs the steps in this order in one round trip; the server passes over those behind the first that fails. Each sees what those before it did.
   * @throws LinkLostError, SLUICE_CANCELLED
   */
  pipeline(steps: readonly PipelineStep[], options: PipelineOptions): Promise<PipelineResult>;
  /** Runs statements without values in one round trip. */
  script(sql: string, options?: RunOptions): Promise<void>;
  /** `COPY … FROM STDIN`: sends the pieces and answers how many rows the server took. When `pieces` throws, the COPY is failed on the server and the error thrown on. */
  copyIn(sql: string, pieces: CopyPieces, options?: RunOptions): Promise<number>;
  /** `COPY … TO STDOUT`: pieces of at most about 64 KiB; ending the iteration early cancels the statement. */
  copyOut(sql: string, options?: RunOptions): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

/** What an error of the server carries. */
export interface PgErrorFields {
  readonly sqlState: string;
  readonly severity: string;
  readonly detail?: string | undefined;
  readonly hint?: string | undefined;
  /** CONTEXT: of a COPY it holds «COPY t, line N». */
  readonly where?: string | undefined;
  readonly schema?: string | undefined;
  readonly table?: string | undefined;
  readonly column?: string | undefined;
  readonly dataType?: string | undefined;
  readonly constraint?: string | undefined;
}

/** An error as the server sent it, whole. `detail` and `where` may hold values of rows: never shown. */
export class PgError extends Error {
  readonly fields: PgErrorFields;

  constructor(message: string, fields: PgErrorFields) {
    super(message);
    this.name = 'PgError';
    this.fields = fields;
  }

  get sqlState(): string {
    return this.fields.sqlState;
  }
}
