/** Which texts of a batch could not be embedded, by the rules of the embedding stage. */
import type { EmptyTextPolicy } from '../embed/embedder.ts';
import { findRefusals } from '../embed/texts.ts';
import type { Batch, Reject } from '../rows/batch.ts';

/** Plain data. `column` is the index of the texts. */
export interface TextCheck {
  readonly column: number;
  readonly emptyText: EmptyTextPolicy;
  readonly prefix: string;
  readonly maxInputBytes: number;
}

/** A row that could not be embedded: its place in the batch, and in the source. */
export type Unembeddable = Pick<Reject, 'code' | 'message' | 'column' | 'row' | 'line' | 'offset'> & { readonly index: number };

export function findUnembeddable({ column, ...rules }: TextCheck, { columns, places, values }: Batch): readonly Unembeddable[] {
  const data = values[column];
  const name = columns[column]?.name ?? '';
  if (data?.kind !== 'scalar') return [];
  const texts = data.values.map((value) => (value === null || typeof value === 'string' ? value : String(value)));
  return findRefusals(texts, rules).map(({ index, code, message }) => ({
    index,
    code,
    message,
    column: name,
    row: places.rows[index] as number,
    line: places.lines[index] as number,
    offset: places.offsets[index] as number,
  }));
}
