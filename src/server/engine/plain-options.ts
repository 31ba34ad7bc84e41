/** A request without parameters: what every option is by default. */
import type { DataOptions } from './contract.ts';

export const plainOptions: DataOptions = {
  isTransaction: false,
  isPretty: false,
  hasTimings: false,
  isAssociative: false,
  usesBlobArrays: false,
  qualifiesColumns: false,
  addsRaftIndex: false,
  isStrong: false,
  dbTimeoutMs: undefined,
  parses: true,
  rewritesRandom: true,
  rewritesTime: true,
  isStrict: false,
};
