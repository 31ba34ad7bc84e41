/** The names that somebody may want to type: tables and loads of a target. Reads only. */
import { hasLedger, readLoads } from '../../ledger/reading.ts';
import type { Connection } from '../../target/driver.ts';
import { connect } from '../../target/registry.ts';

export interface NameList {
  readonly tables: readonly string[];
  /** Newest first. */
  readonly loads: readonly { readonly load: string; readonly label: string | undefined; readonly state: string; readonly table: string }[];
}

const maxNames = 200;

/** Of what the two dialects list their tables by; sluice's own are left out. */
const tableQueries: Readonly<Record<'sqlite' | 'postgres', string>> = {
  sqlite: `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sluice\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name LIMIT ${String(maxNames)}`,
  postgres: `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = ANY (current_schemas(false)) AND table_type = 'BASE TABLE' AND table_name NOT LIKE 'sluice\\_%' ORDER BY table_name LIMIT ${String(maxNames)}`,
};

/**
 * The tables and loads of a target; at most 200 of each.
 * @throws SLUICE_TARGET_… when it can't be opened
 */
export async function listNames(url: string, signal?: AbortSignal): Promise<NameList> {
  const connection = await connect(url, { isReadOnly: true, lockTimeoutMs: 100, ...(signal === undefined ? {} : { signal }) });
  try {
    return { tables: await listTables(connection), loads: await listLoads(connection) };
  } finally {
    await connection.close();
  }
}

async function listTables(connection: Connection): Promise<readonly string[]> {
  const sql = tableQueries[connection.capabilities.dialect ?? 'sqlite'];
  const rows = await connection.query({ sql, parameters: [] });
  return rows.map((row) => String(row['name']));
}

async function listLoads(connection: Connection): Promise<NameList['loads']> {
  if (!(await hasLedger(connection))) return [];
  const loads = (await readLoads(connection)).toReversed().slice(0, maxNames);
  return loads.map(({ label, load, state, table }) => ({ load, label, state, table }));
}
