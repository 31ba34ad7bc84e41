/** Plays recorded scenarios against a server and tells where its answers differ. What is normalised is said in README.md beside this file. */
import { readFileSync } from 'node:fs';
import { Agent, request, type IncomingMessage } from 'node:http';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';

/** One step: a request, and the answer of the recorded server. */
export interface Step {
  readonly name: string;
  readonly scenario: string;
  readonly group: string;
  readonly server: { readonly flags?: readonly string[]; readonly auth?: readonly object[]; readonly nodes?: number };
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  readonly bodyEncoding: 'utf8' | 'base64';
  readonly status: number;
  readonly contentType: string | null;
  readonly responseHeaders: Readonly<Record<string, string>>;
  readonly match: 'exact' | 'regex' | 'keys' | 'sqlite-dump' | 'status';
  readonly response: unknown;
  readonly journalBytes?: readonly number[];
  readonly gzip?: boolean;
  readonly delayMs?: number;
  readonly quirk?: string;
  readonly note?: string;
}

/** What a server answered to a step. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** The server that is played against. */
export interface Place {
  readonly host: string;
  readonly port: number;
  /** Its folder of data, which some answers name. */
  readonly folder: string;
  /** The SQL dump of an SQLite file's bytes. */
  readonly dump: (bytes: Buffer) => Promise<string>;
}

/** How long one answer may take; the recorded server needed at most 1 s. */
const answerTimeoutMs = 20_000;

export function readScenarios(): ReadonlyMap<string, readonly Step[]> {
  const lines = readFileSync(path.join(import.meta.dirname, 'recordings.jsonl'), 'utf8')
    .trimEnd()
    .split('\n');
  const steps = lines.map((line) => JSON.parse(line) as Step);
  return Map.groupBy(steps, (step) => step.scenario);
}

/** Sends the steps in order over one connection and answers what differs, a text a step. */
export async function playScenario(steps: readonly Step[], place: Place): Promise<ReadonlyMap<string, string>> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const differences = new Map<string, string>();
  try {
    for (const step of steps) {
      await sleep(step.delayMs ?? 0);
      const answer = await send(step, place, agent);
      const difference = await compare(step, answer, place);
      if (difference !== undefined) differences.set(step.name, difference);
    }
  } finally {
    agent.destroy();
  }
  return differences;
}

async function send(step: Step, { host, port }: Place, agent: Agent): Promise<Answer> {
  const body = step.body === null ? undefined : Buffer.from(step.body, step.bodyEncoding);
  const headers = { ...step.headers, ...(body === undefined ? {} : { 'Content-Length': String(body.length) }) };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const asked = request({ host, port, agent, method: step.method, path: step.path, headers }, resolve);
    asked.setTimeout(answerTimeoutMs, () => asked.destroy(new Error(`${step.name} got no answer`)));
    asked.on('error', reject);
    asked.end(body);
  });
  const pieces: Buffer[] = [];
  for await (const piece of response) pieces.push(piece as Buffer);
  return { status: response.statusCode ?? 0, headers: response.headers as Record<string, string>, body: Buffer.concat(pieces) };
}

function normalise(text: string, { folder, host, port }: Place): string {
  return text
    .replaceAll(`${host}:${String(port)}`, '127.0.0.1:4001')
    .replaceAll(`${host}:${String(port + 1)}`, '127.0.0.1:4002')
    .replaceAll(/("time":\s?)-?[\d.e+-]+/gu, '$10')
    .replaceAll(/("sequence_number":\s?)\d+/gu, '$10')
    .replaceAll(/("raft_index":\s?)\d+/gu, '$10')
    .replaceAll(folder, 'DATADIR');
}

/** Headers of an answer that depend on nothing but the request. */
function readHeaders(headers: Readonly<Record<string, string>>, { host, port }: Place): Readonly<Record<string, string>> {
  const left = new Set(['date', 'content-length', 'connection', 'transfer-encoding', 'content-type', 'keep-alive']);
  const names = Object.keys(headers)
    .filter((name) => !left.has(name))
    .sort();
  return Object.fromEntries(names.map((name) => [name, headers[name]?.replaceAll(`${host}:${String(port)}`, '127.0.0.1:4001') ?? '']));
}

async function compare(step: Step, answer: Answer, place: Place): Promise<string | undefined> {
  if (answer.status !== step.status) return `status ${String(answer.status)} instead of ${String(step.status)}: ${show(answer)}`;
  const type = answer.headers['content-type'] ?? null;
  if (type !== step.contentType) return `content type ${String(type)} instead of ${String(step.contentType)}`;
  const [found, expected] = [readHeaders(answer.headers, place), readHeaders(step.responseHeaders, place)].map((each) =>
    JSON.stringify(each),
  );
  if (found !== expected) return `headers ${String(found)} instead of ${String(expected)}`;
  return step.match === 'status' ? undefined : compareBody(step, answer, place);
}

function show({ body }: Answer): string {
  return JSON.stringify(body.toString('utf8', 0, 600));
}

async function compareBody(step: Step, { body }: Answer, place: Place): Promise<string | undefined> {
  if (step.match === 'sqlite-dump') return compareFile(step, step.gzip === true ? gunzipSync(body) : body, place);
  const text = normalise(body.toString('utf8'), place);
  if (step.match === 'keys') return compareKeys(JSON.parse(text), step.response, '$');
  const expected = String(step.response);
  const isSame = step.match === 'regex' ? new RegExp(`^(?:${expected})$`, 'u').test(text) : text === normalise(expected, place);
  return isSame
    ? undefined
    : `${step.body?.slice(0, 300) ?? step.path}\n  got      ${JSON.stringify(text)}\n  expected ${JSON.stringify(expected)}`;
}

async function compareFile(step: Step, bytes: Buffer, { dump }: Place): Promise<string | undefined> {
  const journal = [...bytes.subarray(18, 20)];
  if (step.journalBytes !== undefined && String(journal) !== String(step.journalBytes)) {
    return `journal bytes ${String(journal)} instead of ${String(step.journalBytes)}`;
  }
  const found = await dump(bytes);
  return found === step.response ? undefined : `\n  got      ${JSON.stringify(found)}\n  expected ${JSON.stringify(step.response)}`;
}

/** Where a JSON value lacks what the tree of type names has; more keys are allowed. */
function compareKeys(value: unknown, tree: unknown, at: string): string | undefined {
  if (typeof tree === 'string') {
    const is = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
    return is === tree ? undefined : `${at} is ${is} instead of ${tree}`;
  }
  if (typeof tree !== 'object' || tree === null) return undefined;
  if (typeof value !== 'object' || value === null)
    return `${at} is ${typeof value} instead of ${Array.isArray(tree) ? 'an array' : 'an object'}`;
  const entries = Object.entries(value);
  for (const [key, part] of Object.entries(tree)) {
    const found = key === '*' ? entries[0]?.[1] : (value as Record<string, unknown>)[key];
    if (found === undefined) return `${at}.${key} is missing`;
    const difference = compareKeys(found, part, `${at}.${key}`);
    if (difference !== undefined) return difference;
  }
  return undefined;
}
