/** A PgLink over one socket: the contract's calls put onto the session. */
import { copyIn } from './copy-in.ts';
import { copyOut } from './copy-out.ts';
import { bindEncoded, bindValue } from './frames.ts';
import type {
  CopyPieces,
  EncodedParameter,
  PgLink,
  PgParameter,
  PgResult,
  PipelineOptions,
  PipelineResult,
  PipelineStep,
  RunOptions,
  ServerFacts,
} from '../link.ts';
import { runPipeline } from './pipeline.ts';
import type { Session } from './session.ts';
import { runBound, runScript } from './statement.ts';

export interface SocketLinkFacts {
  readonly server: ServerFacts;
  readonly ownsSession: boolean;
}

class SocketLink implements PgLink {
  readonly server: ServerFacts;
  readonly ownsSession: boolean;
  readonly #session: Session;

  constructor(session: Session, facts: SocketLinkFacts) {
    this.#session = session;
    this.server = facts.server;
    this.ownsSession = facts.ownsSession;
  }

  get place(): string {
    return this.#session.place;
  }

  get isBroken(): boolean {
    return this.#session.isBroken;
  }

  async query(sql: string, parameters: readonly PgParameter[] = [], options: RunOptions = {}): Promise<PgResult> {
    return runBound(this.#session, { sql, values: parameters.map(bindValue), extensionTypes: this.server.extensionTypes }, options);
  }

  async queryEncoded(sql: string, parameters: readonly EncodedParameter[], options: RunOptions = {}): Promise<PgResult> {
    return runBound(this.#session, { sql, values: parameters.map(bindEncoded), extensionTypes: this.server.extensionTypes }, options);
  }

  async pipeline(steps: readonly PipelineStep[], options: PipelineOptions): Promise<PipelineResult> {
    return runPipeline(this.#session, steps, options);
  }

  async script(sql: string, options: RunOptions = {}): Promise<void> {
    return runScript(this.#session, sql, options);
  }

  async copyIn(sql: string, pieces: CopyPieces, options: RunOptions = {}): Promise<number> {
    return copyIn(this.#session, { sql, pieces }, options);
  }

  copyOut(sql: string, options: RunOptions = {}): AsyncIterable<Uint8Array> {
    return copyOut(this.#session, sql, options);
  }

  close(): Promise<void> {
    return this.#session.close();
  }
}

export function createSocketLink(session: Session, facts: SocketLinkFacts): PgLink {
  return new SocketLink(session, facts);
}
