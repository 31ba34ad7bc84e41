/** Files of statements whose outcome shows each statement that was run twice or not at all: counters, conflicts, guards and mistakes, seeded. */
import type { StatementFormat } from '../../src/batch/options.ts';
import { createRandom } from '../simulate/random.ts';

/** What the statements work on; all of it is text that SQLite and PostgreSQL take. */
export const tables: readonly string[] = [
  'CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, age INTEGER CHECK (age < 90))',
  'CREATE TABLE tally (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, trail TEXT NOT NULL)',
  `INSERT INTO tally (id, n, trail) VALUES (1, 0, ''), (2, 0, '')`,
];

export const tableQueries: readonly string[] = ['SELECT * FROM people ORDER BY id', 'SELECT * FROM tally ORDER BY id'];

type Values = readonly (string | number)[];

/** A statement with its values; a run that does one twice, or two in another order, leaves another trail. */
function makeStatements(count: number, seed: number): readonly (readonly [string, Values])[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, (_, index): readonly [string, Values] => {
    const kind = random.between(0, 9);
    if (kind < 4)
      return [`INSERT INTO people (id, name, age) VALUES (?, ?, ?)`, [random.between(1, count), `näme; ${index}`, random.between(0, 99)]];
    if (kind < 7) return [`UPDATE tally SET n = n + 1, trail = trail || ? WHERE id = ?`, [`${index},`, random.between(1, 2)]];
    if (kind === 7)
      return [`UPDATE people SET name = ? WHERE id = ? AND age = ?`, [`it's ${index}`, random.between(1, count), random.between(0, 9)]];
    if (kind === 8) return [`DELETE FROM people WHERE id = ?`, [random.between(1, count)]];
    return [random.pick(['SELECT nonsense FROM people', 'INSERT INTO nowhere VALUES (1)', 'SELECT count(*) FROM people']), []];
  });
}

function quoteValue(value: string | number): string {
  return typeof value === 'number' ? String(value) : `'${value.replaceAll("'", "''")}'`;
}

function writeSql([sql, values]: readonly [string, Values], index: number): string {
  let at = 0;
  const text = sql.replaceAll('?', () => quoteValue(values[at++] ?? 0));
  return index % 5 === 0 ? `-- number ${index}; not a statement\n${text}\n;\n` : `${text};${index % 3 === 0 ? ' ' : '\n'}`;
}

/** The file's text. */
export function writeStatements(format: StatementFormat, count: number, seed: number): string {
  const statements = makeStatements(count, seed);
  if (format === 'sql') return statements.map(writeSql).join('');
  const lines = statements.map(([sql, values]) => JSON.stringify(values.length === 0 ? sql : [sql, ...values]));
  return format === 'jsonl' ? lines.join('\n') : `[\n${lines.join(',\n  ')}\n]\n`;
}
