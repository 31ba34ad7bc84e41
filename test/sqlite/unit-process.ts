/**
 * A process of its own for the fault tests. `hold FILE`: takes the write lock and keeps it. `write FILE START`: runs units with their records, without end;
 * both say `ready` when they are at it.
 */
import { DatabaseSync } from 'node:sqlite';
import { openSqlite } from '../../src/target/sqlite/connect.ts';
import { runSqliteUnit } from '../../src/target/sqlite/unit.ts';

const [what = '', file = '', start = '0'] = process.argv.slice(2);

async function writeUnits(): Promise<void> {
  const link = await openSqlite(`sqlite:${file}`);
  process.stdout.write('ready\n');
  for (let unit = Number(start); ; unit++) {
    const statements = Array.from({ length: 300 }, (_, index) => ({
      sql: 'INSERT INTO t (unit, n, text) VALUES (?, ?, ?)',
      parameters: [unit, index, 'x'.repeat(200)],
    }));
    // The last undoes the transaction, so that the unit is run twice; the kill may fall into either.
    const undoing = { sql: 'INSERT INTO once VALUES (1)', parameters: [] };
    await runSqliteUnit(link, {
      statements: [...statements, ...(unit % 3 === 0 ? [undoing] : [])],
      isTransaction: unit % 2 === 0,
      onConflict: 'not_applied',
      statusRows: false,
      maxRows: 1,
      record: (answers) => [
        {
          sql: 'INSERT INTO sluice_units VALUES (?, ?)',
          parameters: [unit, answers.filter(({ status }) => status === 'applied').length],
          mustChange: 1,
        },
      ],
    });
  }
}

if (what === 'hold') {
  const db = new DatabaseSync(file);
  db.exec('BEGIN IMMEDIATE');
  process.stdout.write('ready\n');
  setInterval(() => db.isTransaction, 1_000);
} else {
  await writeUnits();
}
