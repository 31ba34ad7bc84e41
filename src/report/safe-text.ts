/** Text from files, tables and servers on its way into a page: cut to a length, and without secrets that may stand in addresses. */

/** Names of URL parameters whose values nobody else should read. */
const secretParameter =
  /([?&](?:[\w-]*(?:password|passwd|secret|token|signature|credential|api[-_]?key|access[-_]?key)[\w-]*|sig|pwd)=)[^&\s'"]*/giu;
const credentials = /([a-z][a-z0-9+.-]*:\/\/[^\s/:@?#'"]*):[^@\s/'"]*@/giu;

/** An address without passwords; other text as it is. */
export function hideSecrets(text: string): string {
  return text.replaceAll(credentials, '$1:***@').replaceAll(secretParameter, '$1***');
}

/** At most so many characters, with a sign that something was cut. */
export function cutText(text: string, maxLength: number): string {
  return text.length <= maxLength ? text : `${text.slice(0, maxLength)}…`;
}

/** Both: for everything that a page shows of sources, targets and messages. */
export function tidy(text: string, maxLength = 200): string {
  // What is far behind the cut need not be looked at; what is close to it may be the end of an address that begins before.
  return cutText(hideSecrets(text.slice(0, 10 * maxLength)), maxLength);
}
