/** The hosts of a connection in the order in which they are tried, each with its port; a socket's folder counts as a host. */
import { existsSync } from 'node:fs';
import { SluiceError } from '../../../errors.ts';

export interface Host {
  /** A name or address, or the folder of a Unix socket. */
  readonly name: string;
  /** What is connected to: the address where one was given beside the name. */
  readonly address: string;
  readonly port: number;
  readonly isSocket: boolean;
}

const defaultPort = 5432;

/** Where servers put their sockets: Debian's packages, and PostgreSQL's own default. */
export const socketFolders: readonly string[] = ['/var/run/postgresql', '/tmp'];

/** The socket of a local server where there is one, else localhost: psql does the same at build time. */
function findDefaultHost(port: number): string {
  return socketFolders.find((folder) => existsSync(`${folder}/.s.PGSQL.${port}`)) ?? 'localhost';
}

function parsePort(text: string): number {
  if (text === '') return defaultPort;
  const port = Number(text);
  if (/^\d+$/u.test(text.trim()) && port > 0 && port < 65_536) return port;
  // Not quoted: a password with a slash that was not encoded ends up here.
  throw new SluiceError('SLUICE_USAGE', 'The port of a PostgreSQL host is none.', {
    hint: 'Ports are numbers from 1 to 65535; in a password write / as %2F, : as %3A and @ as %40.',
  });
}

export interface HostSettings {
  readonly host: string | undefined;
  readonly hostaddr: string | undefined;
  readonly port: string | undefined;
  readonly load_balance_hosts: string | undefined;
}

/** Reads the comma lists: as many ports as hosts, or one for all. @throws SLUICE_USAGE */
export function listHosts(settings: HostSettings): readonly Host[] {
  const names = settings.host?.split(',').map((part) => part.trim());
  const addresses = settings.hostaddr?.split(',').map((part) => part.trim());
  const count = names?.length ?? addresses?.length ?? 1;
  const ports = (settings.port ?? '').split(',').map(parsePort);
  if ((addresses !== undefined && addresses.length !== count) || (ports.length !== 1 && ports.length !== count)) {
    throw new SluiceError(
      'SLUICE_USAGE',
      `${count} hosts, ${addresses?.length ?? count} addresses and ${ports.length} ports don't go together.`,
      {
        hint: 'Give each host its port, or one port for all.',
      },
    );
  }
  const hosts = Array.from({ length: count }, (_, index): Host => {
    const port = ports[ports.length === 1 ? 0 : index] ?? defaultPort;
    const address = addresses?.[index] || undefined;
    const name = names?.[index] || address || findDefaultHost(port);
    return { name, address: address ?? name, port, isSocket: (address ?? name).startsWith('/') };
  });
  if (settings.load_balance_hosts !== 'random') return hosts;
  return hosts
    .map((host) => ({ host, order: Math.random() }))
    .toSorted((a, b) => a.order - b.order)
    .map(({ host }) => host);
}
