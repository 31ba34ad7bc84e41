/** SQLite keeps every promise of the driver contract, on real files. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describeConformance } from '../../src/testing/index.ts';

describeConformance({
  name: 'sqlite',
  unreachableUrl: 'sqlite:/nowhere/at/all/library.db',
  createTarget: async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'sluice-conformance-'));
    return { url: `sqlite:${path.join(folder, 'test.db')}`, dispose: () => rm(folder, { recursive: true }) };
  },
});
