/** What a comparison with the source comes to, in words: a check for each load, a line for each difference. No values unless they were asked for. */
import { formatCount } from '../count-text.ts';
import type { VerifyCheck } from '../load/options.ts';
import type { DeepDifference, DeepLoad } from './deep-contract.ts';

/** Columns that are named when rows differ in many. */
const maxNamed = 5;

export function checkValues(load: DeepLoad): VerifyCheck {
  const name = `${load.load}: values`;
  if (load.notCompared !== undefined) return { name, isOk: true, expected: 'not known', found: `not compared: ${load.notCompared}` };
  const expected = `${formatCount(load.compared + load.unfit)} rows as in ${load.source}`;
  return { name, isOk: load.isOk, expected, found: describeFindings(load) };
}

function describeFindings(load: DeepLoad): string {
  const { equal, differing, missing, unfit, leftOut, byColumn, excuse, passedOver } = load;
  const columns = byColumn.slice(0, maxNamed).map(({ column, rows }) => `${column} ${formatCount(rows)}`);
  const more = byColumn.length > maxNamed ? [`${formatCount(byColumn.length - maxNamed)} more columns`] : [];
  const parts = [
    `${formatCount(equal)} rows as in ${load.source}`,
    ...(differing > 0 ? [`${formatCount(differing)} differ (${[...columns, ...more].join(', ')})`] : []),
    ...(missing > 0 ? [`${formatCount(missing)} missing`] : []),
    ...(unfit > 0 ? [`${formatCount(unfit)} that can't be read as the load's columns any more`] : []),
    ...(leftOut > 0 ? [`${formatCount(leftOut)} refused ones left out`] : []),
    ...(excuse === undefined ? [] : [excuse]),
    ...[...Map.groupBy(passedOver, ({ why }) => why)].map(([why, left]) => `${nameSome(left)} not compared: ${why}`),
  ];
  return parts.join('; ');
}

function nameSome(columns: readonly { readonly column: string }[]): string {
  const names = columns.slice(0, maxNamed).map(({ column }) => column);
  const more = columns.length > maxNamed ? [`${formatCount(columns.length - maxNamed)} more columns`] : [];
  return [...names, ...more].join(', ');
}

export function describeDifference({ load, kind, file, line, row, offset, columns, values }: DeepDifference): string {
  const place =
    line === null
      ? row === null
        ? `row at ${String(offset)}`
        : `row ${formatCount(row)}`
      : `line ${formatCount(line)}${row === null || row === line ? '' : ` (row ${formatCount(row)})`}`;
  const shown =
    values === undefined
      ? ''
      : ` (${Object.entries(values)
          .map(([name, text]) => `${name} = ${text}`)
          .join(', ')})`;
  const at = `${load}: ${file}, ${place}`;
  if (kind === 'missing') return `${at}: the table has no row with its key${shown}`;
  if (kind === 'unfit')
    return `${at}: was loaded, and does not fit the load's columns now${columns.length > 0 ? ` (${columns.join(', ')})` : ''}`;
  return `${at}: differs in ${columns.length > 0 ? columns.join(', ') : 'a value that its column can not hold'}${shown}`;
}
