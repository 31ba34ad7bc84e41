/** Where a session runs, for its report: versions, cores, memory. Never a host name, a user or a path. */
import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import os from 'node:os';
import type { Connection } from '../../target/driver.ts';
import type { Environment } from '../options.ts';

/** A server's own word for itself may go on for lines. */
const maxVersionLength = 80;

function readVersion(): string {
  const manifest = findPackageJSON('.', import.meta.url);
  if (manifest === undefined) return 'unknown';
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { readonly version: string }).version;
}

/** The first of its words: `PostgreSQL 15.18 (Debian 15.18-0+deb12u1) on x86_64…` says too much of the machine. */
async function askTargetVersion(connection: Connection): Promise<string | undefined> {
  const { versionQuery } = connection.capabilities;
  if (versionQuery === undefined) return undefined;
  try {
    const rows = await connection.query({ sql: versionQuery, parameters: [] });
    const version = rows[0]?.['version'];
    return typeof version === 'string' ? (version.split(/ on |,/u)[0] ?? version).slice(0, maxVersionLength) : undefined;
  } catch {
    // The report of a target that answers no more is made without it; what failed is told in the report's failure.
    return undefined;
  }
}

/** Describes this machine and the target behind a connection. */
export async function describeEnvironment(connection: Connection): Promise<Environment> {
  const total = os.totalmem();
  // 0 or beyond all memory where no limit is set.
  const limit = process.constrainedMemory();
  return {
    sluice: readVersion(),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    cores: os.availableParallelism(),
    memoryBytes: limit > 0 ? Math.min(limit, total) : total,
    target: connection.capabilities.name,
    targetVersion: await askTargetVersion(connection),
  };
}
