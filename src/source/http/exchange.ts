/** One GET with its redirects: the head of the answer, and the body as it comes. Credentials never leave the origin that they are for, and no redirect leads from https to http. */
import { Agent, request as requestHttp, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { Agent as SecureAgent, request as requestHttps } from 'node:https';
import { SluiceError } from '../../errors.ts';
import type { HttpAddress } from './address.ts';

/** A server that has not begun to answer by then is asked again. */
const answerTimeoutMs = 30_000;
/** The usual bound of clients is 5 (HTTP/1.0) to 20 (browsers); a file store needs one or two. */
const maxRedirects = 5;
/** Connections to one host: a few lanes with a read ahead each. */
const maxSockets = 32;

/** Connections are kept for the next range; they keep no process alive. */
const agents = {
  plain: new Agent({ keepAlive: true, maxSockets }),
  secure: new SecureAgent({ keepAlive: true, maxSockets }),
};

export interface GetRequest {
  readonly headers: Readonly<Record<string, string>>;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Not begun to be read; whoever asked reads it to its end or destroys it. */
  readonly body: IncomingMessage;
}

/** A request that got no answer: the link is down, slow, or was cut. Asking again is safe. */
export class BrokenLinkError extends Error {
  override readonly name = 'BrokenLinkError';
  /** Of the system, such as ECONNRESET. */
  readonly code: string;
  /** How long the server asks to be left alone. */
  readonly waitMs: number | undefined;

  constructor(code: string, cause?: unknown, waitMs?: number) {
    super(code, { cause });
    this.code = code;
    this.waitMs = waitMs;
  }
}

/** Sends a GET, and again where redirects lead. @throws BrokenLinkError, SLUICE_SOURCE_DENIED, SLUICE_SOURCE_READ */
export async function getHttp(address: HttpAddress, request: GetRequest): Promise<HttpAnswer> {
  let url = address.url;
  for (let redirects = 0; redirects <= maxRedirects; redirects++) {
    const isOwnOrigin = url.origin === address.url.origin;
    const authorization = isOwnOrigin && address.authorization !== undefined ? { authorization: address.authorization } : {};
    const answer = await sendGet(url, { ...request.headers, ...authorization }, address.signal);
    if (![301, 302, 303, 307, 308].includes(answer.status)) return answer;
    answer.body.destroy();
    url = readLocation(address, url, answer.headers.location);
  }
  throw new SluiceError('SLUICE_SOURCE_READ', `${address.name} redirects more than ${String(maxRedirects)} times`, {
    hint: 'Name the URL that it leads to.',
  });
}

function readLocation(address: HttpAddress, from: URL, location: string | undefined): URL {
  const to = location === undefined ? null : URL.parse(location, from);
  if (to === null || !/^https?:$/u.test(to.protocol)) {
    throw new SluiceError('SLUICE_SOURCE_READ', `${address.name} redirects to something that is no http URL`, {
      hint: 'Open it in a browser, and name the URL that it leads to.',
    });
  }
  if (from.protocol === 'https:' && to.protocol === 'http:') {
    throw new SluiceError('SLUICE_SOURCE_DENIED', `${address.name} redirects from https to http (${to.host}), which is not followed`, {
      hint: 'If you trust that link, name the http URL itself.',
    });
  }
  to.username = '';
  to.password = '';
  return to;
}

function sendGet(url: URL, headers: Readonly<Record<string, string>>, signal: AbortSignal | undefined): Promise<HttpAnswer> {
  const isSecure = url.protocol === 'https:';
  return new Promise((resolve, reject) => {
    const request = (isSecure ? requestHttps : requestHttp)(url, {
      method: 'GET',
      ...(signal === undefined ? {} : { signal }),
      agent: isSecure ? agents.secure : agents.plain,
      // The bytes as they are stored: ranges of a body that is compressed on the way would mean something else.
      headers: { 'accept-encoding': 'identity', accept: '*/*', 'user-agent': 'sluice', ...headers },
    });
    const timer = setTimeout(() => request.destroy(new BrokenLinkError('no answer in time')), answerTimeoutMs);
    request.on('response', (body) => {
      clearTimeout(timer);
      // Errors of the body are for its reader; without one, a destroyed body's error is nobody's.
      body.on('error', () => undefined);
      resolve({ status: body.statusCode ?? 0, headers: body.headers, body });
    });
    request.on('error', (error: Error & { readonly code?: string }) => {
      clearTimeout(timer);
      reject(error instanceof BrokenLinkError ? error : new BrokenLinkError(error.code ?? error.message, error));
    });
    request.end();
  });
}
