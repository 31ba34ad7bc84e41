/** `sluice serve`: an SQLite database over HTTP until a signal ends it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { errorExitCodes, isSluiceError, SluiceError } from '../errors.ts';
import type { Limits, LogOptions, RunningServer, ServeOptions } from '../server/serve.ts';
import { printFailure } from './failure.ts';
import { endAtOnce } from './forced-end.ts';
import { watchInterrupts } from './interruption.ts';
import type { Invocation } from './invocation.ts';
import { toJsonLine } from './json-line.ts';
import { anyText, checkValues, duration, oneOf, size, toggle, whole, word } from './option-schema.ts';

const serveShape = {
  listen: word,
  auth: word,
  cert: word,
  key: word,
  readOnly: toggle,
  foreignKeys: toggle,
  readers: whole(1, 64),
  queueTransaction: toggle,
  queueCapacity: whole(1, 10_000_000),
  queueBatchSize: whole(1, 1_000_000),
  queueTimeout: duration,
  maxBody: size('1', '1GiB'),
  maxUpload: size('1', '1TiB'),
  headerTimeout: duration,
  bodyTimeout: duration,
  idleTimeout: duration,
  writeTimeout: duration,
  stopTimeout: duration,
  transactionTimeout: duration,
  maxConnections: whole(1, 1_000_000),
  allowOrigin: anyText,
  logFormat: oneOf(['json', 'text']),
  logLevel: oneOf(['debug', 'info', 'warn', 'error']),
  json: toggle,
};

/** How long output that nobody reads may keep a process that has to end. */
const lastWordsMs = 1_000;

/** Runs the command. @throws SLUICE_USAGE for options that can't be used, and what `serve` throws */
export async function runServe(invocation: Invocation): Promise<number> {
  const { options, isJson } = readServeRequest(invocation);
  const { serve } = await import('../server/serve.ts');
  const { stdout, stderr } = invocation.terminal;
  const { promise: interrupted, resolve: interrupt } = Promise.withResolvers<void>();
  const watch = watchInterrupts(
    () => {
      stderr.write('stopping: requests in flight are answered, queued ones applied; once more to stop at once\n');
      interrupt();
    },
    // A statement that runs would keep `process.exit` waiting.
    () => endAtOnce(errorExitCodes.SLUICE_CANCELLED),
  );
  try {
    const server = await serve({ ...options, log: { ...options.log, write: (line) => stderr.write(line) } });
    invocation.ready();
    stderr.write(`${layoutStart(server, options).join('\n')}\n`);
    if (isJson) stdout.write(toJsonLine({ event: 'listening', schema: 1, url: server.url, port: server.port }));
    await interrupted;
    await closeOrForce(server, invocation, isJson);
  } finally {
    watch.release();
  }
  return 0;
}

/** Closes the server; where a statement does not end, the process is ended all the same. What it had not committed is undone when the file is opened again. */
async function closeOrForce(server: RunningServer, { terminal }: Invocation, isJson: boolean): Promise<void> {
  try {
    await server.close();
  } catch (error) {
    if (!isSluiceError(error) || error.code !== 'SLUICE_TARGET_TIMEOUT') throw error;
    const exitCode = printFailure(error, terminal, isJson);
    await Promise.race([Promise.all([terminal.stdout.flush(), terminal.stderr.flush()]), sleep(lastWordsMs)]);
    endAtOnce(exitCode);
  }
}

interface ServeRequest {
  readonly options: Omit<ServeOptions, 'log'> & { readonly log: Pick<LogOptions, 'format' | 'level'> };
  readonly isJson: boolean;
}

function readServeRequest(invocation: Invocation): ServeRequest {
  const [to, ...rest] = invocation.arguments;
  const problems = to === undefined ? ['nothing to serve: name the database, for example sqlite:app.db'] : [];
  if (rest.length > 0) problems.push('one database can be served, not several');
  if (to !== undefined && !to.startsWith('sqlite:')) problems.push(`"${to.split(':', 1)[0]}" can not be served: write sqlite:app.db`);
  const values = checkValues(invocation, serveShape, problems);
  if (to === undefined) throw new SluiceError('SLUICE_USAGE', 'nothing to serve');
  const limits = {
    maxBodyBytes: values.maxBody,
    maxUploadBytes: values.maxUpload,
    headerTimeoutMs: values.headerTimeout,
    bodyTimeoutMs: values.bodyTimeout,
    idleTimeoutMs: values.idleTimeout,
    writeTimeoutMs: values.writeTimeout,
    stopTimeoutMs: values.stopTimeout,
    transactionTimeoutMs: values.transactionTimeout,
    maxConnections: values.maxConnections,
  };
  const options: ServeRequest['options'] = {
    to,
    listen: values.listen,
    auth: values.auth,
    cert: values.cert,
    key: values.key,
    isReadOnly: values.readOnly,
    checksForeignKeys: values.foreignKeys,
    readers: values.readers,
    queue: dropAbsent({
      isTransaction: values.queueTransaction,
      capacity: values.queueCapacity,
      batchSize: values.queueBatchSize,
      timeoutMs: values.queueTimeout,
    }),
    limits: dropAbsent(limits) as Partial<Limits>,
    allowOrigin: values.allowOrigin,
    // The start message says the rest; a person wants to hear of what goes wrong.
    log: { format: values.logFormat ?? 'text', level: values.logLevel ?? 'warn' },
  };
  return { options, isJson: values.json ?? false };
}

/** Options that were not given are left out, so that the server's defaults stand in one place. */
function dropAbsent<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}

/** Where it listens, what is on, what to mind, and a first request. */
function layoutStart(server: RunningServer, options: Omit<ServeOptions, 'log'>): readonly string[] {
  const on = [
    options.auth === undefined ? 'no users' : `users of ${options.auth}`,
    options.cert === undefined ? 'no TLS' : 'TLS',
    options.isReadOnly ? 'read-only' : undefined,
    options.checksForeignKeys ? 'foreign keys checked' : undefined,
    options.isReadOnly ? undefined : `queue on${options.queue?.isTransaction ? ', in transactions' : ''}`,
  ].filter((text) => text !== undefined);
  const user = options.auth === undefined ? '' : ' -u USER:PASSWORD';
  const insecure = options.cert === undefined ? '' : ' --cacert CERT';
  return [
    `serving ${options.to} on ${server.url} (${on.join('; ')})`,
    ...server.warnings.map((text) => `warning: ${text}`),
    `try: curl${user}${insecure} -XPOST '${server.url}/db/query?pretty' -H 'Content-Type: application/json' -d '["SELECT 1"]'`,
    `the routes: ${server.url}/docs`,
  ];
}
