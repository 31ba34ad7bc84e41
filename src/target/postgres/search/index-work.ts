/** What the two ways of building a vector index share: the decision, the statement, the progress, the count. */
import { SluiceError } from '../../../errors.ts';
import type { IndexRequest } from '../../driver.ts';
import { quoteIdentifier } from '../../sql-text.ts';
import type { BuildWatch } from '../finish/index-progress.ts';
import type { PgLink } from '../link.ts';
import { writeOptions, type IndexShape } from './index-shape.ts';
import type { SearchColumn, VectorIndex } from './search-column.ts';

export interface BuildSettings {
  /** Opens a second connection for the progress; without it none is told. */
  readonly openSecond?: (() => Promise<PgLink>) | undefined;
  /** `SET LOCAL maintenance_work_mem`, in kB. */
  readonly memoryKb?: number | undefined;
}

/** A build as it was decided on. */
export interface Building {
  readonly request: IndexRequest;
  readonly column: SearchColumn;
  readonly shape: IndexShape;
  /** Unfinished ones, and on a rebuild the one of the same name. */
  readonly doomed: readonly VectorIndex[];
  readonly settings: BuildSettings;
  readonly name: string;
  readonly schema: string;
}

/** The statement without its beginning, `CREATE INDEX`. */
export function writeIndex({ column, shape }: Building, name: string): string {
  return `${quoteIdentifier(name)} ON ${column.table} USING ${shape.method} (${shape.on} ${shape.opclass})${writeOptions(shape.options)}`;
}

/** Progress in rows, where the caller has counted them. */
export function describeWatch({ column, request, settings }: Building): BuildWatch {
  const { onProgress, rows } = request;
  return {
    table: column.table,
    openSecond: settings.openSecond,
    onProgress:
      onProgress &&
      (({ done, total }: { done: number; total: number }) => {
        if (rows === undefined || total === 0) onProgress(done, total);
        else onProgress(Math.round((done / total) * rows), rows);
      }),
  };
}

export async function countVectors(link: PgLink, { table, name }: SearchColumn): Promise<number> {
  const { rows } = await link.query(`SELECT count(${quoteIdentifier(name)}) AS n FROM ${table}`, [], { timeoutMs: 0 });
  return Number(rows[0]?.['n']);
}

export function cancelled({ table, column }: IndexRequest, cause?: unknown): SluiceError {
  return new SluiceError('SLUICE_CANCELLED', `The index of ${table}.${column} was not built: it was stopped.`, { cause });
}
