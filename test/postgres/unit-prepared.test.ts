/** A text that repeats is read once for all statements that give its values in the same way, and anew for another way. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { prepareStatements } from '../../src/target/postgres/unit/prepared.ts';
import { writeUnit, type Written } from './unit-place.ts';

function prepare(...statements: readonly Written[]): readonly (string | undefined)[] {
  return prepareStatements(writeUnit(statements)).map(({ ready, error }) => ready?.step.sql ?? error?.code);
}

test('by place, by name and by number: each way of giving values has its own reading of the same text', () => {
  const text = 'SELECT :a AS a, :b AS b';
  const read = 'SELECT $1 AS a, $2 AS b';
  assert.deepEqual(prepare([text, { 'a b': 1 }], [text, { a: 1, b: 2 }], [text, [1, 2]], [text, { b: 1, a: 2 }], [text, []]), [
    'PARAMETERS',
    read,
    read,
    read,
    'PARAMETERS',
  ]);
  assert.deepEqual(prepare(['SELECT ? AS a', { 1: 5 }], ['SELECT ? AS a', [5]]), ['PARAMETERS', 'SELECT $1 AS a']);
  assert.deepEqual(prepare(['SELECT $1 AS a', { 1: 5 }], ['SELECT $1 AS a', [5]]), ['SELECT $1 AS a', 'SELECT $1 AS a']);
});
