/** Samples of several files as one: every row of each, and figures over all files. */
import type { DeclaredField, Sample } from '../source.ts';

/** What is known of all files, the sampled ones and the others. */
export interface FileFigures {
  readonly rowCounts: readonly (number | undefined)[];
  readonly byteCount: number | undefined;
}

export function joinSamples(samples: readonly Sample[], { byteCount, rowCounts }: FileFigures): Sample {
  const fields = [...new Set(samples.flatMap((sample) => sample.fields))];
  const rows = rowCounts.every((count) => count !== undefined) ? rowCounts.reduce((sum, count) => sum + count, 0) : undefined;
  const meanRowBytes = rows !== undefined && byteCount !== undefined && rows > 0 ? byteCount / rows : averageRowBytes(samples);
  const declared = joinDeclared(samples);
  return {
    fields,
    stretches: samples.flatMap((sample) => sample.stretches),
    meanRowBytes,
    ...(declared === undefined ? {} : { declared }),
    ...(rows === undefined ? {} : { estimatedRows: rows }),
  };
}

/** Weighted by the rows that each sample holds. */
function averageRowBytes(samples: readonly Sample[]): number | undefined {
  let bytes = 0;
  let rows = 0;
  for (const { meanRowBytes, stretches } of samples) {
    if (meanRowBytes === undefined) continue;
    const count = stretches.reduce((sum, stretch) => sum + stretch.rowCount + stretch.rejects.length, 0);
    bytes += meanRowBytes * count;
    rows += count;
  }
  return rows === 0 ? undefined : bytes / rows;
}

/** The types are the same in all files; a column that may be null in one may be null in all. */
function joinDeclared(samples: readonly Sample[]): readonly DeclaredField[] | undefined {
  const joined = new Map<string, DeclaredField>();
  for (const { declared } of samples) {
    for (const field of declared ?? []) {
      const before = joined.get(field.name);
      joined.set(field.name, { ...(before ?? field), isNullable: field.isNullable || before?.isNullable === true });
    }
  }
  return samples.some(({ declared }) => declared !== undefined) ? [...joined.values()] : undefined;
}
