/** PGlite and its pgvector, which are optional packages: imported on use, and named with the command that installs them where they are missing. */
import type { PGlite } from '@electric-sql/pglite';
import type { vector } from '@electric-sql/pglite-pgvector';
import { SluiceError } from '../../errors.ts';

/**
 * Opens PGlite on a folder, or in memory, with pgvector in the database.
 * @throws SLUICE_PACKAGE_MISSING
 */
export async function openPglite(folder: string | undefined): Promise<PGlite> {
  const { Database, extension } = await importPackages();
  const options = { extensions: { vector: extension } };
  const db = await (folder === undefined ? Database.create(options) : Database.create(folder, options));
  await db.exec('SET client_min_messages = error; CREATE EXTENSION IF NOT EXISTS vector; RESET client_min_messages');
  return db;
}

interface Packages {
  readonly Database: typeof PGlite;
  readonly extension: typeof vector;
}

async function importPackages(): Promise<Packages> {
  try {
    const [database, pgvector] = await Promise.all([import('@electric-sql/pglite'), import('@electric-sql/pglite-pgvector')]);
    return { Database: database.PGlite, extension: pgvector.vector };
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND')) throw error;
    throw new SluiceError('SLUICE_PACKAGE_MISSING', 'A pglite: target needs PGlite and its pgvector, which are not installed.', {
      cause: error,
      hint: 'npm install @electric-sql/pglite @electric-sql/pglite-pgvector',
    });
  }
}
