/** What is done about a session over a second, short connection: cancelling its statement, and asking whether the server is at work for it. Bounded; failure means «no». */
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import type { Host } from './host-list.ts';
import { sslRequest, writeCancel } from './frames.ts';

/** For the whole of a CancelRequest. A server that takes longer is not going to hear it. */
const cancelTimeoutMs = 5000;

export interface CancelTarget {
  readonly host: Host;
  readonly tls: ConnectionOptions | false;
  readonly negotiation: 'postgres' | 'direct';
  readonly processId: number;
  readonly secretKey: number;
}

/** Sends the request and waits until the server has closed the connection: from then on it can't hit a later statement. Never throws. */
export function cancelStatement(target: CancelTarget): Promise<void> {
  const { host, tls, negotiation } = target;
  const socket = host.isSocket ? connect(`${host.address}/.s.PGSQL.${host.port}`) : connect(host.port, host.address);
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(() => socket.destroy(), cancelTimeoutMs);
  socket.once('close', () => {
    clearTimeout(timer);
    resolve();
  });
  // Why it failed does not matter: the statement's own deadline goes on.
  socket.on('error', () => socket.destroy());
  const send = (on: Socket): void => {
    // Read on, else the end of the connection would never be seen.
    on.resume();
    on.write(writeCancel(target.processId, target.secretKey));
  };
  const sendEncrypted = (): void => {
    const encrypted = connectTls({ ...tls, socket, ...(negotiation === 'direct' && { ALPNProtocols: ['postgresql'] }) }, () =>
      send(encrypted),
    );
    encrypted.on('error', () => socket.destroy());
  };
  socket.once('connect', () => {
    if (tls === false) return send(socket);
    if (negotiation === 'direct') return sendEncrypted();
    socket.once('data', (answer: Buffer) => (answer.toString() === 'S' ? sendEncrypted() : socket.destroy()));
    socket.write(sslRequest);
  });
  return promise;
}
