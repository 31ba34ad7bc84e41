/** `postgres://user:password@host1:5432,host2:5433/database?option=value` taken apart as libpq does it; several hosts and sockets have no place in other readers of URLs. */
import { SluiceError } from '../../../errors.ts';
import { hideSecrets } from '../../../secret-text.ts';

function refuse(url: string, why: string): never {
  throw new SluiceError('SLUICE_USAGE', `The target ${hideSecrets(url)} ${why}.`, {
    hint: 'Write it as postgres://user@host:5432/database, with ?host=/var/run/postgresql for a socket.',
  });
}

function decode(text: string, url: string): string {
  try {
    const decoded = decodeURIComponent(text);
    if (decoded.includes('\0')) refuse(url, 'holds a NUL');
    return decoded;
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    return refuse(url, 'holds a percent sign that is followed by no code (write %25)');
  }
}

/** Hosts and ports of the list between `@` and `/`, as the comma lists that `host` and `port` take. */
function splitHosts(text: string, url: string): readonly [string, string][] {
  const settings: [string, string][] = [];
  const hosts: string[] = [];
  const ports: string[] = [];
  for (const part of text.split(',')) {
    const match = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/u.exec(part);
    if (match === null) refuse(url, "has a host that can't be read");
    hosts.push(decode(match[1]?.replace(/^\[(.*)\]$/u, '$1') ?? '', url));
    ports.push(decode(match[2] ?? '', url));
  }
  if (hosts.some((host) => host !== '')) settings.push(['host', hosts.join(',')]);
  if (ports.some((port) => port !== '')) settings.push(['port', ports.join(',')]);
  return settings;
}

/** Everything that the URL says, by libpq's names; later mentions replace earlier ones. @throws SLUICE_USAGE */
export function parseConnectionUrl(url: string): ReadonlyMap<string, string> {
  const settings = new Map<string, string>();
  const match = /^postgres(?:ql)?:\/\/(?:([^@/]*)@)?([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/su.exec(url);
  if (match === null) refuse(url, 'is no PostgreSQL URL');
  const [, login, hosts = '', database = '', query = ''] = match;
  if (login !== undefined) {
    const at = login.indexOf(':');
    const user = at < 0 ? login : login.slice(0, at);
    if (user !== '') settings.set('user', decode(user, url));
    if (at >= 0 && at + 1 < login.length) settings.set('password', decode(login.slice(at + 1), url));
  }
  for (const [name, value] of splitHosts(hosts, url)) settings.set(name, value);
  if (database !== '') settings.set('dbname', decode(database, url));
  for (const pair of query.split('&').filter((part) => part !== '')) {
    const at = pair.indexOf('=');
    if (at < 1) refuse(url, 'has an option without a value');
    settings.set(decode(pair.slice(0, at), url), decode(pair.slice(at + 1), url));
  }
  return settings;
}
