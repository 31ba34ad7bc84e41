/** PGlite, PostgreSQL in process, keeps every promise of the driver contract, on real folders. */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { describeConformance } from '../../src/testing/index.ts';
import { copyEmptyDatabase, makeDatabaseFolder } from '../postgres/pglite-folder.ts';

const folder = makeDatabaseFolder();
let count = 0;

describeConformance({
  name: 'pglite',
  unreachableUrl: 'pglite:/nowhere/at/all/data',
  createTarget: async () => {
    const place = path.join(folder, String(++count));
    await copyEmptyDatabase(place);
    return { url: `pglite:${place}`, dispose: () => rm(place, { recursive: true, force: true }) };
  },
});
