/** Where an rqlite URL leads: hosts in the order they are tried, user, TLS and deadlines. Nothing here ever prints the password. */
import { readFileSync } from 'node:fs';
import { SluiceError } from '../../errors.ts';
import { hideSecrets } from '../../secret-text.ts';

/** One node, as a client reaches it. */
export interface Host {
  readonly name: string;
  readonly port: number;
}

/** What a `rqlite:` or `rqlites:` URL says. */
export interface RqliteAddress {
  readonly isSecure: boolean;
  readonly hosts: readonly Host[];
  /** The `Authorization` header; undefined without a user. */
  readonly authorization: string | undefined;
  /** PEM of a private certificate authority. */
  readonly certificates: string | undefined;
  readonly connectTimeoutMs: number;
  readonly answerTimeoutMs: number;
  /** The URL without the password, for messages. */
  readonly label: string;
}

/** rqlite's own default. */
const defaultPort = 4001;

const defaultConnectTimeoutMs = 10_000;

/** The server gives a write 10 s to be agreed on; a large one has to be carried over and run as well. */
const defaultAnswerTimeoutMs = 60_000;

const urlShape = /^(rqlites?):\/\/(?:(.*)@)?([^@/?#]*)\/?(?:\?([^#]*))?$/iu;

function refuse(url: string, what: string): SluiceError {
  return new SluiceError('SLUICE_USAGE', `The target ${hideSecrets(url)} ${what}.`, {
    hint: 'Write it as rqlite://user:password@host:4001,other:4001 – rqlites:// for TLS; options: sslrootcert, connect_timeout, answer_timeout.',
  });
}

function decode(url: string, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw refuse(url, 'has a percent sign that does not begin an escape; write it as %25');
  }
}

function parseHost(url: string, text: string): Host {
  const match = /^(?:\[([0-9a-f:.]+(?:%[\w.-]+)?)\]|([^:[\]\s]+))(?::(\d{1,5}))?$/iu.exec(text.trim());
  // The zone of a link-local address stands behind %, or behind %25 as in other URLs.
  const name = match?.[1]?.replace('%25', '%') ?? match?.[2];
  const port = match?.[3] === undefined ? defaultPort : Number(match[3]);
  if (name === undefined || port < 1 || port > 65_535) throw refuse(url, 'has a host that is not of the form name:port');
  return { name, port };
}

function parseUser(url: string, user: string | undefined): string | undefined {
  if (user === undefined || user === '') return undefined;
  const colon = user.indexOf(':');
  const name = decode(url, colon < 0 ? user : user.slice(0, colon));
  const password = colon < 0 ? '' : decode(url, user.slice(colon + 1));
  return `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
}

function readSeconds(url: string, options: URLSearchParams, name: string): number | undefined {
  const text = options.get(name);
  if (text === null) return undefined;
  const seconds = Number(text);
  if (!(seconds > 0 && seconds <= 86_400)) throw refuse(url, `has a ${name} that is not a number of seconds`);
  return seconds * 1000;
}

function readCertificates(url: string, options: URLSearchParams, isSecure: boolean): string | undefined {
  const file = options.get('sslrootcert');
  if (file === null) return undefined;
  if (!isSecure) throw refuse(url, 'names an sslrootcert, which only rqlites:// uses');
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new SluiceError('SLUICE_USAGE', `The file of sslrootcert, ${file}, can't be read.`, {
      cause: error,
      hint: 'Name a PEM file with the certificate of the authority that signed the servers’ certificates.',
    });
  }
}

const knownOptions = ['sslrootcert', 'connect_timeout', 'answer_timeout'];

/**
 * Reads a URL of the driver.
 * @throws SLUICE_USAGE
 */
export function parseRqliteUrl(url: string): RqliteAddress {
  const [, scheme, user, hosts, query] = urlShape.exec(url) ?? [];
  if (scheme === undefined || hosts === undefined || hosts === '') throw refuse(url, 'names no host');
  const isSecure = scheme.toLowerCase() === 'rqlites';
  const options = new URLSearchParams(query ?? '');
  for (const name of options.keys()) if (!knownOptions.includes(name)) throw refuse(url, `has the option ${name}, which is not known`);
  return {
    isSecure,
    hosts: hosts.split(',').map((host) => parseHost(url, host)),
    authorization: parseUser(url, user),
    certificates: readCertificates(url, options, isSecure),
    connectTimeoutMs: readSeconds(url, options, 'connect_timeout') ?? defaultConnectTimeoutMs,
    answerTimeoutMs: readSeconds(url, options, 'answer_timeout') ?? defaultAnswerTimeoutMs,
    label: `${scheme.toLowerCase()}://${hosts}`,
  };
}

/** `name:port`, with brackets where the name is an IPv6 address. */
export function formatHost({ name, port }: Host): string {
  return `${name.includes(':') ? `[${name}]` : name}:${String(port)}`;
}
