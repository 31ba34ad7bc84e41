/** Text from files, tables and servers on its way into a page: cut to a length, and without secrets that may stand in addresses. */
import { hideSecretsIn } from '../secret-text.ts';

/** At most so many characters, with a sign that something was cut. */
export function cutText(text: string, maxLength: number): string {
  return text.length <= maxLength ? text : `${text.slice(0, maxLength)}…`;
}

/** Both: for everything that a page shows of sources, targets and messages. */
export function tidy(text: string, maxLength = 200): string {
  // What is far behind the cut need not be looked at; what is close to it may be the end of an address that begins before.
  return cutText(hideSecretsIn(text.slice(0, 10 * maxLength)), maxLength);
}
