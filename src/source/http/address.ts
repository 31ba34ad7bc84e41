/** http(s) URLs as sources: what of them may be printed and kept, and what is a secret for this session alone. */
import { SluiceError } from '../../errors.ts';
import { isSecretName } from '../../secret-text.ts';

export interface HttpAddress {
  /** To ask for; without user and password. */
  readonly url: URL;
  /** Value of the header `Authorization`; only ever sent to the URL's own origin. */
  readonly authorization: string | undefined;
  /** For messages, reports and the ledger: without user, password, and values of parameters that sign or permit. */
  readonly name: string;
  /** Ends requests and waits for the next try. */
  readonly signal?: AbortSignal | undefined;
}

export function isHttpUrl(text: string): boolean {
  return /^https?:/iu.test(text);
}

/**
 * @param authorization of the session, where the URL has none of its own; `SLUICE_HTTP_AUTHORIZATION` by default
 * @throws SLUICE_USAGE for a URL that can't be read
 */
export function parseHttpUrl(text: string, authorization?: string): HttpAddress {
  const url = URL.parse(text);
  if (url === null || url.hostname === '') {
    throw new SluiceError('SLUICE_USAGE', 'the URL of the source can not be read', { hint: 'Give it whole: https://host/path/file.csv.' });
  }
  const own = url.username === '' && url.password === '' ? undefined : encodeBasic(url);
  url.username = '';
  url.password = '';
  url.hash = '';
  return { url, authorization: own ?? authorization ?? readEnvironment(), name: writeName(url) };
}

function encodeBasic({ password, username }: URL): string {
  return `Basic ${Buffer.from(`${decode(username)}:${decode(password)}`).toString('base64')}`;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A lone percent sign is one.
    return text;
  }
}

function readEnvironment(): string | undefined {
  const value = process.env['SLUICE_HTTP_AUTHORIZATION'];
  return value === undefined || value === '' ? undefined : value;
}

function writeName(url: URL): string {
  const shown = new URL(url);
  const secrets = [...url.searchParams.keys()].filter(isSecretName);
  for (const key of secrets) shown.searchParams.set(key, '…');
  return shown.search === '' ? shown.href : `${shown.href.slice(0, shown.href.indexOf('?'))}${decodeURIComponent(shown.search)}`;
}

/** The part of a URL that tells the format: its path's last name. */
export function nameFile({ pathname }: URL): string {
  return decode(pathname.slice(pathname.lastIndexOf('/') + 1));
}
