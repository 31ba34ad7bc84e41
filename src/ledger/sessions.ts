/** The reports of sessions in the ledger: each is entered at its session's end, the newest hundred of a load are kept. */
import type { Connection, Statement } from '../target/driver.ts';
import { count, maybeText, text } from './fields.ts';
import type { Reader } from './reading.ts';
import { rejectPlaces } from './schema.ts';

const tableName = 'sluice_sessions';
/** A report takes some 10 to 40 kB, so those of a load take a few megabytes at most, however often it is resumed. */
const keptSessions = 100;

/** Enters a report under the next number of its load. It must change one row: two sessions that end together have one number each. */
export function insertSession(load: string, report: string, endedAt: string): readonly Statement[] {
  return [
    {
      sql: `INSERT INTO sluice_sessions (load, session, report, ended_at) SELECT ?, coalesce(max(session), 0) + 1, ?, ? FROM sluice_sessions WHERE load = ?`,
      parameters: [load, report, endedAt, load],
      mustChange: 1,
    },
    {
      sql: `DELETE FROM sluice_sessions WHERE load = ? AND session <= (SELECT max(session) FROM sluice_sessions WHERE load = ?) - ?`,
      parameters: [load, load, keptSessions],
    },
  ];
}

/** One stored report, and the number of its session. */
export interface StoredSession {
  readonly session: number;
  readonly endedAt: string;
  readonly report: string;
}

/** Reports of a load, oldest first; none where the ledger is older than the table. */
export async function readSessions(connection: Connection, load: string): Promise<readonly StoredSession[]> {
  if ((await connection.describe(tableName)) === undefined) return [];
  const rows = await connection.query({
    sql: `SELECT session, report, ended_at FROM sluice_sessions WHERE load = ? ORDER BY session`,
    parameters: [load],
  });
  return rows.map((row) => ({ session: count(row, 'session'), endedAt: text(row, 'ended_at'), report: text(row, 'report') }));
}

/** How many sessions a load has had, those that were killed included, and why the last one failed. */
export async function readSessionCount(reader: Reader, load: string): Promise<number> {
  const rows = await reader.query({ sql: `SELECT sessions FROM sluice_loads WHERE load = ?`, parameters: [load] });
  return rows[0] === undefined ? 0 : count(rows[0], 'sessions');
}

/** A refused row that stands for others of its cause. */
export interface SampledReject {
  readonly code: string;
  readonly column: string | undefined;
  readonly message: string;
  readonly file: number;
  readonly offset: number;
  readonly line: number | undefined;
  readonly row: number | undefined;
  readonly raw: string | undefined;
}

/** How many samples are read, and how much of a row. */
export interface SampleLimits {
  readonly perCause: number;
  readonly rows: number;
  readonly rawCharacters: number;
}

/** The first refused rows of each cause. Rows are chosen by number before any of their text is read. */
export async function readRejectSamples(reader: Reader, load: string, limits: SampleLimits): Promise<readonly SampledReject[]> {
  const { perCause, rows: maxRows, rawCharacters } = limits;
  const rows = await reader.query({
    sql: `SELECT p.code, p.column_name, p.message, p.file, p.byte_offset, p.line_number, p.row_number, substr(p.raw, 1, ${String(rawCharacters)}) AS raw
FROM (${rejectPlaces}) p JOIN (
  SELECT shard, shard_row FROM (
    SELECT shard, shard_row, row_number() OVER (PARTITION BY class, code, column_name ORDER BY shard, shard_row) AS place
    FROM sluice_rejects WHERE load = ?
  ) numbered WHERE place <= ${String(perCause)} ORDER BY shard, shard_row LIMIT ${String(maxRows)}
) chosen ON chosen.shard = p.shard AND chosen.shard_row = p.shard_row
WHERE p.load = ? ORDER BY p.shard, p.shard_row`,
    parameters: [load, load],
  });
  return rows.map((row) => {
    const [line, number] = [row['line_number'], row['row_number']];
    return {
      code: text(row, 'code'),
      column: maybeText(row, 'column_name'),
      message: text(row, 'message'),
      file: count(row, 'file'),
      offset: count(row, 'byte_offset'),
      line: line === null || line === undefined ? undefined : Number(line),
      row: number === null || number === undefined ? undefined : Number(number),
      raw: maybeText(row, 'raw'),
    };
  });
}
