/** The ledger's tables and views, in SQL that every SQL target takes; only the making of a view differs, and is the driver's to say. docs/spec/ledger.md describes them; a change here raises {@link ledgerVersion}. */
import { joinedMark, linesPerGap, offsetsPerFile, unknownGap } from '../rows/joined-place.ts';

/** Written into `sluice_meta`; a ledger of another version is refused, never guessed at. */
export const ledgerVersion = 1;

/** Tables that a ledger of this version may still lack: they came later, are made when they are first needed, and hold nothing that a load depends on. */
export const laterTables: readonly string[] = ['sluice_controls', 'sluice_deletions', 'sluice_sessions'];

export const controlDdl =
  `CREATE TABLE IF NOT EXISTS sluice_controls (load TEXT NOT NULL PRIMARY KEY, command TEXT NOT NULL, at TEXT NOT NULL)` as const;
const deletionDdl =
  `CREATE TABLE IF NOT EXISTS sluice_deletions (load TEXT NOT NULL, cause TEXT NOT NULL, deleted_count BIGINT NOT NULL, at TEXT NOT NULL, PRIMARY KEY (load, cause))` as const;

/** Makes the table of deletions where a ledger has none yet. */
export const makeDeletions: { readonly sql: string; readonly parameters: readonly [] } = { sql: deletionDdl, parameters: [] };

const tables = [
  `CREATE TABLE IF NOT EXISTS sluice_meta (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS sluice_loads (
  load TEXT NOT NULL PRIMARY KEY,
  label TEXT UNIQUE,
  fingerprint TEXT NOT NULL,
  state TEXT NOT NULL,
  source TEXT NOT NULL,
  target_table TEXT NOT NULL,
  mode TEXT NOT NULL,
  plan TEXT NOT NULL,
  parent TEXT,
  total_bytes BIGINT,
  base_rows BIGINT,
  base_digest TEXT,
  sessions BIGINT NOT NULL DEFAULT 0,
  failure TEXT,
  started_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  ended_at TEXT
)`,
  `CREATE TABLE IF NOT EXISTS sluice_shards (
  load TEXT NOT NULL,
  shard BIGINT NOT NULL,
  file BIGINT NOT NULL,
  start_offset BIGINT NOT NULL,
  end_offset BIGINT,
  head TEXT NOT NULL,
  tail TEXT NOT NULL,
  state TEXT NOT NULL,
  epoch BIGINT NOT NULL,
  owner TEXT,
  next_offset BIGINT NOT NULL,
  next_row BIGINT NOT NULL,
  next_line BIGINT NOT NULL,
  read_count BIGINT NOT NULL DEFAULT 0,
  written_count BIGINT NOT NULL DEFAULT 0,
  skipped_count BIGINT NOT NULL DEFAULT 0,
  rejected_count BIGINT NOT NULL DEFAULT 0,
  byte_count BIGINT NOT NULL DEFAULT 0,
  text_count BIGINT NOT NULL DEFAULT 0,
  distinct_count BIGINT NOT NULL DEFAULT 0,
  cached_count BIGINT NOT NULL DEFAULT 0,
  embedded_count BIGINT NOT NULL DEFAULT 0,
  added_count BIGINT NOT NULL DEFAULT 0,
  key_high BIGINT NOT NULL DEFAULT 0,
  key_low BIGINT NOT NULL DEFAULT 0,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (load, shard)
)`,
  `CREATE TABLE IF NOT EXISTS sluice_rejects (
  load TEXT NOT NULL,
  shard BIGINT NOT NULL,
  shard_row BIGINT NOT NULL,
  byte_offset BIGINT NOT NULL,
  shard_line BIGINT NOT NULL,
  class TEXT NOT NULL,
  code TEXT NOT NULL,
  column_name TEXT,
  message TEXT NOT NULL,
  raw TEXT,
  is_cut BIGINT NOT NULL,
  retried_by TEXT,
  PRIMARY KEY (load, shard, shard_row)
)`,
  `CREATE TABLE IF NOT EXISTS sluice_deferred_indexes (
  load TEXT NOT NULL,
  name TEXT NOT NULL,
  ddl TEXT NOT NULL,
  PRIMARY KEY (load, name)
)`,
  `CREATE TABLE IF NOT EXISTS sluice_vectors (
  table_name TEXT NOT NULL,
  column_name TEXT NOT NULL,
  dimensions BIGINT NOT NULL,
  metric TEXT NOT NULL,
  embedder TEXT,
  text_column TEXT,
  PRIMARY KEY (table_name, column_name)
)`,
  // What was asked of a running load from elsewhere.
  controlDdl,
  // Rows that a load took out of its table: `vanished` from the source of a sync, or `undone`.
  deletionDdl,
  // The report of each session as JSON, to be shown later.
  `CREATE TABLE IF NOT EXISTS sluice_sessions (load TEXT NOT NULL, session BIGINT NOT NULL, report TEXT NOT NULL, ended_at TEXT NOT NULL, PRIMARY KEY (load, session))`,
];

/** Whether a reject's shard is several files: its numbers are then those of rows/joined-place.ts. */
const isJoined = `s.tail LIKE '${joinedMark}%'`;
const gap = `r.shard_line / ${String(linesPerGap)}`;
const lineInFile = `r.shard_line % ${String(linesPerGap)}`;

/**
 * Rejects with rows and lines counted from the file's start; null while a shard before is not done. The sums over the shards before are made once for all
 * rejects of a load: 60,000 rejects of 4,878 shards are read in 0.9 s, with sums for each reject in 52 s.
 */
export const rejectPlaces: string = `SELECT r.load, r.shard, r.shard_row,
  CAST(CASE WHEN ${isJoined} THEN r.byte_offset % ${String(offsetsPerFile)} ELSE r.byte_offset END AS BIGINT) AS byte_offset,
  r.shard_line, r.class, r.code, r.column_name, r.message, r.raw, r.is_cut, r.retried_by,
  CAST(CASE WHEN ${isJoined} THEN s.file + r.byte_offset / ${String(offsetsPerFile)} ELSE s.file END AS BIGINT) AS file,
  CAST(CASE WHEN ${isJoined} AND ${gap} = ${String(unknownGap)} THEN NULL
    WHEN ${isJoined} AND ${gap} > ${String(unknownGap)} THEN 1 + ${lineInFile} - ${gap} + ${String(2 * unknownGap)}
    WHEN ${isJoined} THEN 1 + ${lineInFile} - ${gap}
    WHEN s.open_before = 0 THEN 1 + r.shard_row + s.rows_before END AS BIGINT) AS row_number,
  CAST(CASE WHEN ${isJoined} THEN 1 + ${lineInFile} WHEN s.open_before = 0 THEN 1 + r.shard_line + s.lines_before END AS BIGINT) AS line_number
FROM sluice_rejects r JOIN (
  SELECT load, shard, file, tail,
    sum(CASE WHEN state = 'done' THEN 0 ELSE 1 END) OVER earlier - CASE WHEN state = 'done' THEN 0 ELSE 1 END AS open_before,
    sum(next_row) OVER earlier - next_row AS rows_before,
    sum(next_line) OVER earlier - next_line AS lines_before
  FROM sluice_shards WINDOW earlier AS (PARTITION BY load, file ORDER BY shard)
) s ON s.load = r.load AND s.shard = r.shard`;

/** One line a load: its counts are sums over its shards. */
const loadStatus = `SELECT l.load, l.label, l.state, l.source, l.target_table, l.mode, l.total_bytes, l.sessions, l.failure, l.started_at, l.ended_at,
  coalesce(max(s.updated_at), l.updated_at) AS updated_at,
  count(s.shard) AS shards,
  CAST(coalesce(sum(CASE WHEN s.state = 'done' THEN 1 ELSE 0 END), 0) AS BIGINT) AS shards_done,
  CAST(coalesce(sum(s.read_count), 0) AS BIGINT) AS read_count,
  CAST(coalesce(sum(s.written_count), 0) AS BIGINT) AS written_count,
  CAST(coalesce(sum(s.skipped_count), 0) AS BIGINT) AS skipped_count,
  CAST(coalesce(sum(s.rejected_count), 0) AS BIGINT) AS rejected_count,
  CAST(coalesce(sum(s.byte_count), 0) AS BIGINT) AS byte_count,
  CAST(coalesce(sum(s.text_count), 0) AS BIGINT) AS text_count,
  CAST(coalesce(sum(s.distinct_count), 0) AS BIGINT) AS distinct_count,
  CAST(coalesce(sum(s.cached_count), 0) AS BIGINT) AS cached_count,
  CAST(coalesce(sum(s.embedded_count), 0) AS BIGINT) AS embedded_count,
  CAST(coalesce(sum(s.added_count), 0) AS BIGINT) AS added_count,
  CAST(coalesce(sum(s.key_high), 0) % 4294967296 AS BIGINT) AS key_high,
  CAST(coalesce(sum(s.key_low), 0) % 4294967296 AS BIGINT) AS key_low,
  (SELECT count(*) FROM sluice_rejects r WHERE r.load = l.load AND r.retried_by IS NULL) AS open_rejects
FROM sluice_loads l LEFT JOIN sluice_shards s ON s.load = l.load
GROUP BY l.load, l.label, l.state, l.source, l.target_table, l.mode, l.total_bytes, l.sessions, l.failure, l.started_at, l.ended_at, l.updated_at`;

/** Views by name, with the query behind each; a reject's place comes as one of them. */
export const ledgerViews: readonly { readonly name: string; readonly query: string }[] = [
  { name: 'sluice_load_status', query: loadStatus },
  { name: 'sluice_reject_places', query: rejectPlaces },
];

/** Statements that make the ledger's tables where they are missing; each may be run again. The views come after them. */
export const ledgerDdl: readonly string[] = [
  ...tables,
  `INSERT INTO sluice_meta (name, value) SELECT 'ledger_version', '${String(ledgerVersion)}' WHERE NOT EXISTS (SELECT 1 FROM sluice_meta WHERE name = 'ledger_version')`,
];
