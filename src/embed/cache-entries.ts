/** The statements on an open cache file. Each call works on at most one statement's worth of texts, as one blob of keys and one of values. */
import { endianness } from 'node:os';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { MAX_STATEMENT_ROWS } from './cache-file.ts';
import { KEY_BYTES } from './cache-key.ts';

/** Values of one statement stay below this, so that a transaction is short and its blobs small. */
const MAX_STATEMENT_BYTES = 4 * 1024 * 1024;
/** Entries dropped by one short transaction. */
const EVICTED_ROWS = 1024;
/** Pages given back to the file system by one transaction. */
const VACUUM_PAGES = 1024;

/** `n.i` counts the texts of a call; CROSS JOIN keeps SQLite from looking at the tables in another order. */
const KEY = `substr(?1, n.i * ${KEY_BYTES} + 1, ${KEY_BYTES})`;
const PREFIX = `substr(?1, n.i * ${KEY_BYTES} + 1, 8)`;

/** All vectors as one blob (2 µs a text; as a blob each 3.3): group_concat and both casts hand the bytes on as they are. */
const FIND = `
  SELECT json_group_array(i), json_group_array(id), CAST(group_concat(value, '') AS BLOB)
  FROM (SELECT n.i, k.id, v.value
        FROM temp.numbers n CROSS JOIN keys k ON k.prefix = ${PREFIX} CROSS JOIN vectors v ON v.id = k.id
        WHERE n.i < ?2 AND v.key = ${KEY} AND length(v.value) = ?3)`;
const ADD_KEYS = `INSERT OR IGNORE INTO keys (prefix, id) SELECT ${PREFIX}, ?3 + n.i FROM temp.numbers n WHERE n.i < ?2`;
/** Only what has just got its key; a text that another process stored meanwhile has it already. */
const ADD_VECTORS = `
  INSERT INTO vectors (id, key, value)
  SELECT k.id, ${KEY}, substr(?4, n.i * ?5 + 1, ?5)
  FROM temp.numbers n CROSS JOIN keys k ON k.prefix = ${PREFIX} WHERE n.i < ?2 AND k.id = ?3 + n.i`;
/** A value that was there is written again: it may have been found damaged. */
const MEND_VECTORS = `
  UPDATE vectors SET value = substr(?4, n.i * ?5 + 1, ?5)
  FROM temp.numbers n CROSS JOIN keys k ON k.prefix = ${PREFIX}
  WHERE n.i < ?2 AND k.id < ?3 AND vectors.id = k.id AND vectors.key = ${KEY}`;
const ADD_USES = 'INSERT INTO uses (id, tick) SELECT id, ?1 FROM vectors WHERE id >= ?2';
const TOUCH = 'UPDATE uses SET tick = ?1 WHERE id BETWEEN ?2 AND ?3';
const FIND_OLDEST = `SELECT json_group_array(id) AS ids FROM (SELECT id FROM uses ORDER BY tick, id LIMIT ${EVICTED_ROWS})`;
const CHOSEN = '(SELECT value FROM json_each(?1))';
const DROPS: readonly string[] = [
  `DELETE FROM keys WHERE prefix IN (SELECT substr(v.key, 1, 8) FROM json_each(?1) j CROSS JOIN vectors v ON v.id = j.value)`,
  `DELETE FROM vectors WHERE id IN ${CHOSEN}`,
  `DELETE FROM uses WHERE id IN ${CHOSEN}`,
];

/** What was found for the keys of one call: `indexes[j]` has the entry `ids[j]` and the vector `values[j * dimensions …]`. */
export interface FoundEntries {
  readonly indexes: readonly number[];
  readonly ids: readonly number[];
  readonly values: Float32Array;
}

export interface CacheUsage {
  readonly entries: number;
  /** Bytes of the pages in use, indexes included. */
  readonly usedBytes: number;
  /** Bytes of the pages in the file. */
  readonly fileBytes: number;
}

/** Float32 from little-endian bytes or the other way; a copy only where the machine or the alignment asks for it. */
function swapIfBig(bytes: Uint8Array): Uint8Array {
  return endianness() === 'LE' ? bytes : Buffer.from(bytes).swap32();
}

function toFloats(bytes: Uint8Array): Float32Array {
  const ordered = swapIfBig(bytes);
  const aligned = ordered.byteOffset % 4 === 0 ? ordered : ordered.slice();
  return new Float32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength >> 2);
}

/** Ids as first and last of stretches without a gap: a load in the same order as before uses whole stretches. */
function findStretches(ids: readonly number[]): [number, number][] {
  const sorted = Float64Array.from(ids).sort();
  const stretches: [number, number][] = [];
  for (const id of sorted) {
    const last = stretches.at(-1);
    if (last !== undefined && id <= last[1] + 1) last[1] = id;
    else stretches.push([id, id]);
  }
  return stretches;
}

/** How many texts one call takes. */
export function countStatementRows(dimensions: number): number {
  return Math.max(1, Math.min(MAX_STATEMENT_ROWS, Math.floor(MAX_STATEMENT_BYTES / (dimensions * 4))));
}

/** The statements, prepared on one connection. Calls that write belong into a transaction of the caller's. */
export class CacheEntries {
  readonly #database: DatabaseSync;
  readonly #find: StatementSync;
  readonly #addKeys: StatementSync;
  readonly #addVectors: StatementSync;
  readonly #addUses: StatementSync;
  readonly #touch: StatementSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#find = database.prepare(FIND);
    this.#find.setReturnArrays(true);
    this.#addKeys = database.prepare(ADD_KEYS);
    this.#addVectors = database.prepare(ADD_VECTORS);
    this.#addUses = database.prepare(ADD_USES);
    this.#touch = database.prepare(TOUCH);
  }

  #number(sql: string): number {
    const [value] = Object.values(this.#database.prepare(sql).get() ?? {});
    return Number(value ?? 0);
  }

  /** Looks up `[count, 32]` keys. */
  find(keys: Uint8Array, dimensions: number): FoundEntries {
    const row: unknown = this.#find.get(keys, keys.length / KEY_BYTES, dimensions * 4);
    if (!Array.isArray(row)) return { indexes: [], ids: [], values: new Float32Array() };
    const [indexes, ids, bytes]: unknown[] = row;
    const values = bytes instanceof Uint8Array ? toFloats(bytes) : new Float32Array();
    const found: FoundEntries = { indexes: JSON.parse(String(indexes)), ids: JSON.parse(String(ids)), values };
    if (found.values.length === found.indexes.length * dimensions) return found;
    throw new Error('SQLite returned another number of bytes than it holds');
  }

  /** Adds vectors `[count, dimensions]` under `[count, 32]` keys as used now. */
  add(keys: Uint8Array, vectors: Float32Array, dimensions: number): void {
    const count = keys.length / KEY_BYTES;
    const values = swapIfBig(new Uint8Array(vectors.buffer, vectors.byteOffset, vectors.byteLength));
    const first = this.#number('SELECT max(id) FROM vectors') + 1;
    const { changes } = this.#addKeys.run(keys, count, first);
    this.#addVectors.run(keys, count, first, values, dimensions * 4);
    if (Number(changes) < count) this.#database.prepare(MEND_VECTORS).run(keys, count, first, values, dimensions * 4);
    this.#addUses.run(this.#nextTick(), first);
  }

  /** Marks entries as used now. */
  touch(ids: readonly number[]): void {
    const tick = this.#nextTick();
    for (const [first, last] of findStretches(ids)) this.#touch.run(tick, first, last);
  }

  #nextTick(): number {
    return this.#number('SELECT max(tick) FROM uses') + 1;
  }

  usedBytes(): number {
    return (this.#number('PRAGMA page_count') - this.#number('PRAGMA freelist_count')) * this.#number('PRAGMA page_size');
  }

  fileBytes(): number {
    return this.#number('PRAGMA page_count') * this.#number('PRAGMA page_size');
  }

  /** Drops the entries that were used longest ago, a bounded number. False when there are none. */
  evict(): boolean {
    const ids = String(this.#database.prepare(FIND_OLDEST).get()?.['ids']);
    if (ids === '[]') return false;
    for (const sql of DROPS) this.#database.prepare(sql).run(ids);
    return true;
  }

  /** Gives free pages back, a bounded number. */
  shrink(): void {
    this.#database.exec(`PRAGMA incremental_vacuum(${VACUUM_PAGES})`);
  }

  measure(): CacheUsage {
    return { entries: this.#number('SELECT count(*) FROM uses'), usedBytes: this.usedBytes(), fileBytes: this.fileBytes() };
  }
}
