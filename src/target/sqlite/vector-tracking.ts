/**
 * Tracks which rows changed since a vector index was built. Triggers record them in the transaction that changes them, and the triggers stand before
 * the first row is read for the index, so nothing falls between. Rows above the boundary need no record: every search scans them.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import type { Metric } from '../driver.ts';
import { quoteIdentifier } from '../sql-text.ts';
import { hasTable, type VectorTable } from './vector-table.ts';

/** Tables of the index in the user's file. The canary has neither key nor index, so whatever numbers rows anew (VACUUM, a dump) moves its row first. */
const tables = [
  `CREATE TABLE IF NOT EXISTS sluice_indexes (
  table_name TEXT NOT NULL,
  column_name TEXT NOT NULL,
  id TEXT NOT NULL,
  generation INTEGER NOT NULL,
  boundary INTEGER NOT NULL,
  canary INTEGER NOT NULL,
  pending TEXT,
  published TEXT,
  published_generation INTEGER NOT NULL DEFAULT 0,
  metric TEXT NOT NULL,
  PRIMARY KEY (table_name, column_name)
) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS sluice_index_changes (
  table_name TEXT NOT NULL,
  column_name TEXT NOT NULL,
  generation INTEGER NOT NULL,
  row INTEGER NOT NULL,
  PRIMARY KEY (table_name, column_name, generation, row)
) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS sluice_index_canary (id TEXT NOT NULL)`,
];

/** Selects the rows that the index can't answer for, changed or left out; takes table and column. */
export const changedRowsSql = `SELECT row FROM sluice_index_changes WHERE table_name = ? AND column_name = ?`;

/** … those alone that triggers recorded. Rows that a build left out stand under its generation with a minus. */
export const recordedRowsSql: string = `${changedRowsSql} AND generation > 0`;

/** One index as the database knows it. */
export interface Tracking {
  /** Made anew whenever the record of changes has a gap. */
  readonly id: string;
  /** Raised by each build; the triggers write it, and a build clears only what older ones wrote. */
  readonly generation: bigint;
  /** The highest row id that the triggers watch. */
  readonly boundary: bigint;
  readonly canary: bigint;
  /** The build that began last. Its file can be trusted: what changed since it began is recorded. */
  readonly pending: string | null;
  readonly published: string | null;
  readonly publishedGeneration: bigint;
  readonly metric: Metric;
}

/** What is recorded of an index, whether or not it can be relied on; undefined without one. */
export function readTracking(db: DatabaseSync, table: VectorTable): Tracking | undefined {
  if (!hasTable(db, 'sluice_indexes')) return undefined;
  const statement = db.prepare(
    `SELECT id, generation, boundary, canary, pending, published, published_generation AS publishedGeneration, metric
     FROM sluice_indexes WHERE table_name = ? AND column_name = ?`,
  );
  statement.setReadBigInts(true);
  return statement.get(table.name, table.column) as unknown as Tracking | undefined;
}

/** Why the record of changes can't be relied on; undefined when it can. */
export function findGap(db: DatabaseSync, table: VectorTable, tracking: Tracking): string | undefined {
  if (table.rowid === undefined) return 'the table has no row ids';
  const select = db.prepare(`SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ? COLLATE NOCASE`);
  const found = new Map(select.all(table.name).map((row) => [String(row['name']), String(row['sql'])]));
  const isWatched = listTriggers(table, tracking).every((trigger) => found.get(trigger.name) === trigger.sql);
  if (!isWatched) return 'the table was replaced or its triggers were removed since the index was built';
  if (table.rowidColumn !== undefined) return undefined;
  const canary = db.prepare('SELECT id FROM sluice_index_canary WHERE rowid = ?').get(tracking.canary);
  return canary?.['id'] === tracking.id ? undefined : 'VACUUM may have numbered the rows anew since the index was built';
}

/** What a build starts from. */
export interface Beginning {
  readonly tracking: Tracking;
  /** The record before this build, if it has no gap. */
  readonly earlier: Tracking | undefined;
}

/**
 * Begins a build: makes the triggers watch all rows there are, under a new generation. Call it in a write transaction; rows are read after its commit.
 * `keepsPublished` is the build whose file is still good meanwhile.
 */
export function beginTracking(
  db: DatabaseSync,
  table: VectorTable,
  build: { readonly id: string; readonly metric: Metric; readonly keepsPublished: string | null },
): Beginning {
  for (const sql of tables) db.exec(sql);
  const recorded = readTracking(db, table);
  const earlier = recorded !== undefined && findGap(db, table, recorded) === undefined ? recorded : undefined;
  const highest = readHighestRow(db, table);
  const tracking: Tracking = {
    id: earlier?.id ?? randomBytes(12).toString('hex'),
    generation: (recorded?.generation ?? 0n) + 1n,
    boundary: earlier !== undefined && earlier.boundary > highest ? earlier.boundary : highest,
    canary: earlier?.canary ?? drawCanary(),
    pending: build.id,
    published: earlier === undefined ? null : build.keepsPublished,
    publishedGeneration: earlier?.publishedGeneration ?? 0n,
    metric: build.metric,
  };
  if (earlier === undefined) forgetTracking(db, table, recorded?.id);
  for (const trigger of listTriggers(table, tracking)) db.exec(`DROP TRIGGER IF EXISTS ${quoteIdentifier(trigger.name)}; ${trigger.sql}`);
  writeTracking(db, table, tracking);
  if (earlier === undefined) db.prepare('INSERT INTO sluice_index_canary (rowid, id) VALUES (?, ?)').run(tracking.canary, tracking.id);
  return { tracking, earlier };
}

/** Far above any count of indexes, so that no renumbering lands on it. */
function drawCanary(): bigint {
  return 0x1_0000_0000n + BigInt(randomBytes(4).readUInt32LE());
}

function readHighestRow(db: DatabaseSync, table: VectorTable): bigint {
  const statement = db.prepare(`SELECT max(${table.rowid ?? 'NULL'}) AS highest FROM ${quoteIdentifier(table.name)}`);
  statement.setReadBigInts(true);
  const highest = statement.get()?.['highest'];
  return typeof highest === 'bigint' ? highest : 0n;
}

function writeTracking(db: DatabaseSync, table: VectorTable, tracking: Tracking): void {
  db.prepare(
    `INSERT OR REPLACE INTO sluice_indexes (table_name, column_name, id, generation, boundary, canary, pending, published, published_generation, metric)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  ).run(
    table.name,
    table.column,
    tracking.id,
    tracking.generation,
    tracking.boundary,
    tracking.canary,
    tracking.pending,
    tracking.published,
    tracking.publishedGeneration,
    tracking.metric,
  );
}

/** What a finished build publishes. */
export interface Publication {
  readonly tracking: Tracking;
  /** Rows that usearch can't hold or can't reach: searched as changed ones. */
  readonly leftOut: readonly bigint[];
}

/**
 * Publishes a build. Call it in a write transaction that also puts the side file in place. Nothing is changed when a build that began later has
 * already published (`superseded`) or when the record of changes has had a gap since this one began (`gone`).
 */
export function publishTracking(
  db: DatabaseSync,
  table: VectorTable,
  { tracking, leftOut }: Publication,
): 'published' | 'superseded' | 'gone' {
  const now = readTracking(db, table);
  if (now === undefined || now.id !== tracking.id || findGap(db, table, now) !== undefined) return 'gone';
  if (now.publishedGeneration > tracking.generation) return 'superseded';
  const owner = [table.name, table.column] as const;
  db.prepare(`UPDATE sluice_indexes SET published = ?, published_generation = ?, metric = ? WHERE table_name = ? AND column_name = ?`).run(
    tracking.pending,
    tracking.generation,
    tracking.metric,
    ...owner,
  );
  db.prepare('DELETE FROM sluice_index_changes WHERE table_name = ? AND column_name = ? AND generation < ?').run(
    ...owner,
    tracking.generation,
  );
  const record = db.prepare('INSERT OR IGNORE INTO sluice_index_changes (table_name, column_name, generation, row) VALUES (?, ?, ?, ?)');
  for (const row of leftOut) record.run(...owner, -tracking.generation, row);
  return 'published';
}

/** Removes every trace of an index from the database; the user's rows stay. Works also when the table is gone. */
export function dropTracking(db: DatabaseSync, owner: { readonly name: string; readonly column: string }): void {
  if (!hasTable(db, 'sluice_indexes')) return;
  for (const event of triggerEvents) db.exec(`DROP TRIGGER IF EXISTS ${quoteIdentifier(nameTrigger(owner, event))}`);
  const select = db.prepare('SELECT id FROM sluice_indexes WHERE table_name = ? AND column_name = ?');
  const id = select.get(owner.name, owner.column)?.['id'];
  forgetTracking(db, owner, typeof id === 'string' ? id : undefined);
  db.prepare('DELETE FROM sluice_indexes WHERE table_name = ? AND column_name = ?').run(owner.name, owner.column);
}

function forgetTracking(
  db: DatabaseSync,
  { name, column }: { readonly name: string; readonly column: string },
  id: string | undefined,
): void {
  db.prepare('DELETE FROM sluice_index_changes WHERE table_name = ? AND column_name = ?').run(name, column);
  if (id !== undefined) db.prepare('DELETE FROM sluice_index_canary WHERE id = ?').run(id);
}

const triggerEvents = ['insert', 'update', 'delete'] as const;

/** A trigger and the text that makes it, which is also what `sqlite_schema` must hold. */
interface Trigger {
  readonly name: string;
  readonly sql: string;
}

function nameTrigger({ name, column }: { readonly name: string; readonly column: string }, event: string): string {
  const owner = createHash('sha256')
    .update(JSON.stringify([name, column]))
    .digest('hex')
    .slice(0, 16);
  return `sluice_index_${owner}_${event}`;
}

/** The triggers of an index. They hold its generation and boundary as constants: an insert above the boundary costs one comparison. */
function listTriggers(table: VectorTable, { generation, boundary }: Tracking): readonly Trigger[] {
  const rowid = table.rowid ?? 'rowid';
  const column = quoteIdentifier(table.column);
  // A row id can be set under any of its names, and SQLite compares the names in SET with those here as text.
  const setters = [
    column,
    'rowid',
    '_rowid_',
    'oid',
    ...(table.rowidColumn === undefined ? [] : [quoteIdentifier(table.rowidColumn)]),
  ].join(', ');
  const isWatched = (side: string): string => `${side}.${rowid} <= ${String(boundary)}`;
  const isChanged = `(OLD.${rowid} <> NEW.${rowid} OR OLD.${column} IS NOT NEW.${column})`;
  const record = (side: string): string => recordSql(table, generation, `${side}.${rowid}`);
  const bodies = {
    insert: { on: 'INSERT', when: isWatched('NEW'), does: record('NEW') },
    update: {
      on: `UPDATE OF ${setters}`,
      when: `(${isWatched('OLD')} OR ${isWatched('NEW')}) AND ${isChanged}`,
      does: `${record('OLD')} ${record('NEW')}`,
    },
    delete: { on: 'DELETE', when: isWatched('OLD'), does: record('OLD') },
  };
  return triggerEvents.map((event) => {
    const { on, when, does } = bodies[event];
    const name = nameTrigger(table, event);
    return {
      name,
      sql: `CREATE TRIGGER ${quoteIdentifier(name)} AFTER ${on} ON ${quoteIdentifier(table.name)} WHEN ${when} BEGIN ${does} END`,
    };
  });
}

/** Not `INSERT OR IGNORE`: the conflict clause of the statement that fires a trigger overrides those inside it. */
function recordSql(table: VectorTable, generation: bigint, row: string): string {
  const owner = `${quoteText(table.name)}, ${quoteText(table.column)}, ${String(generation)}`;
  const same = `(table_name, column_name, generation, row) = (${owner}, ${row})`;
  return `INSERT INTO sluice_index_changes SELECT ${owner}, ${row} WHERE NOT EXISTS (SELECT 1 FROM sluice_index_changes WHERE ${same});`;
}

function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
