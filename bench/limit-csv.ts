/** The limit for small rows from CSV: two threads read a range, split it at commas and newlines, and take turns to insert it in one transaction. */
import { isMainThread, workerData } from 'node:worker_threads';
import type { SQLInputValue } from 'node:sqlite';
import { createTable, rowsPerStatement, runLane, runLanes, splitFile } from './loop.ts';
import type { LoopInput } from './loop.ts';

/** About 40,000 rows a transaction: 30,000 do as well as 100,000. */
const rangeBytes = 1 << 20;

/** The rows of a text in groups of one statement each: id, name, age, id, name, age … */
function splitRows(text: string): SQLInputValue[][] {
  const groups: SQLInputValue[][] = [];
  let group: SQLInputValue[] = [];
  for (let start = 0; start < text.length;) {
    const first = text.indexOf(',', start);
    const second = text.indexOf(',', first + 1);
    const end = text.indexOf('\n', second + 1);
    group.push(Number(text.slice(start, first)), text.slice(first + 1, second), Number(text.slice(second + 1, end)));
    if (group.length === 3 * rowsPerStatement) {
      groups.push(group);
      group = [];
    }
    start = end + 1;
  }
  if (group.length > 0) groups.push(group);
  return groups;
}

/** Loads a CSV file `id,name,age` with a header line into a new database. */
export async function loadCsv(file: string, database: string, lanes: number): Promise<void> {
  createTable(database, 'CREATE TABLE rows (id INTEGER PRIMARY KEY, name TEXT NOT NULL, age INTEGER NOT NULL)');
  await runLanes(import.meta.url, { file, database, ranges: splitFile(file, 'id,name,age\n'.length, rangeBytes), lanes });
}

if (!isMainThread) runLane(workerData as LoopInput, 3, splitRows);
