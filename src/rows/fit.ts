/** The schema of a load into a table that is there: the table decides the types, the source which of its columns are filled. */
import type { Sample } from '../source/source.ts';
import type { ColumnDescription, TableDescription } from '../target/driver.ts';
import type { TypeSpec } from './column-type.ts';
import { formatColumnType } from './column-type.ts';
import type { Evidence, Verdict } from './evidence.ts';
import { judgeField } from './evidence.ts';
import type { ColumnNote, SchemaProposal } from './inference.ts';
import { findKeyProblems, normFlag } from './inference.ts';
import type { Column } from './schema.ts';
import type { SchemaOverrides, Selected, Selection } from './selection.ts';
import { findName, listNames, selectFields } from './selection.ts';

/** A column of the table that a field of the source fills. */
interface Match {
  readonly description: ColumnDescription;
  readonly field: string;
}

/** Fields sorted by whether the table has a column for them. */
interface Matching {
  readonly matches: readonly Match[];
  readonly ignored: readonly string[];
  readonly problems: readonly string[];
}

interface FittedColumn {
  readonly column: Column;
  readonly note: ColumnNote;
  readonly problems: readonly string[];
}

/** What is known about a fit beside the column at hand. */
interface FitContext {
  readonly description: TableDescription;
  readonly sample: Sample;
  readonly overrides: SchemaOverrides;
  readonly types: ReadonlyMap<string, TypeSpec>;
}

/**
 * Proposes the columns of a load into an existing table: names are matched exactly, then without regard to case; generated columns are left to the table;
 * a field without a column is ignored; a column without a field must be nullable or have a default. All problems are collected; nothing is thrown.
 */
export function fitSchema(description: TableDescription, sample: Sample, overrides: SchemaOverrides = {}): SchemaProposal {
  const selection = selectFields(sample, overrides);
  const matching = matchColumns(description, selection, overrides);
  const context = { description, sample, overrides, types: selection.types };
  const fitted = matching.matches.map((match) => fitColumn(match, context));
  const columns = fitted.map(({ column }) => column);
  return {
    columns,
    notes: fitted.map(({ note }) => note),
    ignoredFields: matching.ignored,
    problems: [
      ...selection.problems,
      ...matching.problems,
      ...fitted.flatMap((one) => one.problems),
      ...findUnfilled(description, [...columns.map(({ name }) => name), ...(overrides.filledColumns ?? [])]),
      ...findUnknownTypes(description, selection),
      ...findKeyProblems(columns, overrides.key ?? []),
    ],
  };
}

function matchColumns(description: TableDescription, { selected }: Selection, overrides: SchemaOverrides): Matching {
  const matches: Match[] = [];
  const ignored: string[] = [];
  const problems: string[] = [];
  for (const { name, field } of selected) {
    const column = findName(description.columns, name);
    const isMapped = Object.hasOwn(overrides.map ?? {}, name);
    if (column !== undefined && !column.isGenerated) matches.push({ description: column, field });
    else if (!isMapped) ignored.push(field);
    else problems.push(describeUnmappable(description, { name, field }, column));
  }
  if (matches.length === 0) problems.push(`no field of the source is a column of table "${description.name}"${listColumns(description)}`);
  return { matches, ignored, problems };
}

function describeUnmappable(table: TableDescription, { name, field }: Selected, column: ColumnDescription | undefined): string {
  if (column !== undefined) return `the mapping ${name}=${field} fills a generated column of table "${table.name}"`;
  return `the mapping ${name}=${field} names an unknown column of table "${table.name}"${listColumns(table)}`;
}

function listColumns({ columns }: TableDescription): string {
  return `; its columns are: ${listNames(columns.map(({ name }) => name))}`;
}

function fitColumn({ description, field }: Match, context: FitContext): FittedColumn {
  const { overrides, sample } = context;
  const { evidence, verdict } = judgeField(sample, field);
  const given = findGiven(context.types, description.name);
  const { spec, why, problems } = chooseType(description, verdict, given);
  const isKey = (overrides.key ?? []).includes(description.name);
  return {
    column: { name: description.name, field, ...spec, isNullable: description.isNullable && !isKey, ...normFlag(spec, overrides) },
    note: { samples: evidence.samples, why },
    problems: [...problems, ...findVectorProblems(description, spec, evidence)],
  };
}

function findGiven(types: ReadonlyMap<string, TypeSpec>, name: string): TypeSpec | undefined {
  const entries = [...types].map(([column, spec]) => ({ name: column, spec }));
  return findName(entries, name)?.spec;
}

interface Choice {
  readonly spec: TypeSpec;
  readonly why: string;
  readonly problems: readonly string[];
}

/** The caller's type, else the table's. Vectors fit a column of bytes: that is how a database without a type for them keeps them. */
function chooseType(description: ColumnDescription, verdict: Verdict, given: TypeSpec | undefined): Choice {
  if (given !== undefined) return { spec: given, why: 'given', problems: [] };
  const { type, dimensions, declaredType } = description;
  const why = declaredType === '' ? 'as in the table' : `${declaredType} in the table`;
  if (type === 'bytes' && verdict.type === 'vector') return { spec: specOf(verdict), why: `${why}; ${verdict.why}`, problems: [] };
  if (type !== 'vector') return { spec: { type }, why, problems: [] };
  const found = dimensions ?? (verdict.type === 'vector' ? verdict.dimensions : undefined);
  if (found !== undefined) return { spec: { type, dimensions: found }, why, problems: [] };
  const problem = `the dimension of vector column "${description.name}" is not known; give its type as vector(n)`;
  return { spec: { type, dimensions: 1 }, why, problems: [problem] };
}

function specOf({ type, dimensions }: Verdict): TypeSpec {
  return dimensions === undefined ? { type } : { type, dimensions };
}

/** The table's dimension against the caller's and against the sample's. With some vectors of the right length the others are refused one by one. */
function findVectorProblems(description: ColumnDescription, spec: TypeSpec, { lengths }: Evidence): string[] {
  const expected = description.dimensions ?? spec.dimensions;
  if (expected === undefined || spec.type !== 'vector') return [];
  if (spec.dimensions !== expected) {
    return [`column "${description.name}" is a vector(${expected}) in the table, not ${formatColumnType(spec)}`];
  }
  const [found] = lengths.keys();
  if (found === undefined || lengths.has(expected)) return [];
  return [`column "${description.name}" takes vectors of ${expected} numbers, the source has ${found}`];
}

function findUnfilled(description: TableDescription, filledNames: readonly string[]): string[] {
  const filled = new Set(filledNames);
  return description.columns
    .filter((column) => !filled.has(column.name) && !column.isNullable && !column.hasDefault && !column.isGenerated)
    .map((column) => `column "${column.name}" of table "${description.name}" needs a value, and the source has no field for it`);
}

function findUnknownTypes(description: TableDescription, { types }: Selection): string[] {
  return [...types.keys()]
    .filter((name) => findName(description.columns, name) === undefined)
    .map((name) => `a type is given for an unknown column "${name}" of table "${description.name}"${listColumns(description)}`);
}
