/** How often and how long a server is asked again, and what its refusals mean. */
import { setTimeout as sleep } from 'node:timers/promises';
import { SluiceError } from '../../errors.ts';
import { createCancelCheck } from '../cancellation.ts';
import type { HttpAddress } from './address.ts';
import { BrokenLinkError, type HttpAnswer } from './exchange.ts';

/** Tries without a byte between them. With the waits below a server may be away for 16 s. */
const maxTries = 7;
const firstWaitMs = 250;
const longestWaitMs = 8_000;
/** A `Retry-After` beyond this is for a person to wait out. */
const longestAskedWaitMs = 60_000;

/** Answers after which the same request may succeed. */
const passing: readonly number[] = [408, 425, 429, 500, 502, 503, 504];
/** Failures of a link that asking again does not mend. */
const lasting = /^(?:ENOTFOUND|EPROTO|ERR_TLS|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_INVALID|HPE_INVALID)/u;

/** The tries of one read; bytes that came begin them anew. */
export interface Tries {
  count: number;
}

/** What was wrong with a try. */
export interface Setback {
  readonly what: string;
  readonly waitMs: number | undefined;
  readonly cause: unknown;
}

/** Waits before the next try. @throws SLUICE_SOURCE_READ when there were enough */
export async function waitForRetry(address: HttpAddress, tries: Tries, { cause, waitMs, what }: Setback): Promise<void> {
  const checkCancelled = createCancelCheck(address.name, address.signal);
  checkCancelled();
  tries.count++;
  const wait = waitMs ?? Math.min(longestWaitMs, firstWaitMs * 2 ** (tries.count - 1));
  if (tries.count >= maxTries || wait > longestAskedWaitMs) {
    const tried = tries.count === 1 ? '' : `, after ${String(tries.count)} tries`;
    throw new SluiceError('SLUICE_SOURCE_READ', `${address.name} could not be read (${what})${tried}`, {
      cause,
      hint: 'Check the URL if it is new. What was loaded so far is kept: resume when its server answers again.',
    });
  }
  try {
    await sleep(wait, undefined, address.signal === undefined ? {} : { signal: address.signal });
  } catch (error) {
    checkCancelled();
    throw error;
  }
}

/** The setback that a broken link is. @throws what was thrown, if it is none; SLUICE_SOURCE_READ if trying again is of no use */
export function toSetback(address: HttpAddress, error: unknown): Setback {
  if (!(error instanceof BrokenLinkError)) throw error;
  if (!lasting.test(error.code)) return { what: error.code, waitMs: error.waitMs, cause: error };
  const hints: Readonly<Record<string, string>> = {
    ENOTFOUND: 'Check the name of the host.',
    EPROTO: 'Its server speaks no TLS there: check the port, or name it by http.',
  };
  const hint = hints[error.code] ?? 'Check the URL and the certificate of its server.';
  throw new SluiceError('SLUICE_SOURCE_READ', `${address.name} could not be read (${error.code})`, { cause: error, hint });
}

/** The setback of an answer that is none yet; undefined for an answer to work with. @throws SLUICE_SOURCE_MISSING, SLUICE_SOURCE_DENIED, SLUICE_SOURCE_READ */
export function readRefusal(address: HttpAddress, { headers, status }: Pick<HttpAnswer, 'status' | 'headers'>): Setback | undefined {
  if (status === 200 || status === 206 || status === 416) return undefined;
  const what = `HTTP ${String(status)}`;
  if (passing.includes(status)) return { what, waitMs: readRetryAfter(headers['retry-after']), cause: undefined };
  if (status === 404 || status === 410) {
    throw new SluiceError('SLUICE_SOURCE_MISSING', `${address.name} does not exist (${what})`, { hint: 'Check the URL.' });
  }
  if (status === 401 || status === 403 || status === 407) {
    const isGiven = address.authorization !== undefined;
    throw new SluiceError('SLUICE_SOURCE_DENIED', `${address.name} may not be read (${what})`, {
      hint: isGiven
        ? 'Its server does not take these credentials; check them, or the right to read this file.'
        : 'Give credentials: https://user:password@host/…, or the header in SLUICE_HTTP_AUTHORIZATION ("Bearer …"). A signed URL may have run out.',
    });
  }
  throw new SluiceError('SLUICE_SOURCE_READ', `${address.name} could not be read (${what})`, {
    hint: 'Open it with curl -I to see what its server wants.',
  });
}

/** Seconds or a date, as milliseconds. */
function readRetryAfter(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seconds = /^\d+$/u.test(text) ? Number(text) * 1_000 : Date.parse(text) - Date.now();
  return Number.isNaN(seconds) ? undefined : Math.max(0, seconds);
}
