/** `sslmode` and its files turned into what a TLS handshake needs, with libpq's meaning of each mode. @see https://www.postgresql.org/docs/current/libpq-ssl.html */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import process from 'node:process';
import type { ConnectionOptions, SecureVersion } from 'node:tls';
import { SluiceError } from '../../../errors.ts';
import type { Host } from './host-list.ts';

const modes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
type TlsMode = (typeof modes)[number];

export interface TlsSettings {
  readonly mode: TlsMode;
  /** `direct`: the handshake begins at once (PostgreSQL 17 and later). */
  readonly negotiation: 'postgres' | 'direct';
  /** `require`: the password exchange must be bound to the certificate. */
  readonly channelBinding: 'disable' | 'prefer' | 'require';
  /** File of certificates to trust, `system` for those of the runtime; undefined for libpq's default file where it exists. */
  readonly rootFile: string | undefined;
  readonly certificateFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly keyPassword: string | undefined;
  readonly minVersion: SecureVersion | undefined;
  readonly maxVersion: SecureVersion | undefined;
}

function pick<Choice extends string>(name: string, text: string | undefined, choices: readonly Choice[]): Choice | undefined {
  if (text === undefined) return undefined;
  const choice = choices.find((each) => each === text);
  if (choice !== undefined) return choice;
  throw new SluiceError('SLUICE_USAGE', `${name}=${text} is unknown.`, { hint: `It is one of ${choices.join(', ')}.` });
}

const versions = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const;

/** @throws SLUICE_USAGE for a mode that there is not, or one that can't be kept */
export function readTlsSettings(get: (name: string) => string | undefined, home: string): TlsSettings {
  if (get('sslcrl') !== undefined) {
    throw new SluiceError('SLUICE_USAGE', 'Revocation lists (sslcrl) are not supported.', { hint: 'Leave sslcrl out, or use psql.' });
  }
  const inHome = (file: string): string | undefined => {
    const path = join(home, '.postgresql', file);
    return existsSync(path) ? path : undefined;
  };
  const rootFile = get('sslrootcert') ?? inHome('root.crt');
  const certificateFile = get('sslcert') ?? inHome('postgresql.crt');
  const asked = pick('sslmode', get('sslmode'), modes) ?? (['1', 'true', 'on'].includes(get('ssl') ?? '') ? 'require' : undefined);
  const mode = asked ?? (rootFile === 'system' ? 'verify-full' : 'prefer');
  if (rootFile === 'system' && mode !== 'verify-full') {
    throw new SluiceError('SLUICE_USAGE', `sslrootcert=system goes with sslmode=verify-full only, not with ${mode}.`, {
      hint: 'Write sslmode=verify-full.',
    });
  }
  return {
    mode,
    negotiation: pick('sslnegotiation', get('sslnegotiation'), ['postgres', 'direct']) ?? 'postgres',
    channelBinding: pick('channel_binding', get('channel_binding'), ['disable', 'prefer', 'require']) ?? 'prefer',
    rootFile,
    certificateFile,
    keyFile: get('sslkey') ?? (certificateFile === undefined ? undefined : inHome('postgresql.key')),
    keyPassword: get('sslpassword'),
    minVersion: pick('ssl_min_protocol_version', get('ssl_min_protocol_version'), versions) ?? 'TLSv1.2',
    maxVersion: pick('ssl_max_protocol_version', get('ssl_max_protocol_version'), versions),
  };
}

function readFile(what: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new SluiceError('SLUICE_USAGE', `The ${what} ${file} can't be read.`, { cause: error, hint: 'Check the path and its rights.' });
  }
}

/** A private key that others may read is refused, as libpq does: 0600, or 0640 when root owns it. */
function checkKey(file: string): void {
  if (process.platform === 'win32') return;
  const stats = statSync(file, { throwIfNoEntry: false });
  if (stats === undefined || (stats.mode & (stats.uid === 0 ? 0o027 : 0o077)) === 0) return;
  throw new SluiceError('SLUICE_USAGE', `The private key ${file} can be read by others.`, { hint: `chmod 600 ${file}` });
}

function listClientFiles(settings: TlsSettings): ConnectionOptions {
  const { certificateFile, keyFile, keyPassword } = settings;
  if (certificateFile === undefined) return {};
  if (keyFile === undefined) {
    throw new SluiceError('SLUICE_USAGE', `The certificate ${certificateFile} has no private key.`, { hint: 'Name it with sslkey=FILE.' });
  }
  checkKey(keyFile);
  return {
    cert: readFile('certificate', certificateFile),
    key: readFile('private key', keyFile),
    ...(keyPassword !== undefined && { passphrase: keyPassword }),
  };
}

function createTlsOptions(settings: TlsSettings): ConnectionOptions {
  const { mode, rootFile, minVersion, maxVersion } = settings;
  const versionRange = { ...(minVersion !== undefined && { minVersion }), ...(maxVersion !== undefined && { maxVersion }) };
  const shared = { ...listClientFiles(settings), ...versionRange };
  // With a file of roots at hand libpq verifies the chain in the mode `require` too.
  const isVerified = mode === 'verify-ca' || mode === 'verify-full' || (mode === 'require' && rootFile !== undefined);
  if (!isVerified) return { ...shared, rejectUnauthorized: false };
  if (rootFile === undefined) {
    throw new SluiceError('SLUICE_USAGE', `sslmode=${mode} needs the certificates to trust, and there is no ~/.postgresql/root.crt.`, {
      hint: 'Name a file with sslrootcert=FILE, or take those of the runtime: sslrootcert=system.',
    });
  }
  return {
    ...shared,
    rejectUnauthorized: true,
    ...(rootFile !== 'system' && { ca: readFile('root certificate', rootFile) }),
    ...(mode !== 'verify-full' && { checkServerIdentity: () => undefined }),
  };
}

/** The ways to try on a host, in this order; `false` is without TLS. Sockets of the same machine need none. */
export function listTlsWays(settings: TlsSettings, host: Host): readonly (ConnectionOptions | false)[] {
  if (host.isSocket || settings.mode === 'disable') return [false];
  // The certificate is checked against the name, also where the address was given beside it; a server name must be no address (RFC 6066).
  const names = { host: host.name, ...(isIP(host.name) === 0 && { servername: host.name }) };
  const options: ConnectionOptions = { ...createTlsOptions(settings), ...names };
  if (settings.mode === 'allow') return [false, options];
  return settings.mode === 'prefer' ? [options, false] : [options];
}
