/** Refused rows by cause, the most frequent first, with the first places of each, and the rows' text where the ledger kept it and the reader asked for it. */
import type { RejectCause, RejectSample, StoredReport } from '../load/report/report-contract.ts';
import { formatCount, formatCountOf, formatShare } from '../quantity-text.ts';
import { writeBars } from './bar-table.ts';
import { markup, type Markup } from './markup.ts';
import { tidy } from './safe-text.ts';

const maxCauses = 100;
const classWords: Readonly<Record<RejectCause['class'], string>> = {
  unreadable: 'unreadable',
  unfit: 'unfit for their columns',
  refused: 'refused by the target',
  unembeddable: 'not to be embedded',
};

export function writeRejects({ status, rejectsByCause, samples }: StoredReport): Markup | undefined {
  const { rejected, read } = status.counts;
  if (rejected === 0) return undefined;
  const shown = rejectsByCause.slice(0, maxCauses);
  const rows = shown.map((cause) => ({
    label: markup`<code>${cause.code}</code>`,
    value: cause.count,
    tone: 'tone-bad',
    cells: [formatCount(cause.count), formatShare(cause.count / rejected), tidy(cause.column ?? '', 100), tidy(cause.message)],
  }));
  const bars = writeBars({
    caption: 'Rejected rows by cause',
    columns: ['code', 'rows', 'share', 'column', 'why'],
    textColumns: [2, 3],
    rows,
  });
  const listed = shown.reduce((sum, { count }) => sum + count, 0);
  const rest = rejected - listed;
  const more =
    rest > 0 ? markup`<p class="soft">${formatCountOf(rest, 'further row')} of other causes, or tried again since.</p>` : undefined;
  const open = status.openRejects < rejected ? ` ${formatCount(status.openRejects)} of them are open, the others were tried again.` : '';
  return markup`<p>${formatCountOf(rejected, 'row')} of ${formatCount(read)} rejected: ${describeClasses(shown)}.${open}</p>${bars}${more}${writeSamples(shown, samples)}`;
}

function describeClasses(causes: readonly RejectCause[]): string {
  const sums = new Map<RejectCause['class'], number>();
  for (const cause of causes) sums.set(cause.class, (sums.get(cause.class) ?? 0) + cause.count);
  return [...sums].map(([name, count]) => `${formatCount(count)} ${classWords[name]}`).join(', ');
}

function writeSamples(causes: readonly RejectCause[], samples: readonly RejectSample[]): Markup | undefined {
  if (samples.length === 0) return undefined;
  const groups = causes.flatMap((cause) => {
    const own = samples.filter(({ code, column }) => code === cause.code && column === cause.column);
    return own.length === 0 ? [] : [writeGroup(cause, own)];
  });
  const hasRows = samples.some(({ raw }) => raw !== undefined);
  const note = hasRows
    ? markup`<p class="box warn">The samples below hold text of rejected rows, as the ledger kept it. Leave it out with <code>--no-rows</code> before you pass this page on.</p>`
    : markup`<p class="soft">Places only: the rows’ text was not kept, or was left out.</p>`;
  return markup`<h3>Samples</h3>${note}${groups}`;
}

function writeGroup(cause: RejectCause, samples: readonly RejectSample[]): Markup {
  const column = cause.column === undefined ? '' : `, column ${tidy(cause.column, 100)}`;
  const items = samples.map((sample) => {
    const raw = sample.raw === undefined ? undefined : markup`<pre class="row" dir="auto">${sample.raw}</pre>`;
    const message = sample.message === cause.message ? '' : `: ${tidy(sample.message, 200)}`;
    return markup`<li>${describePlace(sample)}${message}${raw}</li>\n`;
  });
  return markup`<details><summary><code>${cause.code}</code>${column}: ${formatCountOf(cause.count, 'row')}</summary><ul>${items}</ul></details>\n`;
}

/** Lines and rows are known once the shards before are done; the byte always is. */
function describePlace({ file, line, row, offset }: RejectSample): string {
  const words = [
    ...(line === undefined ? [] : [`line ${formatCount(line)}`]),
    ...(row === undefined ? [] : [`row ${formatCount(row)}`]),
    `byte ${formatCount(offset)}`,
  ];
  return `${tidy(file, 100)}, ${words.join(', ')}`;
}
