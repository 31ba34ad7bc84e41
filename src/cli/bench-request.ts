/** What `bench` was asked for, as the library takes it, checked as a whole. */
import type { BenchOptions } from '../bench/options.ts';
import { dropAbsent } from './given-options.ts';
import type { Invocation } from './invocation.ts';
import { checkValues, names, required, toggle, whole, word } from './option-schema.ts';

interface BenchRequest {
  readonly options: BenchOptions;
  readonly isJson: boolean;
  /** Path of a page. */
  readonly html: string | undefined;
}

const benchShape = {
  to: required('is missing: name the database, for example --to sqlite:library.db'),
  rows: whole(1, 10_000_000),
  dims: whole(0, 16_000),
  only: names,
  html: word,
  json: toggle,
};

/** @throws SLUICE_USAGE with every problem */
export function readBenchRequest(invocation: Invocation): BenchRequest {
  const { to, rows, dims, only, html, json } = checkValues(invocation, benchShape, []);
  return { options: dropAbsent({ to, rows, dims, only }), isJson: json ?? false, html };
}
