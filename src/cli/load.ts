/** `sluice load`: rows from files or stdin into a table. */
import type { Invocation } from './invocation.ts';
import { openLibrary } from './library.ts';
import { readLoadRequest } from './request.ts';
import { runWatched } from './running-load.ts';

/** Runs the command. @throws SLUICE_USAGE for options that can't be used, and what the load throws. */
export async function runLoad(invocation: Invocation): Promise<number> {
  const { options, output } = readLoadRequest(invocation);
  if (invocation.arguments.includes('-') && process.stdin.isTTY) {
    invocation.ready();
    invocation.terminal.stderr.write('reading rows from the terminal; Ctrl-D ends them\n');
  }
  const { load } = await openLibrary();
  return runWatched({ invocation, output, target: options.to, start: (hooks) => load({ ...options, ...hooks }) });
}
