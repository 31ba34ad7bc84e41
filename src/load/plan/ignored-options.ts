/** Options of a format that the source does not have: they change nothing, and nobody should believe that they did. */
import type { Source } from '../../source/source.ts';
import type { ColumnPlan } from './column-plan.ts';
import type { LoadOptions } from '../options.ts';

/** How each is written on the command line, and the formats that it means something to. */
const formatOptions = [
  { name: 'columns', flag: '--columns', formats: ['csv', 'tsv'] },
  { name: 'delimiter', flag: '--delimiter', formats: ['csv', 'tsv'] },
  { name: 'quote', flag: '--quote', formats: ['csv', 'tsv'] },
  { name: 'nullText', flag: '--null', formats: ['csv', 'tsv'] },
] as const;

/** The same columns, with a warning of every option that has no meaning here. */
export function tellIgnored(columns: ColumnPlan, options: LoadOptions, { format }: Source): ColumnPlan {
  const flags = formatOptions
    .filter(({ formats, name }) => options[name] !== undefined && !formats.some((each) => each === format))
    .map(({ flag }) => flag);
  if (flags.length === 0) return columns;
  const hint = flags.includes('--columns') ? '; --skip-column leaves a field out' : '';
  return { ...columns, warnings: [...columns.warnings, `${flags.join(', ')}: for CSV and TSV alone, and this is ${format}${hint}.`] };
}
