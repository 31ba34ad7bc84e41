/** The limit for small rows from JSON lines: two threads read a range, parse each line, and take turns to insert it in one transaction. */
import { isMainThread, workerData } from 'node:worker_threads';
import type { SQLInputValue } from 'node:sqlite';
import { createTable, rowsPerStatement, runLane, runLanes, splitFile } from './loop.ts';
import type { LoopInput } from './loop.ts';

/** About 45,000 rows a transaction. */
const rangeBytes = 2 << 20;

/** The rows of a text in groups of one statement each: id, name, age, id, name, age … */
function splitRows(text: string): SQLInputValue[][] {
  const groups: SQLInputValue[][] = [];
  let group: SQLInputValue[] = [];
  for (let start = 0; start < text.length;) {
    const end = text.indexOf('\n', start);
    const row = JSON.parse(text.slice(start, end)) as { id: number; name: string; age: number };
    group.push(row.id, row.name, row.age);
    if (group.length === 3 * rowsPerStatement) {
      groups.push(group);
      group = [];
    }
    start = end + 1;
  }
  if (group.length > 0) groups.push(group);
  return groups;
}

/** Loads JSON lines with id, name and age into a new database. */
export async function loadJsonl(file: string, database: string, lanes: number): Promise<void> {
  createTable(database, 'CREATE TABLE rows (id INTEGER PRIMARY KEY, name TEXT NOT NULL, age INTEGER NOT NULL)');
  await runLanes(import.meta.url, { file, database, ranges: splitFile(file, 0, rangeBytes), lanes });
}

if (!isMainThread) runLane(workerData as LoopInput, 3, splitRows);
