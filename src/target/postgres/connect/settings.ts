/** What a connection is to be: the URL, then the service file, then PG* variables, then psql's defaults, in libpq's order of precedence. */
import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { SluiceError } from '../../../errors.ts';
import { parseConnectionUrl } from './url.ts';
import { listHosts, type Host } from './host-list.ts';
import { readService, type Environment } from './service-file.ts';
import { readTlsSettings, type TlsSettings } from './tls.ts';

const sessionKinds = ['any', 'read-write', 'read-only', 'primary', 'standby', 'prefer-standby'] as const;
export type SessionKind = (typeof sessionKinds)[number];

export interface ConnectionSettings {
  readonly hosts: readonly Host[];
  readonly user: string;
  readonly database: string;
  readonly password: string | undefined;
  readonly passwordFile: string;
  readonly tls: TlsSettings;
  readonly sessionKind: SessionKind;
  readonly connectTimeoutMs: number;
  /** From `tcp_user_timeout`: without a sign of the server for this long it is asked, over another connection, whether it is at work. */
  readonly silenceMs: number;
  /** Parameters of the startup packet that the user asked for. */
  readonly startup: Readonly<Record<string, string>>;
  /** From `pooled=1`, `pooled=0`; undefined: to be found out. */
  readonly isPooled: boolean | undefined;
}

/** libpq's settings and their variables. @see https://www.postgresql.org/docs/current/libpq-envars.html */
const variables: Readonly<Record<string, string>> = {
  host: 'PGHOST',
  hostaddr: 'PGHOSTADDR',
  port: 'PGPORT',
  dbname: 'PGDATABASE',
  user: 'PGUSER',
  password: 'PGPASSWORD',
  passfile: 'PGPASSFILE',
  options: 'PGOPTIONS',
  application_name: 'PGAPPNAME',
  sslmode: 'PGSSLMODE',
  sslnegotiation: 'PGSSLNEGOTIATION',
  sslrootcert: 'PGSSLROOTCERT',
  sslcert: 'PGSSLCERT',
  sslkey: 'PGSSLKEY',
  sslcrl: 'PGSSLCRL',
  ssl_min_protocol_version: 'PGSSLMINPROTOCOLVERSION',
  ssl_max_protocol_version: 'PGSSLMAXPROTOCOLVERSION',
  channel_binding: 'PGCHANNELBINDING',
  connect_timeout: 'PGCONNECT_TIMEOUT',
  target_session_attrs: 'PGTARGETSESSIONATTRS',
  load_balance_hosts: 'PGLOADBALANCEHOSTS',
  TimeZone: 'PGTZ',
};

/** Options that mean something to libpq and can be left out here: tuning of its own sockets and of Kerberos, and the encoding, which is always UTF-8. */
const ignored =
  'fallback_application_name keepalives keepalives_idle keepalives_interval keepalives_count gssencmode krbsrvname gsslib gssdelegation ' +
  'sslcompression sslsni client_encoding';

/** Options of sluice's own: which rows of the database are meant, and how the session is used. */
const ownOptions = 'table query schema pooled pgbouncer service servicefile ssl sslpassword';

/** Options that have no variable. */
const unnamed = ['tcp_user_timeout'];

const known = new Set([...Object.keys(variables), ...unnamed, ...ignored.split(' '), ...ownOptions.split(' ')]);

/** Per host, while connecting; the operating system's own limit is minutes. */
const defaultConnectTimeoutMs = 10_000;

/** What `connect_timeout=0`, libpq's word for no limit, comes to: every wait has an end. */
const longestConnectTimeoutMs = 600_000;

/** Most statements of a load take seconds at most; the question costs a connection. */
const defaultSilenceMs = 60_000;

/** A shorter one would be asked about hiccups. */
const shortestSilenceMs = 500;

export interface SettingsSurroundings {
  readonly environment: Environment;
  readonly home: string;
  readonly systemUser: string;
}

function readSurroundings(): SettingsSurroundings {
  const environment = process.env;
  // A user that the system has no entry for has neither name nor home.
  const named = environment['USER'] ?? environment['LOGNAME'];
  const systemUser = ((): string => {
    try {
      return userInfo().username;
    } catch (error) {
      if (named !== undefined) return named;
      throw new SluiceError('SLUICE_USAGE', 'The name of the user is not known.', {
        cause: error,
        hint: 'Name one: postgres://user@host/database.',
      });
    }
  })();
  return { environment, home: homedir(), systemUser };
}

/** All settings that were named anywhere, the first source winning. */
function gatherSettings(url: string, { environment, home }: SettingsSurroundings): ReadonlyMap<string, string> {
  const fromUrl = parseConnectionUrl(url);
  const unknown = [...fromUrl.keys()].filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw new SluiceError('SLUICE_USAGE', `The target has options that PostgreSQL's URLs don't have: ${unknown.join(', ')}.`, {
      hint: "Options are those of psql, and sluice's table, query, schema and pooled.",
    });
  }
  const service = fromUrl.get('service') ?? environment['PGSERVICE'];
  const file = fromUrl.get('servicefile');
  const serviceSurroundings = file === undefined ? environment : { ...environment, PGSERVICEFILE: file };
  const fromService = service === undefined ? [] : readService({ service, environment: serviceSurroundings, home });
  const fromVariables = Object.entries(variables).flatMap(([name, variable]): [string, string][] => {
    const value = environment[variable];
    return value === undefined || value === '' ? [] : [[name, value]];
  });
  return new Map([...fromVariables, ...fromService, ...fromUrl]);
}

function readTimeout(text: string | undefined): number {
  if (text === undefined) return defaultConnectTimeoutMs;
  const seconds = Number(text);
  if (!Number.isInteger(seconds)) throw new SluiceError('SLUICE_USAGE', `connect_timeout=${text} is not a number of seconds.`);
  return seconds <= 0 ? longestConnectTimeoutMs : Math.min(seconds * 1000, longestConnectTimeoutMs);
}

/** libpq's unit is milliseconds here, and 0 its default. */
function readSilence(text: string | undefined): number {
  if (text === undefined) return defaultSilenceMs;
  const ms = Number(text);
  if (!Number.isInteger(ms)) throw new SluiceError('SLUICE_USAGE', `tcp_user_timeout=${text} is not a number of milliseconds.`);
  return ms <= 0 ? defaultSilenceMs : Math.min(Math.max(ms, shortestSilenceMs), longestConnectTimeoutMs);
}

function readSessionKind(text: string | undefined): SessionKind {
  const kind = sessionKinds.find((each) => each === (text ?? 'any'));
  if (kind !== undefined) return kind;
  throw new SluiceError('SLUICE_USAGE', `target_session_attrs=${text} is unknown.`, { hint: `It is one of ${sessionKinds.join(', ')}.` });
}

function readPooled(get: (name: string) => string | undefined): boolean | undefined {
  const text = get('pooled') ?? get('pgbouncer');
  return text === undefined ? undefined : !['0', 'false', 'no', 'off'].includes(text.toLowerCase());
}

function listStartup(get: (name: string) => string | undefined): Readonly<Record<string, string>> {
  const schema = get('schema');
  const timeZone = get('TimeZone');
  const options = get('options');
  return {
    application_name: get('application_name') ?? 'sluice',
    ...(options !== undefined && { options }),
    ...(timeZone !== undefined && { TimeZone: timeZone }),
    // Extensions live in public as a rule: without it their types would not be found.
    ...(schema !== undefined && { search_path: `"${schema.replaceAll('"', '""')}", public` }),
  };
}

/** Reads everything that says where and how to connect. @throws SLUICE_USAGE */
export function readConnectionSettings(url: string, surroundings: SettingsSurroundings = readSurroundings()): ConnectionSettings {
  const settings = gatherSettings(url, surroundings);
  const get = (name: string): string | undefined => settings.get(name) || undefined;
  const user = get('user') ?? surroundings.systemUser;
  const { host, hostaddr, port, load_balance_hosts } = {
    host: get('host'),
    hostaddr: get('hostaddr'),
    port: get('port'),
    load_balance_hosts: get('load_balance_hosts'),
  };
  return {
    hosts: listHosts({ host, hostaddr, port, load_balance_hosts }),
    user,
    database: get('dbname') ?? user,
    password: get('password'),
    passwordFile: get('passfile') ?? join(surroundings.home, '.pgpass'),
    tls: readTlsSettings(get, surroundings.home),
    sessionKind: readSessionKind(get('target_session_attrs')),
    connectTimeoutMs: readTimeout(get('connect_timeout')),
    silenceMs: readSilence(get('tcp_user_timeout')),
    startup: listStartup(get),
    isPooled: readPooled(get),
  };
}
