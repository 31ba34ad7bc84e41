/** One request and its answer on a session. It settles exactly once, whatever arrives or fails to: by ReadyForQuery, by the end of the link, or by its deadline. */
import { SluiceError } from '../../../errors.ts';
import type { Landed } from '../../driver.ts';
import type { LinkLostError } from '../../link.ts';
import type { PgError, RunOptions } from '../link.ts';
import { readServerError, type FieldDescription, type Submittable, type WireConnection } from './wire-client.ts';

/** How long the server may take to come to rest after an error, or after it was told to stop. */
const restTimeoutMs = 10_000;

/** After CopyFail, before a CancelRequest is sent as well: the server may not be reading. */
const cancelDelayMs = 500;

/** What a kind of request does at each step; none of these may throw. */
export interface ExchangeHandlers<Result> {
  /** Sent by Parse, Bind, Execute and Sync, not as a simple query. */
  readonly isExtended?: true;
  /** Sends the request. */
  start(): void;
  /** Whether the work may be committed if the link breaks now. */
  mayHaveLanded(): boolean;
  onFields?(fields: readonly FieldDescription[]): void;
  onRow?(values: readonly (string | null)[]): void;
  /** A statement ended with this tag, empty for a text without one, or (undefined) was suspended at its limit of rows. */
  onEnd?(tag: string | undefined): void;
  onCopyIn?(): void;
  onCopyData?(chunk: Uint8Array): void;
  /** The server failed, the caller stopped it, or the link broke: nothing more may be sent, but what ends a COPY. True: that was sent, so no CancelRequest is needed at once. */
  stop?(why: 'server' | 'caller'): boolean;
  finish(tag: string): Result;
}

/** What the server says of a session: at work; gone, or at rest and ended now; or nothing, as it could not be asked. */
export type Activity = 'working' | 'ended' | 'unknown';

/** What an exchange needs of the session that it runs on. */
export interface ExchangeHost {
  readonly place: string;
  /** Without an answer for this long the link counts as lost, unless the server can be asked and says that it is at work. */
  readonly silenceMs: number;
  /** Sends a CancelRequest over a connection of its own; bounded, never throws. */
  readonly cancel: () => Promise<void>;
  /** Asks over a connection of its own what the server does for this session, and has it end the session where it does nothing; bounded, never throws. */
  readonly inquire: () => Promise<Activity>;
  /** The link is gone, for this reason. */
  lose(reason: Error): void;
  /** The exchange has settled, the next one may begin. */
  release(exchange: object): void;
  describeLoss(landed: Landed, reason: Error): LinkLostError;
  refuseCopy(isExtended: boolean): void;
}

export class Exchange<Result> implements Submittable {
  readonly settled: Promise<Result>;
  readonly #session: ExchangeHost;
  readonly #handlers: ExchangeHandlers<Result>;
  readonly #options: RunOptions;
  readonly #resolvers: PromiseWithResolvers<Result>;
  #tag = '';
  #serverError: PgError | undefined;
  /** An error on our side that goes before the server's: `pieces` threw, a value could not be read. */
  #ownError: { readonly error: unknown } | undefined;
  #isCancelled = false;
  #isSettled = false;
  #isPaused = false;
  #isProbing = false;
  #lastProgressMs = performance.now();
  /** The last progress, or the server's word that it is at work. */
  #lastSignMs = performance.now();
  #timer: NodeJS.Timeout | undefined;
  #cancelTimer: NodeJS.Timeout | undefined;
  /** A CancelRequest on its way. Until it has arrived this exchange doesn't settle, else it would hit the next statement. */
  #cancelling: Promise<void> | undefined;

  constructor(session: ExchangeHost, handlers: ExchangeHandlers<Result>, options: RunOptions) {
    this.#session = session;
    this.#handlers = handlers;
    this.#options = options;
    this.#resolvers = Promise.withResolvers<Result>();
    this.settled = this.#resolvers.promise;
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** Settles without having been sent. */
  refuse(error: Error): void {
    this.#settle(() => this.#resolvers.reject(error));
  }

  submit(_connection: WireConnection): null {
    this.#options.signal?.addEventListener('abort', this.#abort, { once: true });
    this.#watch();
    this.#handlers.start();
    return null;
  }

  /** Something moved on the wire. */
  noteProgress(): void {
    this.#lastProgressMs = performance.now();
    this.#lastSignMs = this.#lastProgressMs;
  }

  /** While we do not read, silence is ours. */
  pause(isPaused: boolean): void {
    this.#isPaused = isPaused;
    this.noteProgress();
  }

  handleRowDescription(message: { readonly fields: readonly FieldDescription[] }): void {
    this.#handle(() => this.#handlers.onFields?.(message.fields));
  }

  handleDataRow(message: { readonly fields: readonly (string | null)[] }): void {
    this.#handle(() => this.#handlers.onRow?.(message.fields));
  }

  handleCopyData(message: { readonly chunk: Uint8Array }): void {
    this.#handle(() => this.#handlers.onCopyData?.(message.chunk));
  }

  handleCommandComplete(message: { readonly text: string }): void {
    this.#tag = message.text;
    this.#handle(() => this.#handlers.onEnd?.(message.text));
  }

  handleCopyInResponse(): void {
    this.noteProgress();
    if (this.#handlers.onCopyIn === undefined) this.#session.refuseCopy(this.#handlers.isExtended === true);
    else this.#handlers.onCopyIn();
  }

  handleEmptyQuery(): void {
    this.#handle(() => this.#handlers.onEnd?.(''));
  }

  handlePortalSuspended(): void {
    this.#handle(() => this.#handlers.onEnd?.(undefined));
  }

  /** Nothing: the session tells, also after an error, when the client has forgotten the query. */
  handleReadyForQuery(): void {
    this.noteProgress();
  }

  /** An ErrorResponse, or the client's word that the socket broke. The link may end after an error of the server too, so only ReadyForQuery tells that it is good. */
  handleError(error: Error): void {
    const serverError = readServerError(error);
    if (serverError === undefined) return this.#session.lose(error);
    this.#serverError ??= serverError;
    this.noteProgress();
    this.#handlers.stop?.('server');
  }

  /** The request fails for a reason on our side; the server is told to stop and waited for. */
  fail(error: unknown): void {
    this.#ownError ??= { error };
    this.#stop();
  }

  /** ReadyForQuery came. */
  rest(): void {
    clearTimeout(this.#cancelTimer);
    if (this.#cancelling !== undefined) {
      void this.#cancelling.then(() => {
        this.#cancelling = undefined;
        this.rest();
      });
      return;
    }
    const ownError = this.#ownError;
    if (ownError !== undefined) return this.#settle(() => this.#resolvers.reject(ownError.error));
    const serverError = this.#serverError;
    if (serverError === undefined) return this.#settle(() => this.#resolve());
    // A cancelled statement that had ended before says so by its result: what is done is told as done.
    const isOurs = this.#isCancelled && serverError.sqlState === '57014';
    this.#settle(() => this.#resolvers.reject(isOurs ? this.#describeCancel(serverError) : serverError));
  }

  #resolve(): void {
    try {
      this.#resolvers.resolve(this.#handlers.finish(this.#tag));
    } catch (error) {
      this.#resolvers.reject(error);
    }
  }

  /** The link is gone. */
  lose(reason: Error): void {
    const landed: Landed = this.#handlers.mayHaveLanded() ? 'unknown' : 'no';
    const ended = this.#isCancelled && landed === 'no' ? this.#describeCancel(reason) : undefined;
    const error = this.#ownError?.error ?? ended ?? this.#session.describeLoss(landed, this.#serverError ?? reason);
    this.#settle(() => this.#resolvers.reject(error));
    this.#handlers.stop?.('server');
  }

  #handle(step: () => void): void {
    this.noteProgress();
    if (this.#ownError !== undefined) return;
    try {
      step();
    } catch (error) {
      this.fail(error);
    }
  }

  #settle(tell: () => void): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#cancelTimer);
    this.#options.signal?.removeEventListener('abort', this.#abort);
    this.#session.release(this);
    tell();
  }

  readonly #abort = (): void => {
    if (this.#isSettled || this.#isCancelled) return;
    this.#isCancelled = true;
    this.#stop();
  };

  /** Asks the server to stop; from here on it has {@link restTimeoutMs}. */
  #stop(): void {
    if (this.#isSettled) return;
    this.noteProgress();
    this.#isPaused = false;
    const delayMs = this.#handlers.stop?.('caller') === true ? cancelDelayMs : 0;
    this.#cancelTimer = setTimeout(() => {
      this.#cancelling = this.#session.cancel();
    }, delayMs);
    this.#watch();
  }

  /** The server failed it, or was told to stop. */
  get #isEnding(): boolean {
    return this.#serverError !== undefined || this.#ownError !== undefined || this.#isCancelled;
  }

  /** After so long without progress it is over, whatever the server says; 0 for no limit. */
  get #limitMs(): number {
    return this.#isEnding ? restTimeoutMs : (this.#options.timeoutMs ?? 0);
  }

  /** After so long without a sign the server is asked; 0 for never. */
  get #silenceMs(): number {
    return this.#isEnding || this.#options.timeoutMs === 0 ? 0 : this.#session.silenceMs;
  }

  /** Without limits they are looked at again now and then: an error brings one. */
  #watch(): void {
    clearTimeout(this.#timer);
    const ends = [this.#limitMs && this.#lastProgressMs + this.#limitMs, this.#silenceMs && this.#lastSignMs + this.#silenceMs];
    const leftMs = Math.min(restTimeoutMs, ...ends.filter((end) => end !== 0).map((end) => end - performance.now()));
    this.#timer = setTimeout(() => void this.#check(), Math.max(1, leftMs));
  }

  async #check(): Promise<void> {
    if (this.#isPaused) this.noteProgress();
    const [limitMs, silenceMs] = [this.#limitMs, this.#silenceMs];
    if (limitMs !== 0 && performance.now() - this.#lastProgressMs >= limitMs) return this.#giveUp(limitMs);
    if (silenceMs !== 0 && !this.#isProbing && performance.now() - this.#lastSignMs >= silenceMs && (await this.#isGone())) {
      if (!this.#isSettled) this.#giveUp(silenceMs);
      return;
    }
    if (!this.#isSettled) this.#watch();
  }

  #giveUp(afterMs: number): void {
    this.#session.lose(new Error(`no answer for ${String(Math.round(afterMs / 100) / 10)} s`));
  }

  /** A server that says that it is at work is slow, not gone. One that can't be asked is waited for where the statement has a limit of its own. */
  async #isGone(): Promise<boolean> {
    this.#isProbing = true;
    const activity = await this.#session.inquire();
    this.#isProbing = false;
    this.#lastSignMs = performance.now();
    return activity === 'ended' || (activity === 'unknown' && this.#options.timeoutMs === undefined && !this.#isEnding);
  }

  #describeCancel(cause: Error): SluiceError {
    return new SluiceError('SLUICE_CANCELLED', `A statement on ${this.#session.place} was cancelled.`, { cause });
  }
}
