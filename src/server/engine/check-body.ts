/** Tells whether rqlite would take a body, without running it: what the queue acknowledges must be runnable. */
import { readBody } from './body.ts';

/** undefined when rqlite would take the body, else the text of its 400. */
export function checkBody(body: Uint8Array, isPlainText: boolean): string | undefined {
  return readBody(body, { isPlainText, keepsBlobText: false }).error;
}
