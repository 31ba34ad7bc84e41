/** Raw connections for tests of the server: bytes out, bytes in, nothing in between that would mend a mistake. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { TestServer } from './server.ts';

/** What came back over a connection until it ended, or until enough answers were there. */
export interface RawAnswer {
  readonly text: string;
  readonly statuses: readonly number[];
}

export interface RawCall {
  /** Ends the wait before the server closes the connection. */
  readonly answers?: number;
  /** Shuts the client's side once it has sent. */
  readonly halfCloses?: boolean;
}

const deadlineMs = 15_000;

export async function openSocket({ host, port }: Pick<TestServer, 'host' | 'port'>): Promise<Socket> {
  const socket = connect({ host, port, allowHalfOpen: true });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** Counts final answers: `100 Continue` is none. */
function readStatuses(text: string): readonly number[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1])).filter((status) => status >= 200);
}

/** Sends bytes over a connection of its own and reads until the server closes it, or so many answers are whole. */
export async function callRaw(server: Pick<TestServer, 'host' | 'port'>, bytes: string | Buffer, call: RawCall = {}): Promise<RawAnswer> {
  const socket = await openSocket(server);
  if (call.halfCloses === true) socket.end(bytes);
  else socket.write(bytes);
  return readAnswers(socket, call.answers);
}

/** Reads until the server closes the connection, or so many answers have begun and nothing follows for a moment. */
export async function readAnswers(socket: Socket, answers: number = Infinity): Promise<RawAnswer> {
  let text = '';
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no end after ${deadlineMs} ms; so far: ${text.slice(0, 200)}`)), deadlineMs);
    const finish = (): void => {
      clearTimeout(timer);
      resolve();
    };
    socket.on('data', (piece: Buffer) => {
      text += piece.toString('latin1');
      if (readStatuses(text).length >= answers && hasWholeEnd(text)) finish();
    });
    socket.on('end', finish).on('close', finish);
  });
  socket.destroy();
  return { text, statuses: readStatuses(text) };
}

/** Whether the last answer is there with its body. */
function hasWholeEnd(text: string): boolean {
  const last = text.slice(text.lastIndexOf('HTTP/1.1 '));
  const head = last.indexOf('\r\n\r\n');
  if (head < 0) return false;
  if (/transfer-encoding: chunked/i.test(last)) return last.endsWith('0\r\n\r\n');
  const length = Number(/content-length: (\d+)/i.exec(last)?.[1] ?? 0);
  return last.length >= head + 4 + length;
}

/** A request in HTTP/1.1 with a body of JSON. */
export function writePost(path: string, body: string, headers: readonly string[] = []): string {
  const all = ['Host: localhost', 'Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`, ...headers];
  return `POST ${path} HTTP/1.1\r\n${all.join('\r\n')}\r\n\r\n${body}`;
}
