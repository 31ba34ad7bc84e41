/** `sluice verify`: does the table hold what the ledger says? */
import { errorExitCodes } from '../errors.ts';
import type { VerifyCheck, VerifyReport } from '../load/options.ts';
import { readVerifyRequest, showComparing } from './deep-request.ts';
import type { Invocation } from './invocation.ts';
import { toJsonLine } from './json-line.ts';
import { openLibrary } from './library.ts';
import { formatCountOf } from './quantity.ts';
import { writeAll } from './terminal.ts';
import type { Colors } from './terminal.ts';
import { flattenText } from './text-width.ts';

/** Runs the command; 7 when something differs. @throws SLUICE_USAGE for options that can't be used, and what the target throws. */
export async function runVerify(invocation: Invocation): Promise<number> {
  const { stdout, stderr } = invocation.terminal;
  const { options, isJson } = readVerifyRequest(invocation);
  const { verify } = await openLibrary();
  const display = showComparing(stderr);
  const onProgress: typeof display.show = (progress) => {
    invocation.ready();
    display.show(progress);
  };
  const report = await verify({ ...options, onProgress }).finally(display.clear);
  invocation.ready();
  await writeAll(stdout, isJson ? [toJsonLine(report)] : layoutChecks(report, stdout.colors).map((line) => `${line}\n`));
  return report.isOk ? 0 : errorExitCodes.SLUICE_VERIFY_MISMATCH;
}

/** A line for each check, then the first differences. */
export function layoutChecks(report: VerifyReport, colors: Colors): readonly string[] {
  const failed = report.checks.filter((check) => !check.isOk).length;
  // Of a batch of statements there is no table to compare.
  const isBatch = report.table === '';
  const holds = isBatch ? 'the batch is what the ledger says' : `table ${report.table} holds what the ledger says`;
  const fails = isBatch ? 'the batch is not what the ledger says' : `table ${report.table} does not hold what the ledger says`;
  const verdict = report.isOk
    ? colors.green(`✓ ${holds} (${formatCountOf(report.loads.length, isBatch ? 'batch' : 'load', isBatch ? 'batches' : 'loads')})`)
    : colors.red(`✗ ${fails}: ${failed} of ${formatCountOf(report.checks.length, 'check')} failed`);
  return [
    ...report.checks.map((check) => layoutCheck(check, colors)),
    ...report.differences.map((difference) => `    ${flattenText(difference)}`),
    verdict,
  ];
}

function layoutCheck({ name, isOk, expected, found }: VerifyCheck, colors: Colors): string {
  return isOk ? `${colors.green('✓')} ${name}: ${found}` : `${colors.red('✗')} ${name}: expected ${expected}, found ${found}`;
}
