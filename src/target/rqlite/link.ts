/** A link to a cluster: finds a host that answers, follows redirects to the leader, waits for one to be elected. A write whose end nobody knows is never sent again from here. */
import { setTimeout as sleep } from 'node:timers/promises';
import { SluiceError } from '../../errors.ts';
import { LinkLostError } from '../link.ts';
import { formatHost, type Host, type RqliteAddress } from './address.ts';
import { ExchangeError, exchangeHttp, openAgent, type Agent, type HttpAnswer } from './exchange.ts';

/** How long a leader is waited for unless the caller says otherwise: an election takes a second or two. */
export const defaultLeaderTimeoutMs = 30_000;

const firstWaitMs = 50;
const longestWaitMs = 1000;

/** A redirect names the leader, and a leader redirects nobody: more than a few in a row go round in a circle. */
const maxRedirects = 5;

/** An open link. `current` moves to the leader when a host names it. */
export interface RqliteLink {
  readonly address: RqliteAddress;
  readonly agent: Agent;
  readonly leaderTimeoutMs: number;
  current: Host;
  /** `false`: the leader's own address can't be reached from here, so followers are asked to pass requests on. */
  followsRedirects: boolean;
}

/** A request to whichever host leads. */
export interface LinkRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** Query parameters, without the question mark. */
  readonly parameters?: readonly string[] | undefined;
  readonly contentType?: string | undefined;
  readonly body?: Uint8Array | (() => AsyncIterable<Uint8Array>) | undefined;
  /** Sent again after a broken connection; anything else is sent once. */
  readonly isRead: boolean;
  readonly timeoutMs?: number | undefined;
  /** How long a leader may be waited for. */
  readonly leaderTimeoutMs?: number | undefined;
  /** Where no host takes a connection at all, nothing is waited for: the caller is only about to begin. */
  readonly failsFast?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export function openLink(address: RqliteAddress, leaderTimeoutMs: number): RqliteLink {
  const [current] = address.hosts;
  if (current === undefined) throw new SluiceError('SLUICE_USAGE', `The target ${address.label} names no host.`);
  return { address, agent: openAgent(address), leaderTimeoutMs, current, followsRedirects: true };
}

export function closeLink(link: RqliteLink): void {
  link.agent.destroy();
}

/** A try at one host: its answer, or why the next host, or the same one later, is to be tried. */
type Try = { readonly answer: HttpAnswer } | { readonly again: string; readonly isMoved?: boolean; readonly isUnreachable?: boolean };

interface Attempt {
  readonly deadline: number;
  redirects: number;
  waitMs: number;
  /** Hosts that did not help since the last pause, and those of them that took no connection. */
  failures: number;
  unreachable: number;
}

/**
 * Sends a request and returns the answer with its status, whatever that is.
 * @throws LinkLostError `no` when the server certainly did nothing, `unknown` when nobody can tell; SLUICE_CANCELLED
 */
export async function sendRequest(link: RqliteLink, request: LinkRequest): Promise<HttpAnswer> {
  const attempt: Attempt = {
    deadline: performance.now() + (request.leaderTimeoutMs ?? link.leaderTimeoutMs),
    redirects: 0,
    waitMs: firstWaitMs,
    failures: 0,
    unreachable: 0,
  };
  for (;;) {
    if (request.signal?.aborted === true) throw new SluiceError('SLUICE_CANCELLED', `Stopped before a request to ${link.address.label}.`);
    const outcome = await tryHost(link, request, attempt);
    if ('answer' in outcome) return outcome.answer;
    if (outcome.isMoved === true) continue;
    attempt.failures += 1;
    if (outcome.isUnreachable === true) attempt.unreachable += 1;
    moveOn(link);
    // Every host is tried at once; only when none of them helped is there something to wait for.
    if (attempt.failures < link.address.hosts.length) continue;
    if (request.failsFast === true && attempt.unreachable === attempt.failures) throw leaderless(link, outcome.again);
    await pause(link, attempt, { why: outcome.again, signal: request.signal });
  }
}

async function pause(link: RqliteLink, attempt: Attempt, { why, signal }: { why: string; signal: AbortSignal | undefined }): Promise<void> {
  if (performance.now() + attempt.waitMs >= attempt.deadline) throw leaderless(link, why);
  try {
    await sleep(attempt.waitMs, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    throw new SluiceError('SLUICE_CANCELLED', `Stopped while waiting for a leader of ${link.address.label}.`, { cause: error });
  }
  attempt.waitMs = Math.min(attempt.waitMs * 2, longestWaitMs);
  attempt.failures = 0;
  attempt.unreachable = 0;
}

function leaderless(link: RqliteLink, why: string): LinkLostError {
  return new LinkLostError('no', `No leader of ${link.address.label} could be reached: ${why}.`, {
    hint: 'Check that rqlite runs at this address and has a leader (GET /readyz), then run the same command again.',
  });
}

/** The next host of the list; the first after a leader that the list does not name. */
function moveOn(link: RqliteLink): void {
  const { hosts } = link.address;
  const index = hosts.findIndex((host) => isSameHost(host, link.current));
  link.current = hosts[(index + 1) % hosts.length] ?? link.current;
}

function isSameHost(left: Host, right: Host): boolean {
  return left.name === right.name && left.port === right.port;
}

function writePath(link: RqliteLink, { path, parameters = [] }: LinkRequest): string {
  const all = link.followsRedirects && path.startsWith('/db/') ? [...parameters, 'redirect'] : parameters;
  return all.length === 0 ? path : `${path}?${all.join('&')}`;
}

async function tryHost(link: RqliteLink, request: LinkRequest, attempt: Attempt): Promise<Try> {
  const host = link.current;
  const { body } = request;
  try {
    const answer = await exchangeHttp(link.address, link.agent, {
      host,
      request: {
        method: request.method,
        path: writePath(link, request),
        contentType: request.contentType,
        body: typeof body === 'function' ? body() : body,
        timeoutMs: request.timeoutMs ?? link.address.answerTimeoutMs,
        signal: request.signal,
      },
    });
    return readStatus(link, request, { answer, attempt });
  } catch (error) {
    if (!(error instanceof ExchangeError)) throw error;
    return readFailure(link, request, { error, host });
  }
}

function readFailure(link: RqliteLink, request: LinkRequest, broken: { readonly error: ExchangeError; readonly host: Host }): Try {
  const { error, host } = broken;
  if (request.signal?.aborted === true && (request.isRead || !error.isSent))
    throw new SluiceError('SLUICE_CANCELLED', `Stopped during a request to ${link.address.label}.`, { cause: error });
  const why = `${formatHost(host)}: ${error.message}`;
  if (error.isSent && !request.isRead) throw lostAnswer(link, why, error);
  if (isCertificateError(error)) throw distrust(link, host, error);
  if (!link.address.hosts.some((known) => isSameHost(known, host))) {
    // The leader was named by an address of its own network: from now on followers are asked to pass requests on, and no longer redirect.
    link.followsRedirects = false;
    moveOn(link);
    return { again: why, isMoved: true };
  }
  return { again: why, isUnreachable: !error.isSent };
}

function lostAnswer(link: RqliteLink, why: string, cause: unknown): LinkLostError {
  return new LinkLostError('unknown', `The link to ${link.address.label} broke before the answer came (${why}).`, {
    cause,
    hint: 'Run the same command again: the ledger tells what has landed.',
  });
}

/** No host of the list will do better, nor the same one later. */
function isCertificateError({ cause }: ExchangeError): boolean {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  return /CERT|SSL|TLS|SELF_SIGNED|ISSUER|EPROTO/u.test(code);
}

function distrust(link: RqliteLink, host: Host, cause: ExchangeError): SluiceError {
  return new SluiceError(
    'SLUICE_TARGET_DENIED',
    `There is no trusted TLS connection to ${formatHost(host)} of ${link.address.label}: ${cause.message}.`,
    {
      cause,
      hint: 'Name the certificate of your authority with ?sslrootcert=FILE, or use rqlite:// where the server speaks plain HTTP.',
    },
  );
}

/** Answers that mean that nothing was done, and that another host or a later moment may do better. Others of 5xx may come from something between. */
const isLeaderless = /^(?:leader address: )?(?:leader not found|not leader|no leader|store not (?:ready|open)|not ready)/iu;

function readStatus(link: RqliteLink, request: LinkRequest, got: { readonly answer: HttpAnswer; readonly attempt: Attempt }): Try {
  const { answer, attempt } = got;
  const { status, location, text } = answer;
  if ([301, 302, 307, 308].includes(status) && location !== undefined) return follow(link, location, attempt);
  if (status === 401 || status === 403) throw deny(link, request, status);
  if (status < 500) return { answer };
  const what = `${formatHost(link.current)} answered ${String(status)} ${text.trim().slice(0, 200)}`;
  if (isLeaderless.test(text.trim()) || request.isRead) return { again: what };
  return { answer };
}

function deny(link: RqliteLink, { path }: LinkRequest, status: number): SluiceError {
  return new SluiceError(
    'SLUICE_TARGET_DENIED',
    `${link.address.label} refused ${path} (${String(status)}): user, password or permission are wrong.`,
    {
      hint: 'Give the user in the URL, rqlite://user:password@host – the user needs the permissions execute, query and, for --boot, load and status.',
    },
  );
}

/** The leader, as a follower names it. Credentials go on only by the same protocol. */
function follow(link: RqliteLink, location: string, attempt: Attempt): Try {
  attempt.redirects += 1;
  const url = URL.canParse(location) ? new URL(location) : undefined;
  const expected = link.address.isSecure ? 'https:' : 'http:';
  if (url === undefined || url.protocol !== expected) {
    throw new SluiceError(
      'SLUICE_TARGET_FAILED',
      `${formatHost(link.current)} redirects to an address that is not ${expected}//host:port.`,
      {
        hint: 'Look at the -http-adv-addr of the nodes and at what stands between.',
      },
    );
  }
  if (attempt.redirects > maxRedirects) {
    // Two nodes that each take the other for the leader: an election is under way, or the addresses are wrong.
    attempt.redirects = 0;
    return { again: 'the hosts redirect in a circle' };
  }
  const port = url.port === '' ? (link.address.isSecure ? 443 : 80) : Number(url.port);
  link.current = { name: url.hostname.replace(/^\[|\]$/gu, ''), port };
  return { again: 'redirected', isMoved: true };
}
