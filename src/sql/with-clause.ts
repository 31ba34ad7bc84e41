/** Finds the main statement behind a WITH clause, and whether a query of the clause changes something. */
import { isSign, skipGroup, wordAt, type Reading } from './reading.ts';

export interface WithClause {
  /** Of the main statement's first token. */
  readonly main: number;
  /** INSERT, UPDATE, DELETE or MERGE inside the clause (PostgreSQL). */
  readonly hasChange: boolean;
}

const changingVerbs = ['INSERT', 'UPDATE', 'DELETE', 'MERGE'];
const mainVerbs = ['SELECT', 'VALUES', 'TABLE', 'REPLACE', ...changingVerbs];

/** Names of the clause may be words like `insert`: the clause is read by its grammar, not searched. */
export function skipWith(reading: Reading): WithClause {
  if (wordAt(reading, 0) !== 'WITH') return { main: 0, hasChange: false };
  let at = wordAt(reading, 1) === 'RECURSIVE' && wordAt(reading, 2) !== 'AS' && !isSign(reading, 2, '(') ? 2 : 1;
  let hasChange = false;
  for (;;) {
    at++;
    if (isSign(reading, at, '(')) at = skipGroup(reading, at);
    while (['AS', 'NOT', 'MATERIALIZED'].includes(wordAt(reading, at))) at++;
    if (changingVerbs.includes(wordAt(reading, at + 1))) hasChange = true;
    if (!isSign(reading, at, '(')) return { main: at, hasChange };
    at = skipGroup(reading, at);
    // SEARCH … SET name and CYCLE … SET name USING name stand between a query and the comma.
    while (at < reading.tokens.length && !isSign(reading, at, ',') && !isMain(reading, at)) at = skipGroup(reading, at);
    if (!isSign(reading, at, ',')) return { main: at, hasChange };
    at++;
  }
}

function isMain(reading: Reading, at: number): boolean {
  return mainVerbs.includes(wordAt(reading, at)) || isSign(reading, at, '(');
}
