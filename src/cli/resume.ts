/** `sluice resume`: goes on with a load that was interrupted, or lets a paused one go on where it is held. */
import { tellControl } from './control.ts';
import type { Invocation } from './invocation.ts';
import { openLibrary } from './library.ts';
import { readAgainRequest } from './request.ts';
import { runWatched } from './running-load.ts';

/** Runs the command. @throws SLUICE_USAGE for options that can't be used, and what the load throws. */
export async function runResume(invocation: Invocation): Promise<number> {
  const { options, output } = readAgainRequest(invocation);
  const { resume, unpause } = await openLibrary();
  const { in: target, load, lockTimeoutMs } = options;
  const continued = await unpause({ in: target, load, lockTimeoutMs });
  if (continued !== undefined) {
    invocation.ready();
    await tellControl(invocation, continued, output.isJson);
    return 0;
  }
  return runWatched({ invocation, output, target, start: (hooks) => resume({ ...options, ...hooks }) });
}
