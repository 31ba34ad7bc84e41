/** Where the rows of a batch come from: fills the three columns of provenance, whatever the source is. */
import type { Batch } from '../../rows/batch.ts';
import type { Column, Scalar } from '../../rows/schema.ts';
import { locatePlace } from '../../rows/joined-place.ts';
import type { Source } from '../../source/source.ts';
import type { Claim } from '../../target/driver.ts';

/** Names of the columns, by what they hold. */
export const provenanceNames = { load: 'sluice_load', file: 'sluice_file', line: 'sluice_line' } as const;

/** What a lane needs to fill the columns; undefined when the load has none. */
export interface Origin {
  readonly load: string;
  readonly fileOf: (file: number) => string;
  /** Of single rows that came from elsewhere before: kept rows of an earlier load. */
  readonly originOf: Source['originOf'];
}

/** Of a plan what the columns are filled with. */
export interface OriginRequest {
  readonly load: string;
  readonly columns: readonly Column[];
  /** Names of the source's files; its own name where it has none. */
  readonly files: readonly string[] | undefined;
  readonly sourceName: string;
  readonly source: Pick<Source, 'originOf'>;
}

/** How a lane fills the columns of a plan. */
export function openOrigin({ columns, files, load, source, sourceName }: OriginRequest): Origin | undefined {
  if (!hasProvenance(columns)) return undefined;
  return { load, fileOf: (file) => files?.[file] ?? sourceName, originOf: source.originOf };
}

/** Whether a load's rows can be told from others. */
export function hasProvenance(columns: readonly Column[]): boolean {
  return columns.some((column) => column.provenance === 'load');
}

/** The batch with its origin in the three columns. A line is null where the lines before the shard are not known. */
export function stampOrigin(batch: Batch, origin: Origin, { firstLine, shard }: Claim): Batch {
  const { lines, offsets, rows } = batch.places;
  const values = batch.columns.map(({ provenance }, index) => {
    if (provenance === undefined) return batch.values[index];
    const fill = (row: number): Scalar => {
      const known = origin.originOf?.(rows[row] ?? 0);
      if (provenance === 'load') return origin.load;
      if (known !== undefined) return provenance === 'file' ? known.file : known.line;
      const place = locatePlace(shard, { offset: offsets[row] ?? 0, row: rows[row] ?? 0, line: lines[row] ?? 0 });
      if (provenance === 'file') return origin.fileOf(place.file);
      return firstLine === undefined ? null : firstLine + place.line + 1;
    };
    return { kind: 'scalar' as const, values: Array.from({ length: batch.rowCount }, (_, row) => fill(row)) };
  });
  return { ...batch, values: values.filter((column) => column !== undefined) };
}
