/** How the ledger takes up rows that somebody deleted by hand through sluice: as an entry among the loads of the table, whose sums it lowers, so that verify still adds up. */
import type { Statement } from '../target/driver.ts';
import { parseDigest } from './digest.ts';

export interface DeletedRows {
  /** Names the entry; unlike any load's. */
  readonly name: string;
  readonly table: string;
  /** In words: by which keys or condition; no values. */
  readonly source: string;
  /** JSON of the plan of a load into the table, for what verify must know: key, settings. */
  readonly plan: string;
  readonly count: number;
  /** Of the keys that went; undefined where it is not known. */
  readonly digest: string | undefined;
}

/** Sums of digests are taken modulo 2³². */
const modulus = 4_294_967_296;

export function recordDeletedRows({ name, table, source, plan, count, digest }: DeletedRows): readonly Statement[] {
  const at = new Date().toISOString();
  const sums = digest === undefined ? { high: 0, low: 0 } : parseDigest(digest);
  return [
    {
      sql: `INSERT INTO sluice_loads (load, fingerprint, state, source, target_table, mode, plan, sessions, started_at, updated_at, ended_at) VALUES (?, ?, 'done', ?, ?, 'delete', ?, 1, ?, ?, ?)`,
      parameters: [name, name, source, table, plan, at, at, at],
    },
    {
      sql: `INSERT INTO sluice_shards (load, shard, file, start_offset, head, tail, state, epoch, next_offset, next_row, next_line, added_count, key_high, key_low, updated_at)
VALUES (?, 0, 0, 0, '', '', 'done', 0, 0, 0, 0, ?, ?, ?, ?)`,
      parameters: [name, -count, (modulus - sums.high) % modulus, (modulus - sums.low) % modulus, at],
    },
  ];
}
