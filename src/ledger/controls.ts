/** What was asked of a running load from elsewhere: statements and reading of `sluice_controls`. A ledger of an earlier sluice lacks it until it is needed. */
import type { Connection, Statement } from '../target/driver.ts';
import { text } from './fields.ts';
import type { Reader } from './reading.ts';
import { controlDdl } from './schema.ts';

/** What may be asked of a load. Resuming takes the command away. */
export type ControlCommand = 'pause' | 'cancel';

/** Makes the table of commands where a ledger has none yet. */
export const makeControls: Statement = { sql: controlDdl, parameters: [] };

/** Leaves a command for a load's sessions, in the place of the one before. It must change a row: a load that ended at this moment takes none. */
export function recordControl(load: string, command: ControlCommand): Statement {
  return {
    sql: `INSERT INTO sluice_controls (load, command, at) SELECT load, ?, ? FROM sluice_loads WHERE load = ? AND state = 'running'
ON CONFLICT (load) DO UPDATE SET command = excluded.command, at = excluded.at`,
    parameters: [command, new Date().toISOString(), load],
  };
}

/** Takes the command away: the load goes on, or has ended. */
export function clearControl(load: string): Statement {
  return { sql: `DELETE FROM sluice_controls WHERE load = ?`, parameters: [load] };
}

/** The commands of all loads of a target that have one; none where the ledger has no such table. */
export async function readControls(connection: Pick<Connection, 'query' | 'describe'>): Promise<ReadonlyMap<string, ControlCommand>> {
  if ((await connection.describe('sluice_controls')) === undefined) return new Map();
  const rows = await connection.query({ sql: `SELECT load, command FROM sluice_controls`, parameters: [] });
  return new Map(rows.map((row) => [text(row, 'load'), text(row, 'command') as ControlCommand]));
}

/** The command of one load, for its sessions: they made the table. */
export async function readControl(reader: Reader, load: string): Promise<ControlCommand | undefined> {
  const rows = await reader.query({ sql: `SELECT command FROM sluice_controls WHERE load = ?`, parameters: [load] });
  return rows[0] === undefined ? undefined : (text(rows[0], 'command') as ControlCommand);
}
