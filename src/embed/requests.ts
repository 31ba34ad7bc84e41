/** Cuts texts into requests that keep within an embedder's limits; which text stands where is kept as indexes, so that order is never lost. */
import type { EmbedderLimits } from './embedder.ts';

/** Texts are sorted by length within a window of this many: texts of one length pad each other little, and a request never holds what came much later. */
const WINDOW_TEXTS = 4_096;
/** A token is at least about this many bytes in the usual vocabularies. */
const BYTES_PER_TOKEN = 3;

/** Estimated tokens of a text, never fewer than 1. */
export function estimateTokens(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / BYTES_PER_TOKEN));
}

interface OpenRequest {
  indexes: number[];
  bytes: number;
  tokens: number;
  longest: number;
}

function startRequest(): OpenRequest {
  return { indexes: [], bytes: 0, tokens: 0, longest: 0 };
}

function hasRoom(request: OpenRequest, bytes: number, limits: EmbedderLimits): boolean {
  const tokens = estimateTokens(bytes);
  const inputs = request.indexes.length + 1;
  return (
    inputs <= limits.maxInputs &&
    request.bytes + bytes <= limits.maxBytes &&
    request.tokens + tokens <= limits.maxTokens &&
    inputs * Math.max(request.longest, tokens) <= (limits.maxPaddedTokens ?? Infinity)
  );
}

/** Longest first within each window: a request that is too big fails early, and the last is small. Equal lengths stay in order. */
function sortWindows(byteCounts: ArrayLike<number>): number[] {
  const order = Array.from({ length: byteCounts.length }, (_, index) => index);
  const windows: number[][] = [];
  for (let start = 0; start < order.length; start += WINDOW_TEXTS) {
    windows.push(order.slice(start, start + WINDOW_TEXTS).sort((a, b) => byteCounts[b]! - byteCounts[a]! || a - b));
  }
  return windows.flat();
}

/** Requests where only the number of texts counts: nothing to weigh or sort. */
function cutByInputs(count: number, maxInputs: number): number[][] {
  const size = Math.min(count, maxInputs);
  const requests: number[][] = [];
  for (let start = 0; start < count; start += size)
    requests.push(Array.from({ length: Math.min(size, count - start) }, (_, offset) => start + offset));
  return requests;
}

/** Whether a limit depends on the texts' lengths, so that they must be known. */
export function needsLengths(limits: EmbedderLimits): boolean {
  return limits.maxTokens !== Infinity || limits.maxBytes !== Infinity || (limits.maxPaddedTokens ?? Infinity) !== Infinity;
}

/**
 * Packs texts of the given byte counts into requests, each a list of indexes; every index is in exactly one. A text that exceeds a limit alone is a request
 * of its own: only the embedder's count is exact.
 */
export function packRequests(byteCounts: ArrayLike<number>, limits: EmbedderLimits): number[][] {
  if (!needsLengths(limits)) return cutByInputs(byteCounts.length, limits.maxInputs);
  const requests: number[][] = [];
  let request = startRequest();
  for (const index of sortWindows(byteCounts)) {
    const bytes = byteCounts[index]!;
    if (request.indexes.length > 0 && !hasRoom(request, bytes, limits)) {
      requests.push(request.indexes);
      request = startRequest();
    }
    const tokens = estimateTokens(bytes);
    request.indexes.push(index);
    request.bytes += bytes;
    request.tokens += tokens;
    request.longest = Math.max(request.longest, tokens);
  }
  if (request.indexes.length > 0) requests.push(request.indexes);
  return requests;
}
