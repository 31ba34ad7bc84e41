/** A web server on this machine that serves one file and misbehaves as it is told to. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

/** What the server does; changed while it runs. */
export interface Behaviour {
  files: Record<string, Buffer>;
  etag?: string | undefined;
  /** False: the whole file is sent whatever range is asked for. */
  hasRanges: boolean;
  /** Each request takes one off the front; a status other than 200 is answered as it stands. */
  statuses: number[];
  /** A range that is longer is answered by its beginning alone, as a server may. */
  mostBytes: number;
  /** Answers begin and do not go on. */
  stalls: boolean;
  /** Bodies are cut after so many bytes, as often as `cuts` says. */
  cutAfter: number;
  cuts: number;
  /** Without a length, so that the end is only told by the end. */
  isChunked: boolean;
  /** Header that is asked for, else 401. */
  authorization?: string | undefined;
  redirectTo?: string | undefined;
}

export interface Served {
  readonly url: string;
  readonly behaviour: Behaviour;
  readonly requests: { readonly path: string; readonly range: string | undefined; readonly authorization: string | undefined }[];
}

/** Serves until the test ends. */
export async function serve(context: TestContext, files: Record<string, Buffer>): Promise<Served> {
  const behaviour: Behaviour = {
    files,
    hasRanges: true,
    statuses: [],
    mostBytes: Infinity,
    stalls: false,
    cutAfter: 0,
    cuts: 0,
    isChunked: false,
    etag: '"one"',
  };
  const requests: Served['requests'] = [];
  const server = createServer((request, response) => {
    const { authorization, range } = request.headers;
    requests.push({ path: request.url ?? '', range, authorization });
    answer(behaviour, request, response);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`, behaviour, requests };
}

function answer(behaviour: Behaviour, request: IncomingMessage, response: ServerResponse): void {
  const status = behaviour.statuses.shift() ?? 200;
  const path = new URL(request.url ?? '', 'http://host').pathname.slice(1);
  const whole = behaviour.files[path];
  if (status !== 200) return void response.writeHead(status, { 'retry-after': '0' }).end('refused');
  if (behaviour.redirectTo !== undefined) return void response.writeHead(302, { location: behaviour.redirectTo }).end();
  if (behaviour.authorization !== undefined && request.headers.authorization !== behaviour.authorization)
    return void response.writeHead(401).end();
  if (whole === undefined) return void response.writeHead(404).end();
  send(behaviour, { request, response, whole });
}

function send(
  behaviour: Behaviour,
  { request, response, whole }: { request: IncomingMessage; response: ServerResponse; whole: Buffer },
): void {
  const etag = behaviour.etag === undefined ? {} : { etag: behaviour.etag };
  const asked = /^bytes=(\d+)-(\d+)$/u.exec(request.headers.range ?? '');
  const condition = request.headers['if-range'];
  const isRange = behaviour.hasRanges && asked !== null && (condition === undefined || condition === behaviour.etag);
  const start = isRange ? Number(asked[1]) : 0;
  const end = isRange ? Math.min(whole.length, Number(asked[2]) + 1, start + behaviour.mostBytes) : whole.length;
  const body = whole.subarray(start, end);
  const range = isRange ? { 'content-range': `bytes ${String(start)}-${String(end - 1)}/${String(whole.length)}` } : {};
  const length = behaviour.isChunked ? {} : { 'content-length': String(body.length) };
  response.writeHead(isRange ? 206 : 200, { ...etag, ...range, ...length });
  if (behaviour.cuts > 0 && body.length > behaviour.cutAfter) {
    behaviour.cuts--;
    response.write(body.subarray(0, behaviour.cutAfter), () => setTimeout(() => response.destroy(), 5));
    return;
  }
  if (behaviour.stalls) response.write(body.subarray(0, 10));
  else response.end(body);
}
