/** `npm test`: every check, then every test; all of them run, whatever fails before. */
import process from 'node:process';
import { checks } from './checks.ts';
import { reportFailed, runSteps } from './steps.ts';
import { withServer } from './test-server.ts';
import { unitTests } from './unit-tests.ts';

const named = process.argv.slice(2);
const failed = named.length === 0 ? [...runSteps(checks)] : [];
await withServer(() => {
  failed.push(...runSteps([unitTests(named)]));
  return failed.length;
});
process.exitCode = reportFailed(failed);
