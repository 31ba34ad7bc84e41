/** The contract of a load with a table that exists: which columns the source may add to it, and which may be widened for its values. Everything is decided from the sample. */
import { formatColumnType } from '../../rows/column-type.ts';
import { judgeField } from '../../rows/evidence.ts';
import { fitSchema } from '../../rows/fit.ts';
import { inferSchema, type SchemaProposal } from '../../rows/inference.ts';
import { exceedsBits } from '../../rows/integer-range.ts';
import type { Column, ColumnType } from '../../rows/schema.ts';
import type { SchemaOverrides } from '../../rows/selection.ts';
import type { Sample } from '../../source/source.ts';
import type { Capabilities, ColumnChange, ColumnDescription, TableDescription } from '../../target/driver.ts';
import type { LoadOptions } from '../options.ts';

export interface ContractRequest {
  readonly options: Pick<LoadOptions, 'onNewColumn' | 'onTypeChange'>;
  readonly description: TableDescription;
  readonly sample: Sample;
  readonly overrides: SchemaOverrides;
  readonly widensIntegersTo: Capabilities['widensIntegersTo'];
}

/** The columns of a load into the table as the contract lets it become. */
export function fitContract(request: ContractRequest): SchemaProposal {
  const { options, description, sample, overrides } = request;
  const widened = options.onTypeChange === 'widen' ? widenTable(request) : description;
  const added = options.onNewColumn === 'add' ? listMissing(request) : { columns: [], notes: [] };
  const proposal = fitSchema({ ...widened, columns: [...widened.columns, ...added.columns.map(describeAdded)] }, sample, overrides);
  return {
    ...proposal,
    columns: proposal.columns.map((column) => added.columns.find(({ name }) => name === column.name) ?? column),
    notes: proposal.notes.map((note, at) => added.notes.find(({ name }) => name === proposal.columns[at]?.name)?.note ?? note),
    problems: [...proposal.problems, ...(options.onNewColumn === 'refuse' ? refuseFields(description, proposal.ignoredFields) : [])],
  };
}

function refuseFields({ name }: TableDescription, fields: readonly string[]): readonly string[] {
  if (fields.length === 0) return [];
  return [
    `The table ${name} has no column for ${fields.join(', ')}, and --on-new-column refuse lets no field be left out: add the columns (--on-new-column add), or name the fields with --skip-column.`,
  ];
}

interface Missing {
  readonly columns: readonly Column[];
  readonly notes: readonly { readonly name: string; readonly note: SchemaProposal['notes'][number] }[];
}

/** As they would be in a new table, but nullable: the rows that are there have no value for them. */
function listMissing({ description, sample, overrides }: ContractRequest): Missing {
  const { columns, notes } = inferSchema(sample, overrides);
  const isMissing = ({ name }: Column): boolean => !description.columns.some((column) => column.name.toLowerCase() === name.toLowerCase());
  return {
    columns: columns.filter(isMissing).map((column) => ({ ...column, isNullable: true })),
    notes: columns.flatMap((column, at) =>
      isMissing(column)
        ? [{ name: column.name, note: { samples: notes[at]?.samples ?? [], why: `added to the table: ${notes[at]?.why ?? ''}` } }]
        : [],
    ),
  };
}

function describeAdded({ name, type, dimensions }: Column): ColumnDescription {
  const size = dimensions === undefined ? {} : { dimensions };
  return { name, declaredType: '', type, ...size, isNullable: true, hasDefault: false, isGenerated: false };
}

/** What a type can turn into without losing any of its values; by what the sample holds. A dimension is never changed. */
function chooseWider(
  { type }: ColumnDescription,
  found: ColumnType,
  { widensIntegersTo = 'decimal' }: ContractRequest,
): ColumnType | undefined {
  const isText =
    found === 'text' || found === 'uuid' || found === 'date' || found === 'timestamp' || found === 'json' || found === 'boolean';
  if (type === 'integer' && (found === 'real' || found === 'decimal')) return found === 'decimal' ? 'decimal' : widensIntegersTo;
  if (type === 'real' && found === 'decimal') return undefined;
  if (isText && found !== type && (type === 'integer' || type === 'real' || type === 'decimal' || type === 'boolean' || type === 'uuid'))
    return 'text';
  return undefined;
}

function widenTable(request: ContractRequest): TableDescription {
  const { description, sample, overrides } = request;
  const { columns } = inferSchema(sample, overrides);
  return {
    ...description,
    columns: description.columns.map((column) => {
      const source = columns.find(({ name }) => name.toLowerCase() === column.name.toLowerCase());
      if (source === undefined || overrides.types?.[column.name] !== undefined) return column;
      const { evidence, verdict } = judgeField(sample, source.field);
      const to = evidence.samples.length === 0 ? undefined : chooseWider(column, verdict.type, request);
      return to === undefined ? column : { ...column, type: to, declaredType: `widened from ${column.declaredType}` };
    }),
  };
}

interface Met {
  readonly description: TableDescription | undefined;
  readonly sample: Sample;
  readonly options: LoadOptions;
}

/** What the target must do to its table before the first row; every column of the load that it lacks, also those that the load fills itself. */
export function listChanges(columns: readonly Column[], { description, sample, options }: Met): readonly ColumnChange[] {
  if (description === undefined) return [];
  return columns.flatMap((column): readonly ColumnChange[] => {
    const found = description.columns.find(({ name }) => name === column.name);
    if (found === undefined) return options.onNewColumn === 'add' ? [{ kind: 'add', column: { ...column, isNullable: true } }] : [];
    const isLarger = found.integerBits !== undefined && column.type === 'integer' && exceedsBits(sample, column.field, found.integerBits);
    const isAllowed = options.onTypeChange === 'widen' && options.types?.[column.name] === undefined;
    const isWidened = isAllowed && (isLarger || isWider(found.type, column.type));
    return isWidened ? [{ kind: 'widen', column, from: found.declaredType }] : [];
  });
}

/** `fitSchema` answers with the table's own type or, where the contract widened it, with one of these. */
function isWider(from: ColumnType, to: ColumnType): boolean {
  if (from === 'integer') return to === 'real' || to === 'decimal' || to === 'text';
  return to === 'text' && (from === 'real' || from === 'decimal' || from === 'boolean' || from === 'uuid');
}

/** What a plan says of the changes. */
export function describeChange(change: ColumnChange): { readonly what: string; readonly choice: string; readonly why: string } {
  const type = formatColumnType(change.column);
  if (change.kind === 'add') return { what: 'column added', choice: `${change.column.name}, ${type}`, why: explainAdded(change.column) };
  return {
    what: 'column widened',
    choice: `${change.column.name}, ${change.from} to ${type}`,
    why: 'values of the sample do not fit it, and no value is lost (--on-type-change widen)',
  };
}

function explainAdded({ isEmbedded, provenance }: Column): string {
  const rest = 'rows that are there keep null (--on-new-column add)';
  if (provenance !== undefined) return `asked for by --provenance; ${rest}`;
  return isEmbedded === true ? `for the vectors of --embed; ${rest}` : `the source has it and the table does not; ${rest}`;
}
