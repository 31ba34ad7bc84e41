/** `sluice pause` and `sluice cancel`: what is asked of a load that runs elsewhere goes through its ledger. */
import type { ControlReport } from '../load/control/control.ts';
import type { Invocation } from './invocation.ts';
import { toJsonLine } from './json-line.ts';
import { openLibrary } from './library.ts';
import { readLedgerRequest } from './request.ts';
import { writeAll } from './terminal.ts';

/** Runs `sluice pause`. @throws SLUICE_USAGE for options that can't be used, or when nothing runs */
export async function runPause(invocation: Invocation): Promise<number> {
  return runControl(invocation, async ({ selection }) => (await openLibrary()).pause(selection));
}

/** Runs `sluice cancel`. @throws SLUICE_USAGE for options that can't be used, or when the load is done */
export async function runCancel(invocation: Invocation): Promise<number> {
  return runControl(invocation, async ({ selection }) => (await openLibrary()).cancel(selection));
}

async function runControl(
  invocation: Invocation,
  run: (request: ReturnType<typeof readLedgerRequest>) => Promise<ControlReport>,
): Promise<number> {
  const request = readLedgerRequest(invocation);
  const report = await run(request);
  invocation.ready();
  await tellControl(invocation, report, request.isJson);
  return 0;
}

/** What became of a command: one line, and the command that goes on with the load. */
export async function tellControl({ terminal }: Pick<Invocation, 'terminal'>, report: ControlReport, isJson: boolean): Promise<void> {
  const lines = isJson ? [toJsonLine(report)] : layoutControl(report).map((line) => `${line}\n`);
  await writeAll(terminal.stdout, lines);
}

const texts: Readonly<Record<ControlReport['state'], (load: string, owners: string) => string>> = {
  pausing: (load, owners) => `load ${load} pauses after the batches in flight (${owners})`,
  paused: (load, owners) => `load ${load} is paused (${owners})`,
  cancelling: (load, owners) => `load ${load} was told to stop; it finishes the batches in flight (${owners})`,
  cancelled: (load) => `load ${load} is cancelled; what was committed stays`,
  running: (load, owners) => `load ${load} goes on where it is held (${owners})`,
};

/** The lines of {@link tellControl}. */
export function layoutControl(report: ControlReport): readonly string[] {
  const name = report.label === undefined ? report.load : `${report.load} ${report.label}`;
  const line = texts[report.state](name, report.owners.join(', '));
  return report.state === 'running' ? [line] : [line, `→ ${report.next}`];
}
