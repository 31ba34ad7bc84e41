/** One keep-alive connection to a server, written straight on a socket: a client that costs little, so that the server has the processor. */
import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';

/** What came back: the status and how many bytes the body had. `body` holds them where they were asked for. */
export interface HttpAnswer {
  readonly status: number;
  readonly byteCount: number;
  readonly body: Buffer | undefined;
}

interface Pending {
  readonly keepsBody: boolean;
  resolve(answer: HttpAnswer): void;
  reject(error: unknown): void;
}

/** The bytes of a POST with a JSON body. */
export function writePost(path: string, body: string | Buffer, contentType = 'application/json'): Buffer {
  const bytes = Buffer.from(body);
  const head = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${contentType}\r\nContent-Length: ${String(bytes.length)}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), bytes]);
}

/** Answers come in the order of the requests; one request at a time is waited for. */
export class HttpConnection {
  readonly #socket: Socket;
  #pending: Pending | undefined;
  #received: Buffer = Buffer.alloc(0);
  /** Of the answer that is being read: bytes of the body that are still to come; undefined before its head is whole. */
  #left: number | undefined;
  #isChunked = false;
  #status = 0;
  #count = 0;
  #kept: Buffer[] = [];

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (piece: Buffer) => this.#read(piece));
    socket.on('error', (error) => this.#pending?.reject(error));
    socket.on('close', () => this.#pending?.reject(new Error('the server closed the connection')));
  }

  static async open(port: number): Promise<HttpConnection> {
    const socket = createConnection({ port, host: '127.0.0.1' });
    await once(socket, 'connect');
    return new HttpConnection(socket);
  }

  send(request: Buffer, keepsBody = false): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      this.#pending = { keepsBody, resolve, reject };
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(piece: Buffer): void {
    this.#received = this.#received.length === 0 ? piece : Buffer.concat([this.#received, piece]);
    if (this.#left === undefined && !this.#isChunked && !this.#readHead()) return;
    while (this.#isChunked ? this.#readChunk() : this.#readPart()) {
      // Goes on as long as there is something whole in hand.
    }
  }

  #readHead(): boolean {
    const end = this.#received.indexOf('\r\n\r\n');
    if (end === -1) return false;
    const head = this.#received.toString('latin1', 0, end);
    this.#status = Number(head.slice(9, 12));
    this.#received = this.#received.subarray(end + 4);
    this.#isChunked = /\r\ntransfer-encoding: chunked/iu.test(head);
    this.#left = this.#isChunked ? undefined : Number(/\r\ncontent-length: (\d+)/iu.exec(head)?.[1] ?? 0);
    this.#count = 0;
    this.#kept = [];
    return true;
  }

  #take(byteCount: number): void {
    this.#count += byteCount;
    if (this.#pending?.keepsBody === true) this.#kept.push(Buffer.from(this.#received.subarray(0, byteCount)));
    this.#received = this.#received.subarray(byteCount);
  }

  #readPart(): boolean {
    const left = this.#left ?? 0;
    const byteCount = Math.min(left, this.#received.length);
    this.#take(byteCount);
    this.#left = left - byteCount;
    if (this.#left > 0) return false;
    this.#left = undefined;
    this.#settle();
    return false;
  }

  #readChunk(): boolean {
    if (this.#left === undefined) {
      const end = this.#received.indexOf('\r\n');
      if (end === -1) return false;
      this.#left = Number.parseInt(this.#received.toString('latin1', 0, end), 16);
      this.#received = this.#received.subarray(end + 2);
      if (this.#left === 0) return this.#endChunks();
    }
    const byteCount = Math.min(this.#left, this.#received.length);
    this.#take(byteCount);
    this.#left -= byteCount;
    if (this.#left > 0 || this.#received.length < 2) return false;
    this.#received = this.#received.subarray(2);
    this.#left = undefined;
    return true;
  }

  #endChunks(): boolean {
    if (this.#received.length < 2) return false;
    this.#received = this.#received.subarray(2);
    this.#left = undefined;
    this.#isChunked = false;
    this.#settle();
    return false;
  }

  #settle(): void {
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.resolve({ status: this.#status, byteCount: this.#count, body: pending.keepsBody ? Buffer.concat(this.#kept) : undefined });
  }
}
