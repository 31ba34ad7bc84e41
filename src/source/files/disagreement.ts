/** Whether the files of one load have the same columns. Every file that differs is told at once, so that nobody mends them one by one. */
import { SluiceError } from '../../errors.ts';
import type { DeclaredField } from '../source.ts';

/** What a file says of its columns. */
export interface FileShape {
  readonly name: string;
  /** Empty where each row names its own. */
  readonly fields: readonly string[];
  readonly declared: readonly DeclaredField[];
}

/** Disagreements that are written out; the rest are counted. */
const maxProblems = 50;
/** Names that one problem lists. */
const maxNames = 8;

/** @throws SLUICE_SOURCES_DISAGREE with a problem for each file that differs from the first */
export function checkAgreement(shapes: readonly FileShape[]): void {
  const [first] = shapes;
  if (first === undefined) return;
  const problems: string[] = [];
  let count = 0;
  const types = new Map(first.declared.map((field) => [field.name, field]));
  for (const shape of shapes) {
    if (shape.fields === first.fields && shape.declared === first.declared) continue;
    const what = [...compareNames(first.fields, shape.fields), ...compareTypes(types, shape.declared)];
    if (what.length === 0) continue;
    count++;
    if (problems.length < maxProblems) problems.push(`${shape.name} ${what.join(', and ')}`);
  }
  if (count === 0) return;
  if (count > problems.length) problems.push(`… and ${String(count - problems.length)} more files`);
  throw new SluiceError(
    'SLUICE_SOURCES_DISAGREE',
    count === 1
      ? `${problems[0] ?? ''}, compared with ${first.name}`
      : `${String(count)} of ${String(shapes.length)} files have other columns than ${first.name}`,
    { problems, hint: 'Files of one load need the same columns in the same order; load the others apart, or mend them.' },
  );
}

function compareNames(wanted: readonly string[], found: readonly string[]): string[] {
  if (wanted.length === found.length && wanted.every((name, at) => name === found[at])) return [];
  const missing = wanted.filter((name) => !found.includes(name));
  const extra = found.filter((name) => !wanted.includes(name));
  if (missing.length === 0 && extra.length === 0) return ['has the columns in another order'];
  return [
    ...(missing.length === 0 ? [] : [`lacks ${listNames(missing)}`]),
    ...(extra.length === 0 ? [] : [`has ${listNames(extra)} besides`]),
  ];
}

function compareTypes(wanted: ReadonlyMap<string, DeclaredField>, found: readonly DeclaredField[]): string[] {
  const others = found.flatMap((field) => {
    const before = wanted.get(field.name);
    return before === undefined || writeType(before) === writeType(field)
      ? []
      : [`${field.name} is ${writeType(field)} instead of ${writeType(before)}`];
  });
  return others.length > maxNames ? [...others.slice(0, maxNames), `${String(others.length - maxNames)} more types differ`] : others;
}

function writeType({ dimensions, type }: DeclaredField): string {
  return dimensions === undefined ? type : `${type}(${String(dimensions)})`;
}

function listNames(names: readonly string[]): string {
  const rest = names.length - maxNames;
  return `${names.slice(0, maxNames).join(', ')}${rest > 0 ? ` and ${String(rest)} more` : ''}`;
}
