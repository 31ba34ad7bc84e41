/** The sockets of a server and the requests that are answered over each: what may be closed when, and that an answer is never lost to a mistake that came after its request. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

/** A client that is told no while it still sends gets this long to read it. */
const lingerMs = 2000;

export interface Connections {
  add(socket: Duplex): void;
  /** A request is being answered. */
  begin(request: IncomingMessage): void;
  /** Its answer has been handed over. */
  end(request: IncomingMessage): void;
  /** The bytes of a client were no HTTP. Requests before them are answered first. */
  refuse(error: NodeJS.ErrnoException, socket: Duplex): void;
  /** Nothing is being answered over it. */
  isIdle(socket: Duplex): boolean;
  /** Closes those over which nothing is being answered. */
  closeIdle(): void;
  readonly count: number;
}

interface State {
  readonly inFlight: Set<IncomingMessage>;
  /** Said when the requests before it have been answered. */
  refusal: string | undefined;
}

export function openConnections(): Connections {
  const states = new Map<Duplex, State>();
  const add = (socket: Duplex): State => {
    const state = { inFlight: new Set<IncomingMessage>(), refusal: undefined };
    states.set(socket, state);
    socket.once('close', () => states.delete(socket));
    return state;
  };
  return {
    add,
    begin: (request) => void (states.get(request.socket) ?? add(request.socket)).inFlight.add(request),
    end: (request) => {
      const state = states.get(request.socket);
      state?.inFlight.delete(request);
      if (state?.refusal !== undefined) sayRefusal(request.socket, state);
    },
    refuse: (error, socket) => {
      const state = states.get(socket);
      if (!socket.writable || error.code === 'ECONNRESET' || state === undefined) socket.destroy();
      else if (state.refusal === undefined) {
        state.refusal = describeRefusal(error.code);
        sayRefusal(socket, state);
      }
    },
    isIdle: (socket) => (states.get(socket)?.inFlight.size ?? 0) === 0,
    closeIdle: () => {
      for (const [socket, { inFlight }] of states) if (inFlight.size === 0) socket.destroy();
    },
    get count() {
      return states.size;
    },
  };
}

function describeRefusal(code: string | undefined): string {
  const status =
    code === 'HPE_HEADER_OVERFLOW'
      ? '431 Request Header Fields Too Large'
      : code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? '408 Request Timeout'
        : '400 Bad Request';
  return `HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`;
}

/** A request whose own body was the mistake is not waited for: it will never be whole. */
function sayRefusal(socket: Duplex, { inFlight, refusal }: State): void {
  if ([...inFlight].some(({ complete }) => complete)) return;
  socket.end(refusal);
  linger(socket);
}

/** Closing a socket with unread bytes resets it, and the client may lose the answer that tells it why: what still comes is thrown away for a moment first. */
export function linger(socket: Duplex): void {
  const timer = setTimeout(() => socket.destroy(), lingerMs);
  socket.once('close', () => clearTimeout(timer));
  socket.resume();
}
