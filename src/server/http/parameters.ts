/** What a query string asks for, checked as rqlite checks it: before authentication, method and body. Read once per text and then remembered. */
import type { DataOptions } from '../engine/contract.ts';
import { parseDuration } from './duration.ts';
import { parseQueryString } from './query-string.ts';

/** A query string that was understood. */
export interface Parameters {
  readonly values: ReadonlyMap<string, string>;
  /** The options of a data request that writes or may write. */
  readonly writing: DataOptions;
  /** The same for one that reads: strong only where `level` says so. */
  readonly reading: DataOptions;
}

type Checked =
  { readonly parameters: Parameters; readonly error?: undefined } | { readonly error: string; readonly parameters?: undefined };

const durationNames = ['timeout', 'freshness', 'db_timeout', 'linearizable_timeout'];
const integerNames = ['retries', 'trailing_logs'];
/** Go's Atoi on 64 bits. */
const maxInteger = 2n ** 63n - 1n;

/** Different query strings that are remembered: clients use few; with more of them all are forgotten, so that nothing grows. */
const maxRemembered = 512;
/** Longer ones hold statements (`?q=`), which rarely come again. */
const maxRememberedLength = 512;
const remembered = new Map<string, Checked>();

/** Reads and checks the text behind the `?`. The error is the text of the 400. */
export function readParameters(text: string): Checked {
  const known = remembered.get(text);
  if (known !== undefined) return known;
  const checked = checkParameters(text);
  if (text.length <= maxRememberedLength) {
    if (remembered.size >= maxRemembered) remembered.clear();
    remembered.set(text, checked);
  }
  return checked;
}

function checkParameters(text: string): Checked {
  const { values, error } = parseQueryString(text);
  if (values === undefined) return { error };
  const wrong = findMistake(values);
  if (wrong !== undefined) return { error: wrong };
  const reading = readOptions(values);
  return { parameters: { values, reading, writing: { ...reading, isStrong: true } } };
}

function findMistake(values: ReadonlyMap<string, string>): string | undefined {
  if (values.has('freshness_strict') && !values.has('freshness')) return 'freshness_strict requires freshness';
  for (const name of durationNames) {
    const value = values.get(name);
    if (value !== undefined && parseDuration(value) === undefined) return `${name} is not a valid duration`;
  }
  for (const name of integerNames) {
    const value = values.get(name);
    if (value !== undefined && !isInteger(value)) return `${name} is not a valid integer`;
  }
  return values.get('q') === '' ? 'query parameter not set' : undefined;
}

function isInteger(text: string): boolean {
  if (!/^[-+]?\d+$/.test(text)) return false;
  const value = BigInt(text.replace(/^\+/, ''));
  return value <= maxInteger && value >= -maxInteger - 1n;
}

/** A flag is on where it is merely present, whatever its value. */
function readOptions(values: ReadonlyMap<string, string>): DataOptions {
  const dbTimeoutMs = parseDuration(values.get('db_timeout') ?? '') ?? 0;
  return {
    isTransaction: values.has('transaction'),
    isPretty: values.has('pretty'),
    hasTimings: values.has('timings'),
    isAssociative: values.has('associative'),
    usesBlobArrays: values.has('blob_array'),
    qualifiesColumns: values.has('qualify_columns'),
    addsRaftIndex: values.has('raft_index'),
    isStrong: values.get('level')?.toLowerCase() === 'strong',
    dbTimeoutMs: dbTimeoutMs > 0 ? dbTimeoutMs : undefined,
    parses: !values.has('noparse'),
    rewritesRandom: !values.has('norwrandom'),
    rewritesTime: !values.has('norwtime'),
    isStrict: values.has('strict'),
  };
}

/** A duration among the parameters, or what stands for it. */
export function readTimeoutMs(values: ReadonlyMap<string, string>, otherwiseMs: number): number {
  const text = values.get('timeout');
  return text === undefined ? otherwiseMs : (parseDuration(text) ?? otherwiseMs);
}
