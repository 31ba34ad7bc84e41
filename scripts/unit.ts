/** `npm run test:unit [-- file …]`: the tests alone, all files or those named, with the arguments of `node --test`. */
import process from 'node:process';
import { unitTests } from './unit-tests.ts';
import { runStep } from './steps.ts';

process.exit(runStep(unitTests(process.argv.slice(2))));
