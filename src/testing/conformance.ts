/** Runs every promise of the driver contract against a real target. A promise is skipped only when a capability says so, with the reason printed. */
import { describe } from 'node:test';
import { describeCommits } from './commit-promises.ts';
import { describeModes } from './mode-promises.ts';
import { describeOpening } from './opening-promises.ts';
import { describeResuming } from './resume-promises.ts';
import { describeSearching } from './search-promises.ts';
import { describeTypes } from './type-promises.ts';

/** An empty database of the test's own. */
export interface ConformanceTarget {
  /** What `--to` takes. */
  readonly url: string;
  /** Removes the database. */
  dispose(): Promise<void>;
}

export interface ConformanceOptions {
  /** Name of the driver, for the test's titles. */
  readonly name: string;
  /** Makes a new, empty database each time it is called. */
  createTarget(): Promise<ConformanceTarget>;
  /** A URL of the driver whose database does not exist and can't be made. */
  readonly unreachableUrl: string;
}

/** Registers the whole suite with node:test. */
export function describeConformance(options: ConformanceOptions): void {
  describe(`${options.name} keeps the driver contract`, () => {
    describeOpening(options);
    describeModes(options);
    describeTypes(options);
    describeCommits(options);
    describeResuming(options);
    describeSearching(options);
  });
}
