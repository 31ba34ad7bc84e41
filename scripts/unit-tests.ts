/** How the tests are run: every test file in a process of its own, two at a time. */
import path from 'node:path';
import { root, type Step } from './steps.ts';

/** Two files at a time: the machines that this is measured on have two cores, and some tests use both. */
const filesAtOnce = 2;

/** The longest single test takes about a minute; one that hangs must not hold up the rest for ever. */
const testTimeoutMs = 300_000;

/** The step that runs the test files that are named, or all. Options of `node --test` may be among them. */
export function unitTests(args: readonly string[]): Step {
  const hasFiles = args.some((arg) => !arg.startsWith('-'));
  const files = hasFiles ? [] : ['test/**/*.test.ts'];
  return {
    name: 'tests (node --test)',
    // Hundreds of processes are started, each of which would strip the types of the same files again: an eighth of the time of those that run the command line.
    environment: { NODE_COMPILE_CACHE: path.join(root, 'node_modules/.cache/compile') },
    args: ['--test', `--test-concurrency=${filesAtOnce}`, `--test-timeout=${testTimeoutMs}`, ...args, ...files],
  };
}
