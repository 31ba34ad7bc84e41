/** Opens a session as psql would: host after host, with TLS as asked for, until one answers that is of the kind wanted. Every wait has a deadline. */
import { SluiceError } from '../../../errors.ts';
import type { ConnectOptions } from '../../driver.ts';
import { LinkLostError } from '../../link.ts';
import { readConnectionSettings, type ConnectionSettings, type SessionKind } from './settings.ts';
import { describeSocketError, isSocketError, toSluiceError } from '../errors.ts';
import { connectClient, findPassword, formatSettings, placeOf, unanswered, type Way } from './host-client.ts';
import type { Activity } from './exchange.ts';
import type { Host } from './host-list.ts';
import { PgError, type PgLink } from '../link.ts';
import { checkBackend, greetServer, isPoolerAddress, type Greeting } from './server-facts.ts';
import { Session } from './session.ts';
import { cancelStatement } from './side-connection.ts';
import { createSocketLink } from './socket-link.ts';
import { listTlsWays } from './tls.ts';
import type { WireClient } from './wire-client.ts';

/**
 * Opens a session on the first host that answers.
 * @throws SLUICE_USAGE, SLUICE_PACKAGE_MISSING, SLUICE_TARGET_UNREACHABLE, SLUICE_TARGET_DENIED, SLUICE_TARGET_MISSING, SLUICE_TARGET_BUSY, SLUICE_CANCELLED
 */
export async function openLink(url: string, options: ConnectOptions): Promise<PgLink> {
  const settings = readConnectionSettings(url);
  const reasons: string[] = [];
  const wanted: readonly SessionKind[] = settings.sessionKind === 'prefer-standby' ? ['standby', 'any'] : [settings.sessionKind];
  for (const kind of wanted) {
    for (const host of settings.hosts) {
      const answer = await tryHost(settings, { host, kind, signal: options.signal });
      if (typeof answer !== 'string') return answer;
      reasons.push(`${placeOf(host, settings)}: ${answer}`);
    }
  }
  throw new SluiceError('SLUICE_TARGET_UNREACHABLE', `No PostgreSQL server could be used (${[...new Set(reasons)].join('; ')}).`, {
    hint: 'Check host, port and sslmode, and that the server runs; psql with the same URL must get in.',
  });
}

interface HostRequest {
  readonly host: Host;
  readonly kind: SessionKind;
  readonly signal: AbortSignal | undefined;
}

/** A link, or why the next host is to be tried. What no other host would answer differently (login, database) is thrown. */
async function tryHost(settings: ConnectionSettings, { host, kind, signal }: HostRequest): Promise<PgLink | string> {
  const ways = listTlsWays(settings.tls, host);
  const startup = { user: settings.user, database: settings.database, ...settings.startup, ...formatSettings };
  let last: unknown;
  for (const tls of ways) {
    try {
      return await openOn({ settings, host, tls, startup, signal }, kind);
    } catch (error) {
      last = error;
      // As libpq: the next way only where this one may have been refused for its (lack of) encryption.
      const isAboutTls = error instanceof PgError ? error.sqlState.startsWith('28') : !isNoAnswer(error);
      if (error instanceof SluiceError || !isAboutTls) break;
    }
  }
  // The link broke while the server was asked who it is.
  if (last instanceof LinkLostError) return last.cause instanceof Error ? describeReason(last.cause) : last.message;
  if (last instanceof SluiceError) throw last;
  if (last instanceof PgError && !last.sqlState.startsWith('57P') && !last.sqlState.startsWith('08'))
    throw explainRefusal(last, settings, host);
  if (isCertificateError(last)) {
    throw new SluiceError('SLUICE_TARGET_DENIED', `The certificate of ${placeOf(host, settings)} is not to be trusted (${last.message}).`, {
      cause: last,
      hint: 'Name the certificate of its authority with sslrootcert=FILE; sslmode=require encrypts without checking who answers.',
    });
  }
  return last instanceof Error ? describeReason(last) : 'no answer';
}

const isNoAnswer = (error: unknown): boolean =>
  error instanceof Error &&
  (error === unanswered ||
    (isSocketError(error) && /^(?:ECONNREFUSED|ENOTFOUND|EAI_|EHOST|ENET|ENOENT|EACCES|ETIMEDOUT)/u.test(error.code)));

/** Codes of the TLS library and of Node for a certificate that was refused. */
function isCertificateError(error: unknown): error is Error {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return /^(?:CERT_|DEPTH_|SELF_SIGNED|UNABLE_TO|ERR_TLS_CERT|HOSTNAME_)/u.test(code);
}

function describeReason(error: Error): string {
  return error instanceof PgError ? error.message : describeSocketError(error);
}

function explainRefusal(error: PgError, settings: ConnectionSettings, host: Host): Error {
  const place = placeOf(host, settings);
  const { complaint } = findPassword(settings, host);
  const explained = toSluiceError(error, place);
  if (complaint === undefined || !(explained instanceof SluiceError) || explained.code !== 'SLUICE_TARGET_DENIED') return explained;
  return new SluiceError(explained.code, explained.message, { cause: error, hint: complaint });
}

/** A session on this host and in this way, or a reason (text) why it is of the wrong kind. */
async function openOn(way: Way, kind: SessionKind): Promise<PgLink | string> {
  const { client, isPooler } = await connectClient(way);
  const session = createSession(client, way);
  try {
    const greeting = await greetServer(session, way.settings.connectTimeoutMs);
    const mismatch = findMismatch(greeting, kind);
    if (mismatch !== undefined) {
      await session.close();
      return mismatch;
    }
    // Whoever answers with another process than the greeting's own stands between: a pooler, or a gateway that may be one.
    const isBetween = isPooler || greeting.processId !== client.processID || isPoolerAddress(way.host);
    session.isDirect = greeting.processId === client.processID && way.settings.isPooled !== true;
    return createSocketLink(session, { server: greeting.server, ownsSession: !(way.settings.isPooled ?? isBetween) });
  } catch (error) {
    await session.close();
    throw error;
  }
}

function findMismatch({ isStandby, isReadOnly }: Greeting, kind: SessionKind): string | undefined {
  if (kind === 'read-write' && (isReadOnly || isStandby)) return 'takes no writes';
  if (kind === 'read-only' && !isReadOnly && !isStandby) return 'takes writes';
  if (kind === 'primary' && isStandby) return 'is a standby';
  if (kind === 'standby' && !isStandby) return 'is no standby';
  return undefined;
}

function createSession(client: WireClient, way: Way): Session {
  const { host, tls, settings } = way;
  const { processID, secretKey } = client;
  const cancelTarget =
    processID === null || secretKey === null
      ? undefined
      : { host, tls, negotiation: settings.tls.negotiation, processId: processID, secretKey };
  const session: Session = new Session(client, {
    place: placeOf(host, settings),
    silenceMs: settings.silenceMs,
    cancel: async () => (cancelTarget === undefined ? undefined : cancelStatement(cancelTarget)),
    inquire: () =>
      session.isDirect && processID !== null ? inquire(session, { ...way, signal: undefined }, processID) : Promise.resolve('unknown'),
  });
  return session;
}

/** Over a connection of its own; whatever goes wrong means that nothing is known. */
async function inquire({ openedMs }: Session, way: Way, processId: number): Promise<Activity> {
  let asking: Session | undefined;
  try {
    const { client } = await connectClient(way);
    asking = createSession(client, way);
    return await checkBackend(asking, { processId, ageMs: performance.now() - openedMs }, way.settings.connectTimeoutMs);
  } catch (error) {
    if (error instanceof Error) return 'unknown';
    throw error;
  } finally {
    await asking?.close();
  }
}
