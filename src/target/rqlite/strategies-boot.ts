/** The way of `sluice bench` that builds an SQLite file on this machine and puts it in the place of an empty database; asked once more right before. */
import { createReadStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SluiceError } from '../../errors.ts';
import { insertRows } from '../sqlite/strategies-write.ts';
import type { StrategyContext, StrategyResult } from '../strategy.ts';
import { writeStatement } from './answer.ts';
import { findObstacles } from './boot-plan.ts';
import { countTable } from './keys.ts';
import { sendRequest, type RqliteLink } from './link.ts';
import { withShadow } from './shadow.ts';
import { runTransaction } from './transaction.ts';

const bootTimeoutMs = 3_600_000;

/** Builds, boots, counts, and drops the table again. @throws SLUICE_TARGET_FAILED when the node is no longer empty, or takes no file */
export async function bootRows(link: RqliteLink, table: string, context: StrategyContext): Promise<StrategyResult> {
  const obstacles = await withShadow(link, {}, (shadow) => findObstacles(link, shadow));
  if (obstacles.length > 0) {
    throw new SluiceError(
      'SLUICE_TARGET_FAILED',
      `${link.address.label} is not empty any more, so nothing was booted: ${obstacles.join(' ')}`,
      {
        hint: 'Leave the way out: --only requests,queue,load.',
      },
    );
  }
  const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  const file = join(folder, 'boot.db');
  try {
    const times = await context.measure(async () => {
      await buildFile(file, table, context);
      await sendFile(link, file, context.signal);
    });
    return { ...times, sent: context.rowCount, rows: await countTable(link, table) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
    await dropTable(link, table);
  }
}

/** No journal and no waiting for the disk: until the server has it, a file that broke is built again. */
async function buildFile(file: string, table: string, { rows, rowCount, signal, isSpent }: StrategyContext): Promise<void> {
  const db = new DatabaseSync(file);
  try {
    db.exec('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF');
    const vector = rows.dimensions > 0 ? ', embedding BLOB NOT NULL' : '';
    db.exec(`CREATE TABLE rows (id INTEGER PRIMARY KEY, title TEXT NOT NULL${vector})`);
    const writing = { journal: 'OFF', synchronous: 'OFF', rowsPerCommit: rowCount, rowsPerStatement: 100 } as const;
    await insertRows({ db, rows, signal, isSpent }, writing, { from: 0, to: rowCount });
    db.exec(`ALTER TABLE rows RENAME TO ${table}`);
  } finally {
    db.close();
  }
}

async function sendFile(link: RqliteLink, file: string, signal: AbortSignal | undefined): Promise<void> {
  const answer = await sendRequest(link, {
    method: 'POST',
    path: '/boot',
    contentType: 'application/octet-stream',
    body: () => createReadStream(file),
    isRead: false,
    timeoutMs: bootTimeoutMs,
    signal,
  });
  if (answer.status === 200) return;
  throw new SluiceError(
    'SLUICE_TARGET_FAILED',
    `${link.address.label} did not take the file: it answered ${String(answer.status)} ${answer.text.trim().slice(0, 200)}.`,
    { hint: 'Leave the way out: --only requests,queue,load.' },
  );
}

async function dropTable(link: RqliteLink, table: string): Promise<void> {
  await runTransaction(link, [writeStatement(`DROP TABLE IF EXISTS ${table}`, [])]);
}
