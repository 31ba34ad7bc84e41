/** Plans the three columns that say where a row came from: the load that wrote it last, its file, and its line there, counted from 1. */
import type { Column } from '../../rows/schema.ts';
import type { Sample } from '../../source/source.ts';
import type { TableDescription } from '../../target/driver.ts';
import type { LoadOptions, PlannedColumn } from '../options.ts';
import type { ColumnPlan } from './column-plan.ts';
import { provenanceNames } from '../lane/row-origin.ts';

const provenanceColumns: readonly PlannedColumn[] = (['load', 'file', 'line'] as const).map((what) => ({
  name: provenanceNames[what],
  field: provenanceNames[what],
  type: what === 'line' ? 'integer' : 'text',
  isNullable: true,
  provenance: what,
  samples: [],
  why: 'asked for by --provenance',
}));

/** Fields of the source with these names, such as of a table that was loaded with them, give way. */
export function withoutProvenance(options: LoadOptions, { fields }: Sample): LoadOptions {
  if (options.provenance !== true) return options;
  const taken = Object.values(provenanceNames).filter((name) => fields.includes(name) && options.skipColumns?.includes(name) !== true);
  return { ...options, skipColumns: [...(options.skipColumns ?? []), ...taken] };
}

/** The plan with the three columns behind the others. A table that exists must have them, or be allowed to get them. */
export function addProvenance(plan: ColumnPlan, options: LoadOptions, description: TableDescription | undefined): ColumnPlan {
  const has = (name: string): boolean => description?.columns.some((column) => column.name.toLowerCase() === name) === true;
  if (options.provenance !== true) return warnOfLoss(plan, options, has(provenanceNames.load));
  const missing = description === undefined || options.onNewColumn === 'add' ? [] : provenanceColumns.filter(({ name }) => !has(name));
  const problems = missing.length === 0 ? [] : [describeMissing(description?.name ?? '', missing)];
  return {
    ...plan,
    columns: [...plan.columns, ...provenanceColumns.map(({ samples: _samples, why: _why, ...column }): Column => column)],
    planned: [...plan.planned, ...provenanceColumns],
    problems: [...plan.problems, ...problems],
  };
}

/** Rows that are updated keep the id of the load before, so undoing that one would take them along. */
function warnOfLoss(plan: ColumnPlan, { mode }: LoadOptions, isThere: boolean): ColumnPlan {
  if (!isThere || (mode !== 'upsert' && mode !== 'sync')) return plan;
  const warning = `The table has the column ${provenanceNames.load}, and this load does not fill it: rows that it updates keep the load that wrote them before. Add --provenance.`;
  return { ...plan, warnings: [...plan.warnings, warning] };
}

function describeMissing(table: string, missing: readonly PlannedColumn[]): string {
  const changes = missing.map(
    ({ name, type }) => `ALTER TABLE "${table.replaceAll('"', '""')}" ADD COLUMN ${name} ${type === 'integer' ? 'BIGINT' : 'TEXT'};`,
  );
  return `The table ${table} has no column ${missing.map(({ name }) => name).join(', ')} for --provenance. Add them with --on-new-column add, or by: ${changes.join(' ')}`;
}
