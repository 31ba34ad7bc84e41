/** What a plan says of the vector index that its load may end with, before the rows are counted. The choice at the end is `index-build.ts`'s. */
import type { Capabilities } from '../../target/driver.ts';
import type { LoadPlan } from '../options.ts';
import type { IndexPlan } from './run-plan.ts';

/** Whether the load is to end with a vector index, as far as can be told: a target without a threshold makes one only when it is asked for. */
export function willIndex(index: IndexPlan | undefined, { minIndexedFloats }: Capabilities): boolean {
  return index?.build === 'always' || (index?.build === 'auto' && minIndexedFloats !== undefined);
}

/** The plan's word about it; undefined without a vector column. */
export function forecastIndex(index: IndexPlan | undefined, capabilities: Capabilities): LoadPlan['index'] {
  if (index === undefined) return undefined;
  const { build, metric } = index;
  if (build === 'none') return { kind: 'none', metric, why: 'not asked for; searches read every vector' };
  if (build === 'always') return { kind: 'hnsw', metric, why: 'asked for' };
  return willIndex(index, capabilities)
    ? { kind: 'hnsw', metric, why: 'built when the table is large enough for it to pay; smaller ones are searched exactly' }
    : { kind: 'none', metric, why: 'not asked for, searches read every vector; --index hnsw builds one' };
}
