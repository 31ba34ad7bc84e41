/** Stands between the driver and a server and spoils single exchanges: the faults that happen between two machines. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';

/** What happens to an exchange. `hold`: the server does its work and the answer never comes · `late`: it gets the request only when the one with `after_late` comes. */
export type Fault =
  | { readonly kind: 'pass' | 'cut_before' | 'cut_after' | 'hold' | 'truncate' | 'fewer' | 'late' | 'after_late' }
  | { readonly kind: 'answer'; readonly status: number; readonly text: string; readonly headers?: Readonly<Record<string, string>> };

/** One request as it came. */
export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly body: string;
  readonly authorization: string | undefined;
}

export interface Relay {
  readonly url: string;
  readonly port: number;
  readonly seen: readonly Seen[];
  close(): Promise<void>;
}

/** Chooses the fault of an exchange; `ordinal` counts them from 0. */
export type ChooseFault = (seen: Seen, ordinal: number) => Fault;

export const pass: Fault = { kind: 'pass' };

/** Starts a relay to a port of this machine, or a server that answers by itself where every fault is an answer. */
export async function startRelay(to: () => number, choose: ChooseFault): Promise<Relay> {
  const seen: Seen[] = [];
  const late: Forwarded[] = [];
  const server = http.createServer((request, response) => {
    void relay({ request, response, to, choose, seen, late });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `rqlite://127.0.0.1:${String(port)}`,
    port,
    seen,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Relaying {
  readonly request: http.IncomingMessage;
  readonly response: http.ServerResponse;
  readonly to: () => number;
  readonly choose: ChooseFault;
  readonly seen: Seen[];
  readonly late: Forwarded[];
}

async function relay({ request, response, to, choose, seen, late }: Relaying): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  const entry = {
    method: request.method ?? '',
    path: request.url ?? '',
    body: body.toString(),
    authorization: request.headers.authorization,
  };
  const fault = choose(entry, seen.push(entry) - 1);
  if (fault.kind === 'cut_before') {
    request.socket.destroy();
    return;
  }
  if (fault.kind === 'answer') {
    response.writeHead(fault.status, fault.headers ?? {}).end(fault.text);
    return;
  }
  const forwarded = { method: entry.method, path: entry.path, headers: request.headers, body };
  if (fault.kind === 'late') {
    late.push(forwarded);
    request.socket.destroy();
    return;
  }
  if (fault.kind === 'after_late') for (const earlier of late.splice(0)) await forward(to(), earlier);
  const answer = await forward(to(), forwarded);
  if (answer === undefined || fault.kind === 'cut_after') request.socket.destroy();
  else if (fault.kind === 'hold') return;
  else response.writeHead(answer.status, { 'Content-Type': 'application/json' }).end(spoil(answer.text, fault));
}

function spoil(text: string, fault: Fault): string {
  if (fault.kind === 'truncate') return text.slice(0, Math.floor(text.length / 2));
  if (fault.kind !== 'fewer') return text;
  const answer = JSON.parse(text) as { results: unknown[] };
  return JSON.stringify({ ...answer, results: answer.results.slice(0, -1) });
}

interface Forwarded {
  readonly method: string;
  readonly path: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Undefined when the server is not there or goes away meanwhile. */
async function forward(port: number, { method, path, headers, body }: Forwarded): Promise<{ status: number; text: string } | undefined> {
  return new Promise((resolve) => {
    const request = http.request({ host: '127.0.0.1', port, method, path, headers: { ...headers, connection: 'close' } }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
      response.on('error', () => resolve(undefined));
    });
    request.on('error', () => resolve(undefined));
    request.end(body);
  });
}
