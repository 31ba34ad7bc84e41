/** The conformance suite of drivers, published as `sluice/testing`: the same promises for every target, kept against a real database. */
export { describeConformance } from './conformance.ts';
export type { ConformanceOptions, ConformanceTarget } from './contract.ts';
