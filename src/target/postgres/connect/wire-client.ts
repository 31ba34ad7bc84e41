/** The part of the `pg` package that is used: one client on one socket, loaded on use. What arrives on the wire can end the link, never the process. */
import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { SluiceError } from '../../../errors.ts';
import { PgError } from '../link.ts';

/** An ErrorResponse as `pg` hands it over. */
interface ServerMessage extends Error {
  readonly code: string;
  readonly severity: string;
  readonly detail?: string;
  readonly hint?: string;
  readonly where?: string;
  readonly schema?: string;
  readonly table?: string;
  readonly column?: string;
  readonly dataType?: string;
  readonly constraint?: string;
}

export interface FieldDescription {
  readonly name: string;
  readonly dataTypeID: number;
}

/** What a client calls on the query that is under way; `pg` publishes this for cursors and streams. */
export interface Submittable {
  submit(connection: WireConnection): Error | null;
  handleRowDescription(message: { readonly fields: readonly FieldDescription[] }): void;
  handleDataRow(message: { readonly fields: readonly (string | null)[] }): void;
  handleCommandComplete(message: { readonly text: string }): void;
  handleEmptyQuery(): void;
  handlePortalSuspended(): void;
  handleReadyForQuery(): void;
  handleCopyInResponse(): void;
  handleCopyData(message: { readonly chunk: Uint8Array }): void;
  handleError(error: Error): void;
}

export interface WireConnection extends EventEmitter {
  /** After the TLS handshake the encrypted one. */
  stream: Socket;
  attachListeners(stream: Socket): void;
}

export interface WireClient extends EventEmitter {
  readonly connection: WireConnection;
  readonly processID: number | null;
  readonly secretKey: number | null;
  connect(): Promise<unknown>;
  query(query: Submittable): unknown;
  end(): Promise<void>;
  getStartupConf(): Readonly<Record<string, string>>;
}

export interface WireClientConfig {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly password: () => Promise<string>;
  readonly ssl: ConnectionOptions | false;
  readonly sslnegotiation: 'postgres' | 'direct';
  readonly enableChannelBinding: boolean;
  readonly keepAlive: true;
  readonly keepAliveInitialDelayMillis: number;
}

/** A client that is not connected yet and sends these parameters in its startup packet. @throws SLUICE_PACKAGE_MISSING */
export async function createWireClient(config: WireClientConfig, startup: Readonly<Record<string, string>>): Promise<WireClient> {
  const { Client } = await loadPackage();
  const client = new Client(config);
  client.getStartupConf = () => startup;
  guardListeners(client.connection);
  return client;
}

/** Loads the package ahead; whether it is there, a connection tells. */
export async function warmUpClient(): Promise<void> {
  await loadPackage().catch(() => undefined);
}

async function loadPackage(): Promise<{ readonly Client: new (config: WireClientConfig) => WireClient }> {
  try {
    const { default: pg } = await import('pg');
    // The types of the package leave the connection below a client out.
    return pg as unknown as { readonly Client: new (config: WireClientConfig) => WireClient };
  } catch (error) {
    throw new SluiceError('SLUICE_PACKAGE_MISSING', 'PostgreSQL needs the package pg, which is not installed.', {
      cause: error,
      hint: 'npm install pg',
    });
  }
}

/** The parser of `pg` throws into the socket's event for messages that it does not know, which would end the process; here it ends the socket. */
function guardListeners(connection: WireConnection): void {
  const attach = connection.attachListeners.bind(connection);
  connection.attachListeners = (stream) => {
    const before = new Set(stream.listeners('data'));
    attach(stream);
    for (const listener of stream.listeners('data')) {
      if (before.has(listener)) continue;
      stream.off('data', listener as () => void);
      stream.on('data', (chunk) => {
        try {
          listener.call(stream, chunk);
        } catch (error) {
          stream.destroy(error instanceof Error ? error : new Error('The answer could not be read.', { cause: error }));
        }
      });
    }
  };
}

function isServerMessage(error: Error): error is ServerMessage {
  return error.name === 'error' && 'code' in error && typeof error.code === 'string' && 'severity' in error;
}

/** The server's error, whole; undefined when the error is one of the socket or of `pg` itself. */
export function readServerError(error: Error): PgError | undefined {
  if (!isServerMessage(error)) return undefined;
  const { severity, detail, hint, where, schema, table, column, dataType, constraint } = error;
  return new PgError(error.message, { sqlState: error.code, severity, detail, hint, where, schema, table, column, dataType, constraint });
}
