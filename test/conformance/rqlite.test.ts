/** The rqlite driver keeps every promise of the driver contract, against `sluice serve`, and against a real rqlited where there is one. */
import { after, test } from 'node:test';
import { describeConformance } from '../../src/testing/index.ts';
import { findRqlited, shareServer, startRqlited } from '../rqlite/server.ts';

const unreachableUrl = 'rqlite://127.0.0.1:1';

const shared = shareServer();
after(() => shared.close());

describeConformance({ name: 'rqlite (sluice serve)', unreachableUrl, createTarget: () => shared.take() });

const program = findRqlited();
if (program === undefined) {
  test('rqlite (rqlited) keeps the driver contract', { skip: 'no rqlited on the PATH, and RQLITED names none' }, () => undefined);
} else {
  describeConformance({ name: `rqlite (${program})`, unreachableUrl, createTarget: () => startRqlited(program) });
}
