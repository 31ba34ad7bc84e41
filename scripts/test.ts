/** `npm test`: every check, then every test; all of them run, whatever fails before. */
import process from 'node:process';
import { checks } from './checks.ts';
import { endWith, runSteps } from './steps.ts';
import { unitTests } from './unit-tests.ts';

const named = process.argv.slice(2);
endWith(runSteps(named.length === 0 ? [...checks, unitTests([])] : [unitTests(named)]));
