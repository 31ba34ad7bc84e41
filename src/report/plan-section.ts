/** What was planned: the decisions with their reasons, the columns, and the statements that made the table. */
import type { LoadReport, ReportedPlan, StoredReport } from '../load/report/report-contract.ts';
import { formatBytes, formatCount, formatCountOf } from '../quantity-text.ts';
import { markup, type Markup } from './markup.ts';
import { writeFacts } from './page.ts';
import { cutText, tidy } from './safe-text.ts';

/** More than any plan has; together they keep a page of hostile names below 2 MB. */
const maxDecisions = 40;
const maxWarnings = 40;
const maxColumns = 150;
const maxStatements = 40;
const maxStatementsLength = 24_000;

type Decisions = LoadReport['decisions'];

/** Those of the last session say what was done; before it, the plan's what was meant to be. */
function listDecisions({ sessions, plan }: StoredReport): Decisions {
  const last = sessions.at(-1)?.report.decisions;
  return last !== undefined && last.length > 0 ? last : (plan?.decisions ?? []);
}

/** What went on with a warning, in any session; each once. */
export function writeWarnings({ sessions }: StoredReport): Markup | undefined {
  const warnings = sessions.flatMap(({ report }) => report.decisions.filter(({ what }) => what === 'warning'));
  const texts = [...new Set(warnings.map(({ choice, why }) => tidy(why === '' ? choice : `${choice} (${why})`)))];
  if (texts.length === 0) return undefined;
  return markup`<ul>${texts.slice(0, maxWarnings).map((text) => markup`<li>${text}</li>\n`)}</ul>`;
}

export function writePlan(stored: StoredReport): Markup {
  const { plan, sessions } = stored;
  const decisions = listDecisions(stored)
    .filter(({ what }) => what !== 'warning')
    .slice(0, maxDecisions);
  const lines = decisions.map(({ what, choice, why }) => {
    return markup`<tr><th scope="row">${tidy(what, 100)}</th><td class="text">${tidy(choice)}</td><td class="text">${tidy(why)}</td></tr>\n`;
  });
  const table =
    lines.length === 0
      ? undefined
      : markup`<div class="scroll" tabindex="0" role="region" aria-label="Decisions"><table><thead><tr><th scope="col">what</th><th scope="col">choice</th><th scope="col">why</th></tr></thead><tbody>\n${lines}</tbody></table></div>`;
  const guarantee = plan?.guarantee ?? sessions.at(-1)?.report.guarantee;
  const promise = guarantee === undefined ? undefined : markup`<p>Guarantee: ${tidy(guarantee, 1_000)}</p>`;
  return markup`${promise}${table}${plan === undefined ? undefined : [writeSettings(plan), writeColumns(plan), writeStatements(plan)]}`;
}

function writeSettings(plan: ReportedPlan): Markup {
  return writeFacts([
    ['format', tidy(plan.format, 40)],
    ['lanes', formatCount(plan.lanes)],
    ['shard', formatBytes(plan.shardBytes)],
    ['batch', `${formatBytes(plan.maxBatchBytes)} or ${formatCountOf(plan.maxBatchRows, 'row')}`],
    ['rejects allowed', typeof plan.maxRejects === 'number' ? formatCount(plan.maxRejects) : plan.maxRejects],
  ]);
}

function writeColumns({ columns }: ReportedPlan): Markup {
  const lines = columns.slice(0, maxColumns).map(({ name, type, field, isKey, isEmbedded }) => {
    const from = isEmbedded ? `made of ${tidy(field, 100)}` : field === name ? 'the field of this name' : `field ${tidy(field, 100)}`;
    return markup`<tr><th scope="row">${tidy(name, 100)}${isKey ? markup` <span class="soft">key</span>` : undefined}</th><td>${tidy(type, 40)}</td><td class="text">${from}</td></tr>\n`;
  });
  const rest = columns.length - lines.length;
  const more = rest > 0 ? markup`<p class="soft">and ${formatCountOf(rest, 'further column')}</p>` : undefined;
  return markup`<details><summary>${formatCountOf(columns.length, 'column')}</summary><div class="scroll" tabindex="0" role="region" aria-label="Columns"><table><thead><tr><th scope="col">column</th><th scope="col">type</th><th scope="col">from</th></tr></thead><tbody>\n${lines}</tbody></table></div>${more}</details>\n`;
}

function writeStatements({ ddl, deferredIndexes }: ReportedPlan): Markup | undefined {
  if (ddl.length === 0 && deferredIndexes.length === 0) return undefined;
  const shown = ddl.slice(0, maxStatements);
  const statements = shown.map((sql) => markup`<pre>${cutText(sql, Math.floor(maxStatementsLength / shown.length))}</pre>\n`);
  const deferred = deferredIndexes.slice(0, maxStatements).map((name) => tidy(name, 100));
  const later =
    deferred.length === 0 ? undefined : markup`<p>Dropped before the rows and made again after them: ${deferred.join(', ')}.</p>`;
  return markup`<details><summary>${formatCountOf(ddl.length, 'statement')} before the first row</summary>${statements}${later}</details>\n`;
}
