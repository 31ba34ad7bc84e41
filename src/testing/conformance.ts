/** Runs every promise of the driver contract against a real target. A promise is skipped only when a capability says so, with the reason printed. */
import { describe } from 'node:test';
import type { ConformanceOptions } from './contract.ts';
import { describeAtomic } from './atomic-promises.ts';
import { describeCommits } from './commit-promises.ts';
import { describeModes } from './mode-promises.ts';
import { describeOpening } from './opening-promises.ts';
import { describeResuming } from './resume-promises.ts';
import { describeSearching } from './search-promises.ts';
import { describeSyncing } from './sync-promises.ts';
import { describeTypes } from './type-promises.ts';

/** Registers the whole suite with node:test. */
export function describeConformance(options: ConformanceOptions): void {
  describe(`${options.name} keeps the driver contract`, () => {
    describeOpening(options);
    describeModes(options);
    describeAtomic(options);
    describeTypes(options);
    describeCommits(options);
    describeResuming(options);
    describeSearching(options);
    describeSyncing(options);
  });
}
