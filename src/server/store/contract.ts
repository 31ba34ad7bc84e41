/** The contract of what moves whole databases: `/db/backup`, `/db/load`, `/boot`. Shapes without code. */
import type { DataOptions } from '../engine/contract.ts';
import type { Queue } from '../queue/contract.ts';

/** The parameters of `/db/backup`. */
export interface BackupOptions {
  /** `fmt`: `sql`, `delete`; anything else is the binary format, as rqlite takes it. */
  readonly format: string | undefined;
  readonly vacuum: boolean;
  readonly compress: boolean;
  /** Tables of a dump; all without it. */
  readonly tables?: readonly string[] | undefined;
  /** How long nobody may read on before the backup is given up; 60 s by default. */
  readonly stallTimeoutMs?: number | undefined;
}

/** What `/boot` takes besides its body. */
export interface BootOptions {
  /** Is emptied before the database is replaced, and goes on above the new one's position. */
  readonly queue?: Queue | undefined;
  /** Larger bodies are answered 413; no limit by default. */
  readonly maxBytes?: number | undefined;
}

/** What `/db/load` takes besides its body. */
export interface LoadOptions extends BootOptions {
  /** For `pretty` and `timings`. */
  readonly data: DataOptions;
  /** Bytes of a body that are kept in memory; a larger one goes into a file beside the database. 8 MiB by default. */
  readonly memoryBytes?: number | undefined;
  /** Bytes of an SQL text; larger ones are answered 413. 1 GiB by default, as much as the engine takes in one piece. */
  readonly maxScriptBytes?: number | undefined;
}
