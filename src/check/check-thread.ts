/** A lane of a check in a thread of its own: scans one shard after another, and at the end hands over what it gathered. */
import { workerData } from 'node:worker_threads';
import { answerQuestions } from '../load/lane/asked-thread.ts';
import { reopenSource } from '../source/open.ts';
import { createScanner } from './scan.ts';
import type { ScanAnswer, ScanQuestion, ScanStart } from './scan-messages.ts';

const start = workerData as ScanStart;
const opening = reopenSource(start.source).then((source) => ({ source, scanner: createScanner(source, start.plan) }));
// Each question hears of a failure.
opening.catch(() => undefined);

answerQuestions<ScanQuestion, ScanAnswer>(async (question, signal) => {
  const { scanner, source } = await opening;
  if (question.kind === 'scan') return { kind: 'scanned', findings: await scanner.scan(question.request, signal) };
  const findings = scanner.end();
  await source.close();
  return { kind: 'ended', findings };
});
