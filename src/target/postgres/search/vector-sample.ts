/** Draws stored vectors to measure recall with: the same ones for the same seed and table. Only reads. */
import type { SampleRequest } from '../../driver.ts';
import { quoteIdentifier } from '../../sql-text.ts';
import type { PgLink } from '../link.ts';
import { readSearchColumn } from './search-column.ts';

/** Rows are chosen by a hash of their text form of the key, or of the place where there is none; vectors themselves are only read for those chosen. */
export async function sampleVectors(link: PgLink, request: SampleRequest): Promise<readonly Float32Array[]> {
  const column = await readSearchColumn(link, request);
  const own = quoteIdentifier(column.name);
  const identity = column.key.length === 0 ? 't.ctid' : `ROW(${column.key.map((name) => `t.${quoteIdentifier(name)}`).join(', ')})`;
  const { rows } = await link.query(
    `SELECT v.${own} AS vector FROM (
  SELECT t.ctid AS place, md5($1::text || (${identity})::text) AS draw FROM ${column.table} t WHERE t.${own} IS NOT NULL ORDER BY draw LIMIT $2::int8
) chosen JOIN ${column.table} v ON v.ctid = chosen.place ORDER BY chosen.draw`,
    [String(request.seed), request.count],
    { timeoutMs: 0 },
  );
  return rows.flatMap((row) => (row['vector'] instanceof Uint8Array ? [toFloats(row['vector'])] : []));
}

/** The link hands vectors over as little-endian float32, at any place of a larger buffer. */
function toFloats(bytes: Uint8Array): Float32Array {
  return new Float32Array(bytes.slice().buffer);
}
