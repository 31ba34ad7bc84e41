/** Limits under which the server ends a batch whose client is gone without a word: a batch holds its shard's ledger row, and who takes the shard over waits for that. */
import { catalogTimeoutMs } from '../catalog/table.ts';
import type { PgLink } from '../link.ts';

/**
 * Most that each may be, in the server's own units (ms, then seconds, seconds, probes); a limit that is stricter stays. No batch waits for its client between two
 * statements, so two minutes are an outage. A client whose machine is gone is noticed after 10 + 3 × 5 s, in less than the 30 s that a lock is waited for;
 * Linux would take 2 hours and 11 minutes.
 */
const most: Readonly<Record<string, number>> = {
  idle_in_transaction_session_timeout: 120_000,
  tcp_keepalives_idle: 10,
  tcp_keepalives_interval: 5,
  tcp_keepalives_count: 3,
};

/** Statements for a batch's transaction alone: a pooler hands the session on to others. Settings that the server does not know are left alone. */
export async function readSessionLimits(link: PgLink): Promise<readonly string[]> {
  const names = Object.keys(most);
  const sql = `SELECT name, setting FROM pg_catalog.pg_settings WHERE name IN (${names.map((name) => `'${name}'`).join(', ')})`;
  const { rows } = await link.query(sql, [], { timeoutMs: catalogTimeoutMs });
  const found = new Map(rows.map(({ name, setting }) => [String(name), Number(setting)]));
  return names.flatMap((name) => {
    const [now, limit] = [found.get(name), most[name] ?? 0];
    if (now === undefined || (now > 0 && now <= limit)) return [];
    // Zero is «no limit» for the transaction, and of keepalives «a socket of this machine», where the system tells at once.
    return now === 0 && name.startsWith('tcp_') ? [] : [`SET LOCAL ${name} = ${String(limit)}`];
  });
}
