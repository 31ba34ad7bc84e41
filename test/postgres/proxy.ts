/** A TCP proxy that misbehaves on demand between a client and a server: it cuts, swallows and delays, and counts what passes. New connections work again after a fault. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export type Direction = 'toServer' | 'toClient';

export interface FaultProxy {
  readonly port: number;
  /** The same URL with the proxy's address for the server's. */
  rewrite(url: string): string;
  /** Bytes passed on since the start, all connections together. */
  readonly passed: Readonly<Record<Direction, number>>;
  /** Connections accepted since the start. */
  readonly connectionCount: number;
  /** Connections that are open now. */
  readonly openCount: number;
  /** Lets `bytes` more of this direction pass, then cuts every connection, once. */
  cutAfterBytes(direction: Direction, bytes: number): void;
  /** Ends every connection abruptly, on both sides; a cut that was still to come is off. */
  cutNow(): void;
  /** Half-open from here on: what the open connections send is swallowed in both directions, and no socket closes. New connections are not touched. */
  stall(): void;
  /** Each stretch of bytes waits so long before it is passed on; 0 to stop. */
  delay(ms: number): void;
  /** New connections are closed at once, until told otherwise. */
  refuse(isRefusing: boolean): void;
  close(): Promise<void>;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  isStalled: boolean;
}

/** Starts a proxy on 127.0.0.1 with a port of its own, in front of this server. */
export async function startProxy(target: { readonly host: string; readonly port: number }): Promise<FaultProxy> {
  const pairs = new Set<Pair>();
  const passed = { toServer: 0, toClient: 0 };
  let cut: { readonly direction: Direction; readonly at: number } | undefined;
  let delayMs = 0;
  let isRefusing = false;
  let connectionCount = 0;
  const end = (pair: Pair): void => {
    pairs.delete(pair);
    pair.client.destroy();
    pair.server.destroy();
  };
  const cutNow = (): void => {
    cut = undefined;
    // A reset and not a polite end: that is what a lost machine or a firewall does.
    for (const pair of pairs) {
      pair.client.resetAndDestroy();
      pair.server.resetAndDestroy();
      pairs.delete(pair);
    }
  };
  const pass = (pair: Pair, direction: Direction, chunk: Buffer): void => {
    if (pair.isStalled || !pairs.has(pair)) return;
    const [from, to] = direction === 'toServer' ? [pair.client, pair.server] : [pair.server, pair.client];
    const isCut = cut?.direction === direction && passed[direction] + chunk.length >= cut.at;
    const part = isCut && cut !== undefined ? chunk.subarray(0, cut.at - passed[direction]) : chunk;
    passed[direction] += part.length;
    if (isCut) {
      cut = undefined;
      // The part goes out first, then all ends.
      to.write(part, cutNow);
    } else if (!to.write(part)) {
      from.pause();
      to.once('drain', () => from.resume());
    }
  };
  const relay = (pair: Pair, direction: Direction): void => {
    const from = direction === 'toServer' ? pair.client : pair.server;
    from.on('data', (chunk: Buffer) => {
      if (delayMs === 0) return pass(pair, direction, chunk);
      // Nothing overtakes: reading rests until this stretch is gone.
      from.pause();
      setTimeout(() => {
        pass(pair, direction, chunk);
        from.resume();
      }, delayMs);
    });
    from.on('error', () => end(pair));
    from.on('close', () => {
      if (!pair.isStalled) end(pair);
    });
  };
  const listener = createServer((client) => {
    connectionCount++;
    if (isRefusing) {
      client.destroy();
      return;
    }
    const pair: Pair = { client, server: connect(target.port, target.host), isStalled: false };
    pairs.add(pair);
    relay(pair, 'toServer');
    relay(pair, 'toClient');
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as AddressInfo;
  return {
    port,
    rewrite: (url) => {
      const moved = new URL(url);
      moved.hostname = '127.0.0.1';
      moved.port = String(port);
      return moved.href;
    },
    passed,
    get connectionCount() {
      return connectionCount;
    },
    get openCount() {
      return pairs.size;
    },
    cutAfterBytes: (direction, bytes) => {
      cut = { direction, at: passed[direction] + bytes };
    },
    cutNow,
    stall: () => {
      for (const pair of pairs) pair.isStalled = true;
    },
    delay: (ms) => {
      delayMs = ms;
    },
    refuse: (now) => {
      isRefusing = now;
    },
    close: async () => {
      for (const pair of pairs) end(pair);
      await new Promise<void>((resolve) => listener.close(() => resolve()));
    },
  };
}

/** The address in a PostgreSQL URL. */
export function addressOf(url: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port || 5432) };
}
