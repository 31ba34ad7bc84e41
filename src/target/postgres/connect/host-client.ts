/** A client connected to one host in one way: startup settings, password, deadline; a pooler's dislike of settings is met with fewer of them. */
import type { ConnectionOptions } from 'node:tls';
import { SluiceError } from '../../../errors.ts';
import type { ConnectionSettings } from './settings.ts';
import { socketFolders, type Host } from './host-list.ts';
import { PgError } from '../link.ts';
import { readPassword, type PasswordFinding } from './password-file.ts';
import { createWireClient, readServerError, type WireClient } from './wire-client.ts';

/** Idle before the system asks whether the other side is still there; a dead host is then noticed about ten seconds later. */
const keepAliveDelayMs = 15_000;

/**
 * Settings that would change how values are written; results are read the same with PostgreSQL's own defaults, so a pooler that does not know one may leave it out.
 * Shortest exact floats · ISO dates · intervals in words · bytea in hex.
 */
export const formatSettings: Readonly<Record<string, string>> = {
  DateStyle: 'ISO',
  IntervalStyle: 'postgres',
  extra_float_digits: '1',
  bytea_output: 'hex',
};

/** How a session was reached; enough to reach the server once more for the same session. */
export interface Way {
  readonly settings: ConnectionSettings;
  readonly host: Host;
  readonly tls: ConnectionOptions | false;
  readonly startup: Readonly<Record<string, string>>;
  readonly signal: AbortSignal | undefined;
}

/** The other side took longer than `connect_timeout`. */
export const unanswered: Error = new Error('no answer in time');

/** The host as messages name it. */
export function placeOf(host: Host, settings: ConnectionSettings): string {
  return `${host.name.includes(':') ? `[${host.name}]` : host.name}:${host.port}/${settings.database}`;
}

export function findPassword(settings: ConnectionSettings, host: Host): PasswordFinding {
  if (settings.password !== undefined) return { password: settings.password, complaint: undefined };
  const name = socketFolders.includes(host.name) ? 'localhost' : host.name;
  return readPassword(settings.passwordFile, { host: name, port: host.port, database: settings.database, user: settings.user });
}

export interface ConnectedClient {
  readonly client: WireClient;
  /** Parameters of the startup were refused that no server refuses. */
  readonly isPooler: boolean;
}

/** @throws PgError, SluiceError, {@link unanswered}, or the socket's own error */
export async function connectClient(way: Way): Promise<ConnectedClient> {
  try {
    return { client: await startClient(way), isPooler: false };
  } catch (error) {
    if (!isStrangeParameter(error)) throw error;
    // It knows DateStyle, and the other formats are the server's defaults unless somebody changed them.
    const startup = Object.fromEntries(
      Object.entries(way.startup).filter(([name]) => !Object.hasOwn(formatSettings, name) || name === 'DateStyle'),
    );
    return { client: await startPooled({ ...way, startup }), isPooler: true };
  }
}

async function startPooled(way: Way): Promise<WireClient> {
  try {
    return await startClient(way);
  } catch (error) {
    if (!isStrangeParameter(error)) throw error;
    throw new SluiceError('SLUICE_USAGE', `${placeOf(way.host, way.settings)} is a pooler that takes no such setting (${error.message}).`, {
      cause: error,
      hint: 'Leave it out (in place of ?schema= write --table schema.table), or connect to the server itself.',
    });
  }
}

/** PgBouncer: «unsupported startup parameter: extra_float_digits». */
function isStrangeParameter(error: unknown): error is PgError {
  return error instanceof PgError && error.message.includes('unsupported startup parameter');
}

async function startClient(way: Way): Promise<WireClient> {
  const { settings, host, tls, signal } = way;
  const place = placeOf(host, settings);
  const client = await createWireClient(
    {
      host: host.address,
      port: host.port,
      user: settings.user,
      database: settings.database,
      password: async () => requirePassword(settings, host),
      ssl: tls,
      sslnegotiation: tls === false ? 'postgres' : settings.tls.negotiation,
      enableChannelBinding: settings.tls.channelBinding !== 'disable' && tls !== false,
      keepAlive: true,
      keepAliveInitialDelayMillis: keepAliveDelayMs,
    },
    way.startup,
  );
  // Errors after the first have nobody to tell; without a listener they would end the process.
  client.on('error', ignoreLater);
  const watched = watchBinding(client, { isRequired: settings.tls.channelBinding === 'require', place });
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(unanswered), settings.connectTimeoutMs);
  const abort = (): void => reject(new SluiceError('SLUICE_CANCELLED', `Stopped while connecting to ${place}.`));
  if (signal?.aborted === true) abort();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    await Promise.race([client.connect(), stopped]);
    watched.check();
    return client;
  } catch (error) {
    client.connection.stream.destroy();
    throw error instanceof Error ? (readServerError(error) ?? error) : error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}

function ignoreLater(): void {
  // The session has a listener of its own for what follows.
}

function requirePassword(settings: ConnectionSettings, host: Host): string {
  const { password, complaint } = findPassword(settings, host);
  if (password !== undefined && password !== '') return password;
  throw new SluiceError(
    'SLUICE_TARGET_DENIED',
    `${placeOf(host, settings)} asks user ${settings.user} for a password, and there is none.`,
    {
      hint: complaint ?? 'Set PGPASSWORD, or put it into ~/.pgpass (chmod 600).',
    },
  );
}

/** `channel_binding=require`: the login must have been bound to the certificate, else whoever is between could take part. */
function watchBinding(
  client: WireClient,
  { isRequired, place }: { readonly isRequired: boolean; readonly place: string },
): { check(): void } {
  let isBound = false;
  client.connection.on('authenticationSASL', (message: { readonly mechanisms: readonly string[] }) => {
    isBound = message.mechanisms.includes('SCRAM-SHA-256-PLUS') && 'getPeerCertificate' in client.connection.stream;
  });
  return {
    check: () => {
      if (!isRequired || isBound) return;
      throw new SluiceError(
        'SLUICE_TARGET_DENIED',
        `${place} did not bind the login to its certificate, and channel_binding=require asks for it.`,
        {
          hint: 'Use TLS and a SCRAM password, or leave channel_binding out.',
        },
      );
    },
  };
}
