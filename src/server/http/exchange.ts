/** What handlers of routes are given: one request with its answer to be, and the room that all requests share. Shapes without code. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Engine, Reply } from '../engine/contract.ts';
import type { Queue } from '../queue/contract.ts';
import type { BodyReader } from './body.ts';
import type { Limits } from './limits.ts';
import type { LoadDesk } from './load-desk.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import type { Parameters } from './parameters.ts';
import type { Counters } from './counters.ts';

/** One request on its way. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Without escapes and query string. */
  readonly path: string;
  readonly parameters: Parameters;
  /** The answer names the node that gave it; set by handlers whose answers do so at rqlite. */
  isServed: boolean;
}

/** What is known about the server itself. */
export interface ServerFacts {
  readonly target: string;
  readonly file: string;
  readonly isReadOnly: boolean;
  readonly hasAuth: boolean;
  readonly hasTls: boolean;
  readonly checksForeignKeys: boolean;
  readonly startedAt: Date;
  /** Host and port that it is reached by; known once it listens. */
  address: string;
  /** Where rqlite's nodes speak to each other: the next port. Nothing listens there, but clients want to read an address. */
  nodeAddress: string;
}

/** What all requests share. */
export interface Room {
  readonly engine: Engine;
  readonly queue: Queue | undefined;
  readonly loads: LoadDesk;
  readonly bodies: BodyReader;
  readonly limits: Limits;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly counters: Counters;
  readonly facts: ServerFacts;
  /** Of every answer: names and values in turn. */
  readonly headers: readonly string[];
  /** What is made of the list of routes, once. */
  readonly pages: { readonly description: string; readonly docs: string };
  /** How many connections are open. */
  readonly connections: () => number;
  /** Aborted when the server is told to stop. */
  readonly stopping: AbortSignal;
}

/** Answers a request; undefined when there is nobody left to answer, or the answer has been written already. */
export type Handler = (exchange: Exchange, room: Room) => Reply | undefined | Promise<Reply | undefined>;
