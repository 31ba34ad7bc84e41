/** `npm run check`: every check that does not run sluice. */
import process from 'node:process';
import { checks } from './checks.ts';
import { reportFailed, runSteps } from './steps.ts';

process.exitCode = reportFailed(runSteps(checks));
