/** What one client may take of the server: sizes, deadlines, connections. Every wait of the server ends by one of these. */

export interface Limits {
  /** A larger body is answered with 413. */
  readonly maxBodyBytes: number;
  /** The same for what goes to the disk as it comes: database files and the rows of loads. */
  readonly maxUploadBytes: number;
  /** What large bodies may take together until they are answered; one beyond it is answered with 503. */
  readonly maxBodiesBytes: number;
  readonly maxHeaderBytes: number;
  /** From the first byte of a request to the end of its headers. */
  readonly headerTimeoutMs: number;
  /** A body may take this long, and one second more for each {@link bodyBytesPerSecond} that have come. */
  readonly bodyTimeoutMs: number;
  /** How long a connection may lie between two requests. */
  readonly idleTimeoutMs: number;
  /** How long a client may leave what it was sent unread. */
  readonly writeTimeoutMs: number;
  /** Further connections are closed at once. */
  readonly maxConnections: number;
  /** How long requests in flight may take once the server is told to stop. */
  readonly stopTimeoutMs: number;
  /** A transaction that a client has begun with BEGIN is rolled back after this: nothing queued is applied while it is open. */
  readonly transactionTimeoutMs: number;
}

/** A body slower than this over its whole length is given up: a modem of 1998 reached it, one byte a second does not. */
export const bodyBytesPerSecond = 4096;

/** Smaller bodies are not counted: of 4,096 connections they are 256 MiB at most. */
export const smallBodyBytes: number = 64 * 1024;

export const defaultLimits: Limits = {
  maxBodyBytes: 256 * 2 ** 20,
  maxUploadBytes: 2 ** 40,
  // Four of the largest; without it 500 connections could fill 125 GiB.
  maxBodiesBytes: 2 ** 30,
  // As Go's net/http: a `?q=` may be long.
  maxHeaderBytes: 2 ** 20,
  headerTimeoutMs: 10_000,
  bodyTimeoutMs: 30_000,
  // Above the minute that load balancers keep idle connections: whoever closes first must not be the server.
  idleTimeoutMs: 75_000,
  writeTimeoutMs: 60_000,
  maxConnections: 4096,
  stopTimeoutMs: 30_000,
  // A program sends its statements one behind the other; a person at a shell has a minute.
  transactionTimeoutMs: 60_000,
};
