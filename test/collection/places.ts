/** Databases of every kind that these tests run on, each new and gone with its test; one that is not there is skipped with its reason. */
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { makeFolder } from '../fixtures/load-folder.ts';
import { copyEmptyDatabase } from '../postgres/pglite-folder.ts';
import { createDatabase, skipReason } from '../postgres/server.ts';
import { startServer } from '../rqlite/server.ts';

export interface Place {
  readonly name: string;
  /** Vectors are searched and indexed. */
  readonly hasVectors: boolean;
  readonly skip: string | false;
  open(context: TestContext): Promise<string>;
}

const sqlite: Place = {
  name: 'sqlite',
  hasVectors: true,
  skip: false,
  open: async (context) => `sqlite:${join(makeFolder(context), 'library.db')}`,
};

const postgres: Place = {
  name: 'postgres',
  hasVectors: true,
  skip: skipReason,
  open: async (context) => {
    const database = await createDatabase();
    context.after(() => database.dispose());
    return database.url;
  },
};

const pglite: Place = {
  name: 'pglite',
  hasVectors: true,
  skip: false,
  open: async (context) => {
    const folder = join(makeFolder(context), 'data');
    await copyEmptyDatabase(folder);
    return `pglite:${folder}`;
  },
};

const rqlite: Place = {
  name: 'rqlite',
  hasVectors: false,
  skip: false,
  open: async (context) => {
    const server = await startServer();
    context.after(() => server.dispose());
    return server.url;
  },
};

export const places: readonly Place[] = [sqlite, postgres, pglite, rqlite];
export const vectorPlaces: readonly Place[] = places.filter(({ hasVectors }) => hasVectors);
