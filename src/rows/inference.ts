/** The schema of a new table: a column per field of the sample, of the narrowest type that holds every sampled value, unless the caller says otherwise. */
import { formatCount } from '../count-text.ts';
import type { Sample } from '../source/source.ts';
import type { TypeSpec } from './column-type.ts';
import { judgeField } from './evidence.ts';
import type { Column } from './schema.ts';
import type { SchemaOverrides, Selected } from './selection.ts';
import { listNames, selectFields } from './selection.ts';

/** What a plan shows of a column. */
export interface ColumnNote {
  /** Up to three different values of the sample, cut to 40 characters. */
  readonly samples: readonly string[];
  /** Why the column has its type. */
  readonly why: string;
}

/** Columns of a load, and what is to be said about them. With problems nothing may be written. */
export interface SchemaProposal {
  readonly columns: readonly Column[];
  /** `notes[i]` belongs to `columns[i]`. */
  readonly notes: readonly ColumnNote[];
  /** Source fields that no column takes, though nobody asked to skip them. */
  readonly ignoredFields: readonly string[];
  readonly problems: readonly string[];
}

/** Proposes the columns of a table that does not exist yet. All problems are collected; nothing is thrown. */
export function inferSchema(sample: Sample, overrides: SchemaOverrides = {}): SchemaProposal {
  const { selected, types, problems } = selectFields(sample, overrides);
  const key = overrides.key ?? [];
  const proposed = selected.map((column) => proposeColumn(column, sample, types.get(column.name)));
  const columns = proposed.map(({ column }) => ({
    ...column,
    isNullable: column.isNullable && !key.includes(column.name),
    ...normFlag(column, overrides),
  }));
  const among = `; columns are: ${listNames(selected.map(({ name }) => name))}`;
  const unknownTypes = [...types.keys()].filter((name) => !columns.some((column) => column.name === name));
  return {
    columns,
    notes: proposed.map(({ note }) => note),
    ignoredFields: [],
    problems: [
      ...problems,
      ...(columns.length === 0 ? [explainNothing(sample)] : []),
      ...unknownTypes.map((name) => `a type is given for an unknown column "${name}"${among}`),
      ...findKeyProblems(columns, key).map((problem) => problem + among),
    ],
  };
}

/** Why there is no column: mostly because no row could be read, and then the first of them tells what the input is not. */
function explainNothing({ fields, stretches }: Sample): string {
  const refused = stretches.flatMap(({ rejects }) => rejects);
  const [first] = refused;
  if (fields.length > 0 || stretches.some(({ rowCount }) => rowCount > 0)) return 'no field of the source becomes a column';
  if (first === undefined) return 'no column can be made: the source has no rows, and nothing else that tells its columns';
  const rows = refused.length === 1 ? "the first row can't be read" : `none of the first ${formatCount(refused.length)} rows can be read`;
  return `no column can be made: ${rows} (line ${formatCount(first.line + 1)}: ${first.code}, ${first.message}); check --format`;
}

function proposeColumn({ name, field }: Selected, sample: Sample, given: TypeSpec | undefined): { column: Column; note: ColumnNote } {
  const { declared, evidence, verdict } = judgeField(sample, field);
  const { why, ...judged } = verdict;
  const spec = given ?? judged;
  const isGuessed = given === undefined && declared === undefined && spec.type === 'integer';
  return {
    column: { name, field, ...spec, isNullable: declared?.isNullable ?? true, ...(isGuessed ? { isGuessed } : {}) },
    note: { samples: evidence.samples, why: given === undefined ? why : 'given' },
  };
}

/** `needsNorm` for vectors that are compared by cosine. */
export function normFlag(column: TypeSpec, { needsNorm }: SchemaOverrides): { readonly needsNorm?: boolean } {
  return column.type === 'vector' && needsNorm === true ? { needsNorm } : {};
}

/** Key columns that are not there, or that no database takes as a key. */
export function findKeyProblems(columns: readonly Column[], key: readonly string[]): string[] {
  const problems: string[] = [];
  for (const name of new Set(key)) {
    const column = columns.find((one) => one.name === name);
    if (column === undefined) problems.push(`the key column "${name}" is missing`);
    else if (column.type === 'vector') problems.push(`the key column "${name}" is a vector, which can be no key`);
  }
  return problems;
}
