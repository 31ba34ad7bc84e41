/** The state of one connection: which request is under way, whether a transaction is open, and why the link is gone once it is. */
import { SluiceError } from '../../../errors.ts';
import type { Landed } from '../../driver.ts';
import { LinkLostError } from '../../link.ts';
import { describeSocketError, quoteServer } from '../errors.ts';
import { Exchange, type ExchangeHandlers, type ExchangeHost } from './exchange.ts';
import { sync, writeCopyFail } from './frames.ts';
import { PgError, type RunOptions } from '../link.ts';
import { readServerError, type WireClient } from './wire-client.ts';

/** How long a polite goodbye may take before the socket is destroyed. */
const closeTimeoutMs = 2000;

export class Session implements ExchangeHost {
  readonly client: WireClient;
  readonly openedMs: number = performance.now();
  readonly place: string;
  readonly silenceMs: number;
  readonly cancel: () => Promise<void>;
  readonly inquire: ExchangeHost['inquire'];
  /** The process named at the login is the server's own: only then can the server be asked about it. The numbers that a pooler gives are its own. */
  isDirect = false;
  /** As the last ReadyForQuery said: idle, in a transaction, in a failed one. */
  transaction: 'I' | 'T' | 'E' = 'I';
  #loss: Error | undefined;
  #active: Pick<Exchange<unknown>, 'rest' | 'lose'> | undefined;
  #closing: Promise<void> | undefined;

  constructor(client: WireClient, sides: Pick<ExchangeHost, 'place' | 'silenceMs' | 'cancel' | 'inquire'>) {
    this.client = client;
    this.place = sides.place;
    this.silenceMs = sides.silenceMs;
    this.cancel = sides.cancel;
    this.inquire = sides.inquire;
    client.on('error', (error: Error) => this.lose(error));
    client.connection.on('end', () => this.lose(new Error('the server closed the connection')));
    client.connection.on('readyForQuery', (message: { readonly status: 'I' | 'T' | 'E' }) => this.#rest(message.status));
  }

  get isBroken(): boolean {
    return this.#loss !== undefined;
  }

  /** Runs a request; one at a time. */
  run<Result>(handlers: ExchangeHandlers<Result>, options: RunOptions): Exchange<Result> {
    const exchange = new Exchange(this, handlers, options);
    const obstacle = this.#findObstacle(options);
    if (obstacle !== undefined) {
      exchange.refuse(obstacle);
      return exchange;
    }
    this.#active = exchange;
    this.client.query(exchange);
    return exchange;
  }

  #findObstacle(options: RunOptions): Error | undefined {
    if (this.#closing !== undefined) return new LinkLostError('no', `The connection to ${this.place} is closed.`);
    if (this.#loss !== undefined) return this.describeLoss('no', this.#loss);
    if (this.#active !== undefined)
      return new SluiceError('SLUICE_INTERNAL', `A statement on ${this.place} was sent while another one ran.`);
    if (options.signal?.aborted === true)
      return new SluiceError('SLUICE_CANCELLED', `A statement on ${this.place} was cancelled before it was sent.`);
    return undefined;
  }

  #rest(status: 'I' | 'T' | 'E'): void {
    this.transaction = status;
    this.#active?.rest();
  }

  release(exchange: object): void {
    if (this.#active === exchange) this.#active = undefined;
  }

  /** The link is gone, for this reason: the socket is destroyed and the request under way settles. Only the first reason counts. */
  lose(reason: Error): void {
    const error = readServerError(reason) ?? reason;
    this.#loss ??= error;
    this.client.connection.stream.destroy();
    this.#active?.lose(error);
  }

  describeLoss(landed: Landed, reason: Error): LinkLostError {
    const why = reason instanceof PgError ? quoteServer(reason) : describeSocketError(reason);
    return new LinkLostError(landed, `The connection to ${this.place} was lost: ${why}.`, {
      cause: reason,
      hint: 'Resume when the server can be reached; the ledger knows what landed.',
    });
  }

  /** A COPY FROM STDIN where no rows were to be sent. In the extended protocol the server took the Sync that was sent before for a part of the COPY, so it gets another. */
  refuseCopy(isExtended: boolean): void {
    const { stream } = this.client.connection;
    stream.write(writeCopyFail('no rows were to be sent'));
    if (isExtended) stream.write(sync);
  }

  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    const { stream } = this.client.connection;
    const isAtRest = this.#active === undefined && this.#loss === undefined;
    if (!isAtRest) this.lose(new Error('the connection was closed'));
    if (stream.destroyed) return;
    const ended = new Promise<void>((resolve) => this.client.connection.once('end', () => resolve()));
    const timer = setTimeout(() => stream.destroy(), closeTimeoutMs);
    await Promise.race([this.client.end().catch(() => stream.destroy()), ended]);
    clearTimeout(timer);
  }
}
