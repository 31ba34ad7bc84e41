/** One request and its answer over HTTP. Every wait has a deadline, and a failure says whether the server may have seen the request. */
import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import type { Host, RqliteAddress } from './address.ts';

/** What is sent to one host. */
export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  /** With the query string. */
  readonly path: string;
  readonly contentType?: string | undefined;
  readonly body?: Uint8Array | AsyncIterable<Uint8Array> | undefined;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  readonly location: string | undefined;
  readonly text: string;
}

/** The exchange broke. `isSent`: the server may have got the request, and may act on it. */
export class ExchangeError extends Error {
  readonly isSent: boolean;
  readonly isTimeout: boolean;

  constructor(message: string, detail: { readonly isSent: boolean; readonly isTimeout?: boolean; readonly cause?: unknown }) {
    super(message, { cause: detail.cause });
    this.isSent = detail.isSent;
    this.isTimeout = detail.isTimeout ?? false;
  }
}

/** Keeps connections open between requests. */
export type Agent = http.Agent;

/** Idle connections are given up before a server does (Node's after 5 s), else a request may meet one that is being closed. */
const idleMs = 4000;

/** An answer beyond this is not read on: whoever reads a table asks for it in pages. */
const maxAnswerBytes = 256 * 1024 * 1024;

export function openAgent(address: RqliteAddress): Agent {
  const options = { keepAlive: true, maxSockets: 16, timeout: idleMs };
  return address.isSecure
    ? new https.Agent({ ...options, ...(address.certificates === undefined ? {} : { ca: address.certificates }) })
    : new http.Agent(options);
}

interface Exchange {
  isConnected: boolean;
  isOver: boolean;
  readonly request: http.ClientRequest;
  readonly fail: (error: ExchangeError) => void;
}

/** From the first byte that could be sent on, nobody can tell what the server saw. */
function watchConnection(exchange: Exchange, socket: Socket, address: RqliteAddress): void {
  if (!socket.connecting) {
    exchange.isConnected = true;
    return;
  }
  const timer = setTimeout(() => {
    exchange.fail(new ExchangeError(`no connection within ${String(address.connectTimeoutMs)} ms`, { isSent: false, isTimeout: true }));
  }, address.connectTimeoutMs);
  socket.once(address.isSecure ? 'secureConnect' : 'connect', () => {
    exchange.isConnected = true;
    clearTimeout(timer);
  });
  socket.once('close', () => {
    clearTimeout(timer);
  });
}

async function readBody(response: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    const bytes = chunk as Buffer;
    size += bytes.length;
    if (size > maxAnswerBytes) throw new Error(`the answer is larger than ${String(maxAnswerBytes)} bytes`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function writeBody(request: http.ClientRequest, body: HttpRequest['body']): Promise<void> {
  if (body === undefined || body instanceof Uint8Array) {
    request.end(body);
    return;
  }
  for await (const bytes of body) {
    if (request.destroyed) return;
    if (!request.write(bytes)) await new Promise((resolve) => request.once('drain', resolve).once('close', resolve));
  }
  request.end();
}

function describeHeaders(address: RqliteAddress, { body, contentType }: HttpRequest): Record<string, string> {
  return {
    // `sluice serve` keeps the ledger's tables from everybody who does not say that he keeps the ledger; rqlite does not look at it.
    'X-Sluice-Ledger': 'yes',
    ...(contentType === undefined ? {} : { 'Content-Type': contentType }),
    ...(body instanceof Uint8Array ? { 'Content-Length': String(body.byteLength) } : {}),
    ...(address.authorization === undefined ? {} : { Authorization: address.authorization }),
  };
}

/**
 * Sends a request to a host and reads the whole answer.
 * @throws ExchangeError
 */
export function exchangeHttp(
  address: RqliteAddress,
  agent: Agent,
  to: { readonly host: Host; readonly request: HttpRequest },
): Promise<HttpAnswer> {
  const { host, request: wanted } = to;
  return new Promise((resolve, reject) => {
    const open = address.isSecure ? https.request : http.request;
    const { method, path } = wanted;
    const request = open({ agent, host: host.name, port: host.port, method, path, headers: describeHeaders(address, wanted) });
    const fail = (error: ExchangeError): void => {
      if (exchange.isOver) return;
      end();
      request.destroy();
      reject(error);
    };
    const broken = (cause: unknown): ExchangeError =>
      new ExchangeError(cause instanceof Error ? cause.message : String(cause), { isSent: exchange.isConnected, cause });
    const exchange: Exchange = { isConnected: false, isOver: false, request, fail };
    const timer = setTimeout(() => {
      fail(new ExchangeError(`no answer within ${String(wanted.timeoutMs)} ms`, { isSent: exchange.isConnected, isTimeout: true }));
    }, wanted.timeoutMs);
    const cancel = (): void => {
      fail(new ExchangeError('cancelled', { isSent: exchange.isConnected }));
    };
    const end = (): void => {
      exchange.isOver = true;
      clearTimeout(timer);
      wanted.signal?.removeEventListener('abort', cancel);
    };
    wanted.signal?.addEventListener('abort', cancel, { once: true });
    request.once('socket', (socket) => {
      watchConnection(exchange, socket, address);
    });
    request.on('error', (error) => {
      fail(broken(error));
    });
    request.once('response', (response) => {
      const { statusCode: status = 0, headers } = response;
      readBody(response).then(
        (text) => {
          if (exchange.isOver) return;
          end();
          resolve({ status, location: headers.location, text });
        },
        (error: unknown) => {
          fail(broken(error));
        },
      );
    });
    writeBody(request, wanted.body).catch((error: unknown) => {
      fail(broken(error));
    });
  });
}
