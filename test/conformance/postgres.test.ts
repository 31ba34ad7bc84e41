/** PostgreSQL with pgvector keeps every promise of the driver contract, on a real server. */
import { test } from 'node:test';
import { describeConformance } from '../../src/testing/index.ts';
import { createDatabase, skipReason } from '../postgres/server.ts';

if (skipReason === false) {
  describeConformance({ name: 'postgres', unreachableUrl: 'postgres://nobody@127.0.0.1:1/none', createTarget: createDatabase });
} else {
  test('postgres keeps the driver contract', { skip: skipReason }, () => undefined);
}
