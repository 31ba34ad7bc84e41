/** `sluice rejects`: refused rows as JSON lines, or their causes. */
import type { RejectCause, RejectRecord } from '../load/options.ts';
import type { Invocation } from './invocation.ts';
import { toJsonLine } from './json-line.ts';
import { openLibrary } from './library.ts';
import { formatCount } from './quantity.ts';
import { readLedgerRequest } from './request.ts';
import { layoutTable } from './table.ts';
import { writeAll } from './terminal.ts';

/** Runs the command. @throws SLUICE_USAGE for options that can't be used, and what the ledger throws. */
export async function runRejects(invocation: Invocation): Promise<number> {
  const { stdout } = invocation.terminal;
  const { selection, isSummary, isJson } = readLedgerRequest(invocation);
  const { rejects, rejectSummary } = await openLibrary();
  if (!isSummary) {
    invocation.ready();
    await writeAll(stdout, toLines(rejects(selection)));
    return 0;
  }
  const causes = await rejectSummary(selection);
  invocation.ready();
  const lines = isJson
    ? [toJsonLine({ schema: 1, causes })]
    : layoutCauses(causes, stdout.width(), stdout.colors.dim).map((line) => `${line}\n`);
  await writeAll(stdout, lines);
  return 0;
}

async function* toLines(records: AsyncIterable<RejectRecord>): AsyncIterable<string> {
  for await (const record of records) yield toJsonLine(record);
}

/** The table of causes, most frequent first. */
export function layoutCauses(causes: readonly RejectCause[], width: number | undefined, dim: (text: string) => string): readonly string[] {
  if (causes.length === 0) return ['no rejected rows'];
  return layoutTable({
    columns: [{ title: 'rows', align: 'right' }, { title: 'class' }, { title: 'code' }, { title: 'column' }, { title: 'message' }],
    rows: [...causes]
      .sort((a, b) => b.count - a.count)
      .map((cause) => [formatCount(cause.count), cause.class, cause.code, cause.column ?? '', cause.message]),
    width,
    styleTitle: dim,
  });
}
