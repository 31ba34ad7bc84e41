/** Puts TLS in front of a server that has none: answers SSLRequest, does the handshake with a certificate made on the spot, and passes the rest on. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';

export interface TlsFront {
  readonly port: number;
  /** File of the certificate, which is its own authority; made out to `localhost`. */
  readonly certificateFile: string;
  /** Connections that were encrypted, and those that came without. */
  readonly counts: { encrypted: number; plain: number };
  close(): Promise<void>;
}

const certificateProgram = 'openssl';

const sslRequest = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);

/** Whether certificates can be made here. */
export function hasOpenssl(): boolean {
  try {
    execFileSync(certificateProgram, ['version'], { stdio: 'ignore' });
    return true;
  } catch (error) {
    if (error instanceof Error) return false;
    throw error;
  }
}

export async function startTlsFront(target: { readonly host: string; readonly port: number }): Promise<TlsFront> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-tls-'));
  const certificateFile = join(folder, 'server.crt');
  const keyFile = join(folder, 'server.key');
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  execFileSync(
    certificateProgram,
    ['req', '-new', '-x509', '-days', '2', '-nodes', ...subject, '-keyout', keyFile, '-out', certificateFile],
    {
      stdio: 'ignore',
    },
  );
  const key = readFileSync(keyFile);
  const cert = readFileSync(certificateFile);
  const counts = { encrypted: 0, plain: 0 };
  const sockets = new Set<Socket>();
  const connectThrough = (client: Socket, first: Buffer | undefined): void => {
    const server = connect(target.port, target.host);
    if (first !== undefined) server.write(first);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
      sockets.add(from);
    }
  };
  const listener = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', (first: Buffer) => {
      socket.pause();
      if (!first.equals(sslRequest)) {
        counts.plain++;
        connectThrough(socket, first);
        return;
      }
      socket.write('S', () => {
        counts.encrypted++;
        connectThrough(new TLSSocket(socket, { isServer: true, key, cert }), undefined);
      });
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  return {
    port: (listener.address() as AddressInfo).port,
    certificateFile,
    counts,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => listener.close(() => resolve()));
      rmSync(folder, { recursive: true });
    },
  };
}
