/** A lane of a check in a thread of its own: scans one shard after another, and at the end hands over what it gathered. */
import { parentPort, workerData } from 'node:worker_threads';
import { SluiceError } from '../errors.ts';
import { packError } from '../load/lane/news.ts';
import { reopenSource } from '../source/open.ts';
import { createScanner } from './scan.ts';
import type { ScanAnswer, ScanCommand, ScanStart } from './scan-messages.ts';

const port = parentPort;
if (port === null) throw new SluiceError('SLUICE_INTERNAL', 'check-thread.ts was imported outside a worker thread.');

const start = workerData as ScanStart;
const stopping = new AbortController();
const opening = reopenSource(start.source).then((source) => ({ source, scanner: createScanner(source, start.plan) }));
// Each command hears of a failure.
opening.catch(() => undefined);

function answer(message: ScanAnswer): void {
  port?.postMessage(message);
}

async function handle(command: ScanCommand): Promise<void> {
  if (command.kind === 'stop') {
    stopping.abort(new SluiceError('SLUICE_CANCELLED', 'The check was stopped.'));
    return;
  }
  try {
    const { scanner, source } = await opening;
    if (command.kind === 'scan') answer({ kind: 'scanned', findings: await scanner.scan(command.request, stopping.signal) });
    else {
      answer({ kind: 'ended', findings: scanner.end() });
      await source.close();
    }
  } catch (error) {
    answer({ kind: 'failed', error: packError(error) });
  } finally {
    if (command.kind === 'end') port?.close();
  }
}

port.on('message', (command: ScanCommand) => {
  handle(command).catch((error: unknown) => answer({ kind: 'failed', error: packError(error) }));
});
