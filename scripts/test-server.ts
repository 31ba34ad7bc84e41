/** The PostgreSQL server of a test run: the one that DATABASE_URL names, or one of the project's own that is started for the run. */
import process from 'node:process';
import { findServer, readPort, startServer, stopServer, writeUrl } from './postgres-server.ts';

/** Which server a run is to have; 18 where nothing is said. */
function readMajor(): 18 | 16 {
  return process.env['SLUICE_POSTGRES_MAJOR'] === '16' ? 16 : 18;
}

/**
 * Runs `work` with a server where one can be had, and says where the tests find it, or why they don't, in the environment that they inherit. A server that was
 * started here is stopped afterwards. With SLUICE_REQUIRE_POSTGRES=1 the tests fail without one (test/postgres/server.ts).
 */
export async function withServer(work: () => number): Promise<number> {
  if (process.env['DATABASE_URL'] !== undefined && process.env['DATABASE_URL'] !== '') return work();
  const stop = await startOwn().catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    process.env['SLUICE_POSTGRES_ABSENCE'] = reason;
    process.stdout.write(`PostgreSQL tests are skipped: ${reason}\n`);
    return undefined;
  });
  // Ctrl-C reaches the tests as well and ends them; what comes after is for this process to do.
  const outlive = (): void => undefined;
  process.on('SIGINT', outlive);
  try {
    return work();
  } finally {
    process.off('SIGINT', outlive);
    await stop?.();
  }
}

async function startOwn(): Promise<() => Promise<void>> {
  const server = await findServer({ major: readMajor() });
  const wasRunning = (await readPort(server)) !== undefined;
  process.env['DATABASE_URL'] = writeUrl(await startServer(server));
  return wasRunning ? async () => undefined : () => stopServer(server);
}
