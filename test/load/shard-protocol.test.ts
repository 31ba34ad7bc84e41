/** The specification of the shard protocol, the table in code and the functions that the specification names say the same. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { isSluiceError } from '../../src/errors.ts';
import { step, transitions, type Event, type State, type Transition } from '../../src/load/shard/protocol.ts';

const root = new URL('../../', import.meta.url);
const specification = readFileSync(new URL('docs/spec/shard-protocol.md', root), 'utf8');
const states = Object.keys(transitions) as State[];
const events = Object.keys(transitions.open) as Event[];

/** Cells of the rows of the table under a heading, back-quotes taken off. */
function readTable(heading: string): string[][] {
  const section = specification.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const lines = section.split('\n').filter((line) => line.startsWith('| '));
  const cells = lines.map((line) => line.split('|').slice(1, -1));
  return cells.slice(2).map((row) => row.map((cell) => cell.trim().replaceAll('`', '')));
}

test('a row of the table that leaves an event out does not compile', () => {
  // @ts-expect-error: every event but one is missing.
  const row: Readonly<Record<Event, Transition>> = { claimed: 'reading' };
  assert.equal(row.claimed, 'reading');
});

test('the specification has each possible transition of the code, and no other', () => {
  const specified = readTable('Transitions').map(([state, event, next]) => `${state} ${event} ${next}`);
  const coded = states.flatMap((state) =>
    events.filter((event) => transitions[state][event] !== 'impossible').map((event) => `${state} ${event} ${transitions[state][event]}`),
  );
  assert.deepEqual(specified.toSorted(), coded.toSorted());
});

test('the specification says what each state and each event is', () => {
  assert.deepEqual(
    readTable('States').map(([state]) => state),
    states,
  );
  assert.deepEqual(new Set(readTable('Events').map(([event]) => event)), new Set(events));
});

test('an impossible pair throws SLUICE_INTERNAL, every other pair answers the table’s state', () => {
  for (const state of states) {
    for (const event of events) {
      const next = transitions[state][event];
      if (next === 'impossible')
        assert.throws(
          () => step(state, event),
          (error) => isSluiceError(error, 'SLUICE_INTERNAL'),
        );
      else assert.equal(step(state, event), next);
    }
  }
});

test('a kill loses nothing but work: only a done shard is not open afterwards', () => {
  for (const state of states) assert.equal(step(state, 'killed'), state === 'done' ? 'done' : 'open');
});

test('done is the end: no event leads out of it', () => {
  assert.deepEqual(
    events.filter((event) => !['impossible', 'done'].includes(transitions.done[event])),
    [],
  );
});

test('every state can be reached from open', () => {
  const reached = new Set<State>(['open']);
  for (const state of reached) for (const next of Object.values(transitions[state])) if (next !== 'impossible') reached.add(next);
  assert.deepEqual([...reached].toSorted(), states.toSorted());
});

test('doubt is left only by asking the ledger, by a stop, or by failing', () => {
  const ways = events.filter((event) => !['impossible', 'in_doubt'].includes(transitions.in_doubt[event]));
  assert.deepEqual(ways.toSorted(), ['cancelled', 'failed', 'killed', 'limit_reached', 'reconnected']);
  assert.equal(transitions.in_doubt.reconnected, 'settling');
});

test('the functions that the invariants name stand in the files that they name', () => {
  const invariants = readTable('Invariants');
  assert.ok(invariants.length >= 10);
  for (const [index, [name, , enforced = '']] of invariants.entries()) {
    assert.equal(name, `I${index + 1}`);
    for (const part of enforced.split('; ').filter((text) => text.startsWith('src/'))) expectFunctions(part);
  }
});

function expectFunctions(part: string): void {
  const [file = '', ...names] = part.split(/[ ,]+/);
  const url = new URL(file, root);
  assert.ok(existsSync(url), `there is no ${file}`);
  const source = readFileSync(url, 'utf8');
  assert.ok(names.length > 0, `${file} names no function`);
  for (const name of names) assert.match(source, new RegExp(`function\\*? ${name}\\b`), `${file} has no function ${name}`);
}
