/** Where the server listens: reads `host:port`, opens it, and says what is in the way. `localhost` means both of its addresses. */
import type { AddressInfo } from 'node:net';
import { isSluiceError, SluiceError } from '../../errors.ts';
import { backlog, type AnyServer } from './http-server.ts';

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** As rqlite's. */
export const defaultListen = 'localhost:4001';

const hint = 'Write it as 127.0.0.1:4001, [::1]:4001, localhost:0 or :4001.';

/** Reads `host:port`, `[v6]:port`, `:port` (every address) or a bare port. @throws SLUICE_USAGE */
export function parseListen(text: string): ListenAddress {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(/^\d+$/.test(text) ? `localhost:${text}` : text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) throw new SluiceError('SLUICE_USAGE', `"${text}" is not an address to listen on.`, { hint });
  const host = match[1] ?? match[2] ?? '';
  return { host: host === '' ? '0.0.0.0' : host, port };
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

/** Opens a server for each address that the host has; all have the same port. @throws SLUICE_TARGET_BUSY, SLUICE_TARGET_DENIED, SLUICE_USAGE */
export async function listen({ host, port }: ListenAddress, makeServer: () => AnyServer): Promise<readonly AnyServer[]> {
  if (host !== 'localhost') return [await openOne(makeServer(), host, port)];
  return openLocalhost(port, makeServer, port === 0 ? freePortTries : 1);
}

/** A port that is free at one address may be taken at the other; for any free port others are tried. */
const freePortTries = 5;

async function openLocalhost(port: number, makeServer: () => AnyServer, tries: number): Promise<readonly AnyServer[]> {
  const first = await openOne(makeServer(), '127.0.0.1', port);
  const chosen = (first.address() as AddressInfo).port;
  try {
    return [first, await openOne(makeServer(), '::1', chosen)];
  } catch (error) {
    // A machine without IPv6 has one localhost only; a port that is taken there would send half of the clients to someone else.
    if (isSluiceError(error, 'SLUICE_USAGE')) return [first];
    first.close();
    if (tries > 1) return openLocalhost(port, makeServer, tries - 1);
    throw error;
  }
}

async function openOne(server: AnyServer, host: string, port: number): Promise<AnyServer> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(describeFailure(error, host, port)));
    server.listen({ host, port, backlog }, () => {
      server.removeAllListeners('error');
      resolve(server);
    });
  });
}

function describeFailure(cause: NodeJS.ErrnoException, host: string, port: number): SluiceError {
  const place = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  if (cause.code === 'EADDRINUSE') {
    return new SluiceError('SLUICE_TARGET_BUSY', `The address ${place} is in use by another process.`, {
      cause,
      hint: 'Stop that one, or listen elsewhere: --listen 127.0.0.1:0 takes any free port.',
    });
  }
  if (cause.code === 'EACCES') {
    return new SluiceError('SLUICE_TARGET_DENIED', `This user may not listen on ${place}.`, { cause, hint: 'Choose a port above 1023.' });
  }
  return new SluiceError('SLUICE_USAGE', `The address ${place} can't be listened on (${cause.code ?? cause.message}).`, { cause, hint });
}

/** How a server that listens is reached. */
export function describeAddress(server: AnyServer): ListenAddress {
  const { address, port } = server.address() as AddressInfo;
  return { host: address.includes(':') ? `[${address}]` : address, port };
}
