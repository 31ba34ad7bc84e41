/** The account of a batch as a person reads it: what became of the statements, and what to do next. */
import type { BatchCounts, BatchFailure, BatchReport } from '../batch/options.ts';
import { layoutItems, type Item } from './item-list.ts';
import { formatCount, formatCountOf, formatElapsed, formatRate } from './quantity.ts';
import type { Colors } from './terminal.ts';
import { flattenText, measureWidth, padText } from './text-width.ts';

const stateTitles: Readonly<Record<BatchReport['state'], string>> = {
  done: 'done',
  nothing_to_do: 'nothing to do, an earlier run has done it',
  error_limit: 'stopped, too many statements failed',
  cancelled: 'interrupted',
};

/** In the order of the sum. `unknown` and the like are named only where there are some. */
const countTitles: readonly (readonly [name: keyof BatchCounts, title: string, isAlwaysShown: boolean])[] = [
  ['read', 'read', true],
  ['applied', 'applied', true],
  ['notApplied', 'not applied', true],
  ['errors', 'errors', true],
  ['rolledBack', 'rolled back', false],
  ['notAttempted', 'not attempted', false],
  ['unknown', 'unknown', false],
];

/** One line on a failed statement. The index counts from 0, as in answers and status file; the line from 1, as in editors. */
export function layoutFailed({ index, line, code, message }: BatchFailure, colors: Colors): string {
  return `${colors.red('✗')} statement ${formatCount(index)} (line ${formatCount(line)}): ${code}: ${flattenText(message)}`;
}

/** The summary's lines. */
export function layoutBatchSummary(report: BatchReport, colors: Colors): readonly string[] {
  const isFine = report.state === 'done' || report.state === 'nothing_to_do';
  const style = isFine ? colors.green : colors.red;
  const label = report.label === undefined ? '' : `, label ${report.label}`;
  const items: readonly Item[] = [
    ...layoutCounts(report, colors),
    ...report.notes.map((note): Item => ['note', note]),
    ...(report.state === 'nothing_to_do' ? [] : [describeTime(report)]),
    ['guarantee', report.guarantee],
    ...(report.statusFile === undefined ? [] : [['status file', report.statusFile] as const]),
  ];
  return [
    `${style(colors.bold(stateTitles[report.state]))}: ${report.source} → ${report.target} (batch ${report.batch}${label})`,
    ...layoutItems(items),
    `${colors.cyan('→')} ${report.next}`,
  ];
}

/** The sum is computed here again from the counts that are shown: the report's own word is not enough. */
function layoutCounts({ counts, isBalanced }: BatchReport, colors: Colors): readonly Item[] {
  const shown = countTitles.filter(([name, , isAlwaysShown]) => isAlwaysShown || counts[name] > 0);
  const texts = shown.map(([name]) => formatCount(counts[name]));
  const width = Math.max(...texts.map(measureWidth));
  const [left = '', ...parts] = texts;
  const isRight = isBalanced && countTitles.slice(1).reduce((sum, [name]) => sum + counts[name], 0) === counts.read;
  const sum = `${left} = ${parts.join(' + ')}`;
  const verdict = isRight
    ? colors.green(`✓ ${sum}: every statement is accounted for`)
    : colors.red(`✗ ${sum} does not hold: statements are not accounted for`);
  return [...shown.map(([, title], at): Item => [title, padText(texts[at] ?? '', width, 'left')]), ['', verdict]];
}

function describeTime({ session, transaction, unit }: BatchReport): Item {
  const each = transaction ? (unit === undefined ? ', all or nothing' : `, each ${formatCount(unit)} all or nothing`) : '';
  const rate = `${formatRate(session.statementsPerSecond)} statements/s`;
  return ['took', `${formatElapsed(session.elapsedMs)}: ${rate} in ${formatCountOf(session.units, 'unit')}${each}`];
}
