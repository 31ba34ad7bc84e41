/** The top of a load's page: what became of it, the account of its rows, what failed, and the command to run next. */
import type { LoadReport, StoredReport } from '../load/report/report-contract.ts';
import { formatBytes, formatCount, formatCountOf, formatElapsed, formatRate } from '../quantity-text.ts';
import { markup, type Markup } from './markup.ts';
import { writeCommand, writeFacts } from './page.ts';
import { hideSecretsIn } from '../secret-text.ts';
import { tidy } from './safe-text.ts';

interface StateWords {
  readonly text: string;
  readonly sign: string;
  readonly tone: 'good' | 'bad' | 'warn';
}

const states: Readonly<Record<string, StateWords>> = {
  done: { text: 'Done', sign: '✓', tone: 'good' },
  nothing_to_do: { text: 'Done by an earlier load', sign: '✓', tone: 'good' },
  running: { text: 'Still running', sign: '…', tone: 'warn' },
  paused: { text: 'Paused', sign: '!', tone: 'warn' },
  undone: { text: 'Undone, its rows were taken out again', sign: '!', tone: 'warn' },
  interrupted: { text: 'Interrupted, can be resumed', sign: '!', tone: 'warn' },
  cancelled: { text: 'Stopped on request, can be resumed', sign: '!', tone: 'warn' },
  limit: { text: 'Stopped at its limit of rows, can be resumed', sign: '!', tone: 'warn' },
  time_limit: { text: 'Stopped at its limit of time, can be resumed', sign: '!', tone: 'warn' },
  reject_limit: { text: 'Stopped, too many rows were rejected', sign: '✗', tone: 'bad' },
  failed: { text: 'Failed', sign: '✗', tone: 'bad' },
};

/** The words for a state, with a sign, so that its colour is never alone. */
export function describeState(state: string): Markup {
  const { text, sign, tone } = states[state] ?? { text: state.replaceAll('_', ' '), sign: '·', tone: 'warn' };
  return markup`<span class="state ${tone}">${sign} ${text}</span>`;
}

export function writeHeadline(stored: StoredReport): Markup {
  const { status, target } = stored;
  const label = status.label === undefined ? '' : `, label ${tidy(status.label, 100)}`;
  return markup`<header><p>${describeState(status.state)}</p>
<h1>${tidy(status.source)} → ${tidy(status.table, 200)}</h1>
<p class="soft">Load ${status.load}${label}, mode ${status.mode}, into ${tidy(target)}. Begun ${formatMoment(status.startedAt)}, last changed ${formatMoment(status.updatedAt)}.</p>
${writeAccount(stored)}${writeFailure(stored)}${writeNext(stored)}${writeKeyFigures(stored)}</header>\n`;
}

/** `2026-11-21 20:15:03 UTC`. */
export function formatMoment(text: string): string {
  return text.replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z$/u, '$1 $2 UTC').slice(0, 40);
}

/** The promise of every load, added up here again. */
function writeAccount({ status, isBalanced, sessions }: StoredReport): Markup {
  const { read, written, skipped, rejected } = status.counts;
  const isRight = isBalanced && read === written + skipped + rejected;
  const parts: readonly (readonly [count: number, name: string, sign: string | undefined])[] = [
    [read, 'read', isRight ? '=' : '≠'],
    [written, 'written', '+'],
    [skipped, 'skipped', '+'],
    [rejected, 'rejected', undefined],
  ];
  const items = parts.map(([count, name, sign]) => {
    const next = sign === undefined ? undefined : markup`<li class="sign">${sign}</li>`;
    return markup`<li><b>${formatCount(count)}</b><span>${name}</span></li>${next}`;
  });
  const sync = sessions.at(-1)?.report.sync;
  const verb = sync?.deleted === 1 ? 'was' : 'were';
  const deleted = sync === undefined ? '' : ` ${formatCountOf(sync.deleted, 'row')} that the source no longer has ${verb} deleted.`;
  const verdict = isRight
    ? markup`<p class="verdict good">✓ Every row is accounted for.${deleted}</p>`
    : markup`<p class="verdict bad">✗ The sum does not hold: rows are not accounted for.</p>`;
  return markup`<ul class="account">${items}</ul>${verdict}`;
}

function writeFailure({ failure, sessions }: StoredReport): Markup | undefined {
  const last = sessions.at(-1)?.report.failure;
  if (failure === undefined && last === undefined) return undefined;
  if (failure === undefined) return undefined;
  const hint = last?.hint === undefined ? undefined : markup`<p>${tidy(last.hint, 1_000)}</p>`;
  return markup`<div class="box bad"><p><b>What failed:</b> ${tidy(failure, 1_000)}</p>${hint}</div>`;
}

function writeNext({ status }: StoredReport): Markup | undefined {
  if (status.next === '') return undefined;
  const isOver = status.state === 'done' || status.state === 'undone';
  const title = !isOver ? 'To go on:' : status.openRejects > 0 ? 'To see what was rejected:' : 'To check it again:';
  return markup`<p>${title}</p>${writeCommand(hideSecretsIn(status.next))}`;
}

function writeKeyFigures({ status, sessions, sessionCount }: StoredReport): Markup {
  const last = sessions.at(-1)?.report;
  const count = Math.max(sessionCount, sessions.length);
  return writeFacts([
    ...(last === undefined ? [] : describeLast(last, count > 1)),
    ['shards done', `${formatCount(status.shards.done)} of ${formatCount(status.shards.total)}`],
    ['sessions', formatCount(count)],
  ]);
}

function describeLast(
  { session, peakRssBytes, lanes, embedding }: LoadReport,
  isOneOfSeveral: boolean,
): readonly (readonly [string, string])[] {
  const which = isOneOfSeveral ? ' (last session)' : '';
  return [
    [`rows a second${which}`, formatRate(session.rowsPerSecond)],
    ['source bytes a second', `${formatBytes(session.bytesPerSecond)}/s`],
    [`time${which}`, formatElapsed(session.elapsedMs)],
    ['memory at the peak', formatBytes(peakRssBytes)],
    ['lanes', formatCount(lanes)],
    ...(embedding === undefined ? [] : [['texts embedded', formatCount(embedding.embedded)] as const]),
  ];
}
