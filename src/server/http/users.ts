/** Who may do what: rqlite's users file, read and checked once. Passwords are kept as digests and compared in constant time. */
import { hash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { SluiceError } from '../../errors.ts';

/** What a user may be allowed, as rqlite names it. */
export const permissions = [
  'all',
  'execute',
  'query',
  'load',
  'backup',
  'status',
  'ready',
  'snapshot',
  'remove',
  'leader-ops',
  'join',
  'join-read-only',
  'ui',
] as const;
export type Permission = (typeof permissions)[number];

interface User {
  readonly digest: Buffer;
  readonly permissions: ReadonlySet<string>;
}

export interface Users {
  /** Whether the `Authorization` header names a user who has all of these permissions; users called `*` are everybody. */
  allows(authorization: string | undefined, wanted: readonly Permission[]): boolean;
  /** Permissions in the file that mean nothing, for a warning. */
  readonly unknown: readonly string[];
}

const hint = 'It is a JSON array such as [{"username": "ann", "password": "…", "perms": ["execute", "query"]}]; "all" allows everything.';

/** Reads the users file. @throws SLUICE_USAGE for one that is missing or not as it should be; passwords are never in the message. */
export function openUsers(file: string): Users {
  const users = new Map<string, User>();
  const unknown = new Set<string>();
  for (const [place, entry] of readEntries(file).entries()) {
    const { username, password, perms } = checkEntry(entry, `${file}: entry ${place + 1}`);
    if (users.has(username)) throw new SluiceError('SLUICE_USAGE', `${file}: the user "${username}" stands there twice.`, { hint });
    users.set(username, { digest: digestOf(password), permissions: new Set(perms) });
    for (const name of perms) if (!permissions.some((known) => known === name)) unknown.add(name);
  }
  return { allows: (authorization, wanted) => isAllowed(users, authorization, wanted), unknown: [...unknown] };
}

function readEntries(file: string): readonly unknown[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new SluiceError('SLUICE_USAGE', `The users file ${file} can't be read.`, { cause, hint });
  }
  let entries: unknown;
  try {
    entries = JSON.parse(text);
  } catch {
    // The parser's own message would quote the file, and with it passwords.
    throw new SluiceError('SLUICE_USAGE', `The users file ${file} is not JSON.`, { hint });
  }
  if (!Array.isArray(entries)) throw new SluiceError('SLUICE_USAGE', `The users file ${file} holds no array.`, { hint });
  return entries;
}

interface Entry {
  readonly username: string;
  readonly password: string;
  readonly perms: readonly string[];
}

function checkEntry(entry: unknown, place: string): Entry {
  const { username, password = '', perms = [] } = (entry ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof username !== 'string' || username === '') throw new SluiceError('SLUICE_USAGE', `${place} has no username.`, { hint });
  if (typeof password !== 'string') throw new SluiceError('SLUICE_USAGE', `${place}: the password is no text.`, { hint });
  if (/^\$2[aby]?\$/.test(password)) {
    throw new SluiceError('SLUICE_USAGE', `${place}: the password is a bcrypt hash; it must be the password itself.`, { hint });
  }
  if (!Array.isArray(perms) || !perms.every((name) => typeof name === 'string')) {
    throw new SluiceError('SLUICE_USAGE', `${place}: perms is no array of texts.`, { hint });
  }
  return { username, password, perms };
}

function digestOf(password: string): Buffer {
  return hash('sha256', password, 'buffer');
}

/** Compared with when there is no such user, so that names can't be found out by the time that an answer takes. */
const nobody = digestOf('');

function isAllowed(users: ReadonlyMap<string, User>, authorization: string | undefined, wanted: readonly Permission[]): boolean {
  const everybody = users.get('*');
  const missing = wanted.filter((name) => !hasPermission(everybody, name));
  if (missing.length === 0) return true;
  const credentials = readCredentials(authorization);
  if (credentials === undefined || credentials.username === '') return false;
  const user = users.get(credentials.username);
  const isSame = timingSafeEqual(digestOf(credentials.password), user?.digest ?? nobody);
  return user !== undefined && isSame && missing.every((name) => hasPermission(user, name));
}

function hasPermission(user: User | undefined, name: Permission): boolean {
  return user !== undefined && (user.permissions.has(name) || user.permissions.has('all'));
}

/** User and password of a Basic `Authorization` header; the password may hold colons. */
function readCredentials(authorization: string | undefined): { readonly username: string; readonly password: string } | undefined {
  if (authorization === undefined || authorization.slice(0, 6).toLowerCase() !== 'basic ') return undefined;
  const text = Buffer.from(authorization.slice(6), 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? undefined : { username: text.slice(0, colon), password: text.slice(colon + 1) };
}
