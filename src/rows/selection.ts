/** Which source fields become which columns: mapping and skipping, with every problem collected before anything is said. */
import type { Sample } from '../source/source.ts';
import type { TypeSpec } from './column-type.ts';
import { parseColumnType, typeList } from './column-type.ts';

/** What the caller says about columns, over what the sample or the table says. */
export interface SchemaOverrides {
  /** Type by target column, as `parseColumnType` reads it. */
  readonly types?: Readonly<Record<string, string>> | undefined;
  /** Source field by target column. A field that is mapped is not loaded under its own name too. */
  readonly map?: Readonly<Record<string, string>> | undefined;
  /** Source fields that are left out. */
  readonly skipColumns?: readonly string[] | undefined;
  /** Columns that the load fills by itself (embedding), so that no field of the source is missed for them. */
  readonly filledColumns?: readonly string[] | undefined;
  /** Key columns of the target, exactly as they are called there; they take no nulls. */
  readonly key?: readonly string[] | undefined;
  /** Vector columns are compared by cosine: all-zero vectors are refused. */
  readonly needsNorm?: boolean | undefined;
}

/** A column to be and the field that fills it. */
export interface Selected {
  readonly name: string;
  readonly field: string;
}

export interface Selection {
  readonly selected: readonly Selected[];
  readonly types: ReadonlyMap<string, TypeSpec>;
  readonly problems: readonly string[];
}

/** Applies `map` and `skipColumns` to the fields of the sample, in their order, and reads the given types. */
export function selectFields(sample: Sample, overrides: SchemaOverrides): Selection {
  const problems: string[] = [];
  const mapped = Object.entries(overrides.map ?? {});
  const skipped = new Set(overrides.skipColumns ?? []);
  const fields = new Set(sample.fields);
  const among = `; the source has: ${listNames(sample.fields)}`;
  for (const [name, field] of mapped) {
    if (!fields.has(field)) problems.push(`the mapping ${name}=${field} names an unknown field${among}`);
    else if (skipped.has(field)) problems.push(`field "${field}" is both mapped and skipped`);
  }
  for (const field of skipped) if (!fields.has(field)) problems.push(`the field "${field}" to skip is unknown${among}`);
  const selected = sample.fields.flatMap((field) => {
    if (skipped.has(field)) return [];
    const targets = mapped.filter(([, source]) => source === field).map(([name]) => ({ name, field }));
    return targets.length > 0 ? targets : [{ name: field, field }];
  });
  problems.push(...findNameProblems(selected));
  return { selected, types: readTypes(overrides, problems), problems };
}

function findNameProblems(selected: readonly Selected[]): string[] {
  const problems: string[] = [];
  const seen = new Map<string, Selected>();
  for (const column of selected) {
    const before = seen.get(column.name.toLowerCase());
    if (column.name.trim() === '') problems.push(`field "${column.field}" gives a column without a name; map or skip it`);
    else if (column.name.includes('\0'))
      problems.push(`field ${JSON.stringify(column.field)} holds a zero byte, which no column's name can; map or skip it`);
    else if (before !== undefined) {
      problems.push(
        `fields "${before.field}" and "${column.field}" both make a column "${column.name}" (case does not count); map or skip one`,
      );
    }
    seen.set(column.name.toLowerCase(), column);
  }
  return problems;
}

function readTypes({ types = {} }: SchemaOverrides, problems: string[]): Map<string, TypeSpec> {
  const read = new Map<string, TypeSpec>();
  for (const [name, text] of Object.entries(types)) {
    const spec = parseColumnType(text);
    if (spec === undefined) problems.push(`"${text}" for column "${name}" is no type; types are ${typeList}`);
    else read.set(name, spec);
  }
  return read;
}

/** Finds a name among others: exactly, else without regard to case. */
export function findName<T extends { readonly name: string }>(items: readonly T[], name: string): T | undefined {
  return items.find((item) => item.name === name) ?? items.find((item) => item.name.toLowerCase() === name.toLowerCase());
}

const maxListed = 20;

/** Names for a message, cut where there are very many. */
export function listNames(names: readonly string[]): string {
  const listed = names.slice(0, maxListed).join(', ');
  return names.length > maxListed ? `${listed} and ${names.length - maxListed} more` : listed || 'nothing';
}
