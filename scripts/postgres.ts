/** `npm run -s postgres start|stop|status|destroy|bin`: a PostgreSQL server with pgvector for tests, benchmarks and trying things out. */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { destroyServer, findServer, readPort, startServer, stopServer, writeUrl, type Server } from './postgres-server.ts';

const usage = `npm run -s postgres -- VERB [--major 18|16] [--dir FOLDER] [--port PORT] [--set NAME=VALUE]

  start    fetch what is missing, start, and print what a shell evaluates:  eval "$(npm run -s postgres start)"
  stop     stop the server; its data stay
  status   the same lines as start while it runs, else "stopped" and status 3
  destroy  stop it and remove its data
  bin      the folder with psql and the other programs

Needs Linux on x64 or arm64 with python3 and pip, for the first start. FOLDER is .pg in the project by default, PORT any free one.
`;

function printLines(port: number): void {
  process.stdout.write(`export PGHOST=127.0.0.1 PGPORT=${String(port)} PGUSER=postgres PGDATABASE=postgres\n`);
  process.stdout.write(`export DATABASE_URL=${writeUrl(port)}\n`);
}

async function printStatus(server: Server): Promise<number> {
  const port = await readPort(server);
  if (port === undefined) process.stdout.write('stopped\n');
  else printLines(port);
  return port === undefined ? 3 : 0;
}

const verbs: Readonly<Record<string, (server: Server) => Promise<number>>> = {
  start: async (server) => {
    printLines(await startServer(server));
    return 0;
  },
  stop: async (server) => {
    await stopServer(server);
    return 0;
  },
  status: printStatus,
  destroy: async (server) => {
    await destroyServer(server);
    return 0;
  },
  bin: async (server) => {
    process.stdout.write(`${server.programFolder}\n`);
    return 0;
  },
};

function readMajor(text: string): 18 | 16 {
  if (text !== '18' && text !== '16') throw new Error(`--major is 18 or 16, not ${text}`);
  return text === '18' ? 18 : 16;
}

function readSettings(pairs: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
}

async function runVerb(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      major: { type: 'string', default: '18' },
      dir: { type: 'string' },
      port: { type: 'string' },
      set: { type: 'string', multiple: true, default: [] },
    },
  });
  const verb = verbs[positionals[0] ?? ''];
  if (verb === undefined || positionals.length > 1) {
    process.stderr.write(usage);
    return 2;
  }
  const port = values.port === undefined ? undefined : Number.parseInt(values.port, 10);
  return verb(await findServer({ major: readMajor(values.major), folder: values.dir, port, settings: readSettings(values.set) }));
}

try {
  process.exitCode = await runVerb();
} catch (error) {
  process.stderr.write(`postgres: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
