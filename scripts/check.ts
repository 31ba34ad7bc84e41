/** `npm run check`: every check that does not run sluice. */
import { checks } from './checks.ts';
import { endWith, runSteps } from './steps.ts';

endWith(runSteps(checks));
