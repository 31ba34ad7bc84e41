/** Scores of two vectors in double precision, so that higher is nearer. All ways of searching end here, so they agree to the last digit. */
import type { Metric } from '../driver.ts';

/** Scores a stored vector against the query. NaN where there is no score: a zero vector has no direction, a stored NaN no place. */
export type Scorer = (vector: Float32Array) => number;

/** A scorer for one query. */
export function createScorer(metric: Metric, query: Float32Array): Scorer {
  if (metric === 'ip') return (vector) => dot(vector, query);
  if (metric === 'l2') return (vector) => -Math.sqrt(squaredDistance(vector, query));
  const squaredNorm = dot(query, query);
  return (vector) => cosine(vector, query, squaredNorm);
}

export function dot(left: Float32Array, right: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < left.length; i++) sum += left[i]! * right[i]!;
  return sum;
}

function squaredDistance(left: Float32Array, right: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < left.length; i++) {
    const difference = left[i]! - right[i]!;
    sum += difference * difference;
  }
  return sum;
}

/** One square root of the product: two equal vectors score exactly 1. */
function cosine(vector: Float32Array, query: Float32Array, querySquared: number): number {
  let product = 0;
  let squared = 0;
  for (let i = 0; i < vector.length; i++) {
    const value = vector[i]!;
    product += value * query[i]!;
    squared += value * value;
  }
  return product / Math.sqrt(squared * querySquared);
}
