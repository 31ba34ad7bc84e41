/** `sluice preview`: the first rows as they would land. Nothing is written. */
import { errorExitCodes } from '../errors.ts';
import type { Preview, PreviewCell, PreviewRow } from '../check/preview.ts';
import type { Invocation } from './invocation.ts';
import { toJsonLine } from './json-line.ts';
import { openLibrary } from './library.ts';
import { checkValues, whole } from './option-schema.ts';
import { formatCount, formatCountOf } from './quantity.ts';
import { readUnplacedRequest } from './request.ts';
import { layoutTable } from './table.ts';
import { writeAll } from './terminal.ts';
import type { Colors } from './terminal.ts';
import { flattenText } from './text-width.ts';

/** Marks a value that changes on its way; what it was stands behind. */
const changedMark = '≠';

export async function runPreview(invocation: Invocation): Promise<number> {
  const { stdout } = invocation.terminal;
  const { options, output } = readUnplacedRequest(invocation);
  const { n: rows } = checkValues(invocation, { n: whole(1, 10_000) }, []);
  const { preview } = await openLibrary();
  const found = await preview({ ...options, ...(rows === undefined ? {} : { rows }) });
  invocation.ready();
  const texts = output.isJson
    ? [toJsonLine(found)]
    : layoutPreview(found, { width: stdout.width(), colors: stdout.colors }).map((line) => `${line}\n`);
  await writeAll(stdout, texts);
  return found.plan.problems.length > 0 ? errorExitCodes.SLUICE_PLAN_REFUSED : 0;
}

interface PreviewLayoutOptions {
  /** Cells of the terminal; undefined off a terminal. */
  readonly width: number | undefined;
  readonly colors: Colors;
}

export function layoutPreview({ columns, plan, rows }: Preview, { colors, width }: PreviewLayoutOptions): readonly string[] {
  const changed = rows.reduce((sum, { cells }) => sum + cells.filter(({ original }) => original !== undefined).length, 0);
  const rejected = rows.filter(({ reject }) => reject !== undefined);
  const titles = columns.map(({ dimensions, name, type }) => ({
    title: `${name} ${dimensions === undefined ? type : `${type}(${String(dimensions)})`}`,
  }));
  const lines = layoutTable({
    columns: [{ title: 'row', align: 'right' }, ...titles],
    rows: rows.filter(({ reject }) => reject === undefined).map(layoutRow),
    width,
    styleTitle: colors.dim,
  });
  const told = [formatCountOf(rows.length, 'row')];
  if (changed > 0) told.push(`${formatCountOf(changed, 'value')} changed on the way (${changedMark} what was)`);
  if (rejected.length > 0) told.push(colors.red(`${formatCount(rejected.length)} would be rejected`));
  return [
    ...lines,
    ...(rejected.length > 0 ? [colors.bold('would be rejected'), ...rejected.map(layoutReject)] : []),
    ...(plan.warnings.length > 0 ? [colors.bold('warnings'), ...plan.warnings.map((warning) => `  ${warning}`)] : []),
    `${told.join('; ')}; nothing was written`,
    ...plan.problems.map((problem) => `${colors.red('✗')} ${problem}`),
  ];
}

function layoutRow({ cells, row }: PreviewRow): readonly string[] {
  return [formatCount(row), ...cells.map(layoutCell)];
}

function layoutReject({ line, reject, row }: PreviewRow): string {
  const column = reject?.column === undefined ? '' : ` in ${reject.column}`;
  const place = line === undefined ? '' : ` (line ${formatCount(line)})`;
  return `  row ${formatCount(row)}${place}: ${reject?.code ?? ''}${column}: ${flattenText(reject?.message ?? '')}`;
}

function layoutCell({ original, stored }: PreviewCell): string {
  const text = stored === null ? 'null' : flattenText(stored);
  return original === undefined ? text : `${text} ${changedMark} ${original === null ? 'null' : flattenText(original)}`;
}
