/** `npm run test:unit [-- file …]`: the tests alone, all files or those named, with the arguments of `node --test`. */
import process from 'node:process';
import { runStep } from './steps.ts';
import { withServer } from './test-server.ts';
import { unitTests } from './unit-tests.ts';

process.exitCode = await withServer(() => runStep(unitTests(process.argv.slice(2))));
