/** `sluice resume`: goes on with a load that was interrupted. */
import type { Invocation } from './invocation.ts';
import { openLibrary } from './library.ts';
import { readAgainRequest } from './request.ts';
import { runWatched } from './running-load.ts';

/** Runs the command. @throws SLUICE_USAGE for options that can't be used, and what the load throws. */
export async function runResume(invocation: Invocation): Promise<number> {
  const { options, output } = readAgainRequest(invocation);
  const { resume } = await openLibrary();
  return runWatched({ invocation, output, target: options.in, start: (hooks) => resume({ ...options, ...hooks }) });
}
