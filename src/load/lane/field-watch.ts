/** Watches objects for fields that no sampled row had: a field that appears late has no column, and must not be left out in silence. */
import type { Records, Source } from '../../source/source.ts';
import type { RunPlan } from '../plan/run-plan.ts';

/** Names told by one lane; an input with names without end, such as ids as keys, is recognised long before. */
const maxFields = 20;
const maxShownLength = 60;

/** The reading end of a source that tells of each field, once, which is neither known from the sample nor taken by a column. */
export function watchFields(source: Pick<Source, 'read'>, plan: RunPlan, warn: (message: string) => void): Pick<Source, 'read'> {
  const known = listKnown(plan);
  let left = maxFields;
  const look = (records: Records): void => {
    if (records.kind !== 'values') return;
    // Objects of equal shape share the list of keys that `for in` walks, which makes it the cheapest way to see every key.
    for (const row of records.values) {
      for (const name in row) {
        if (known.has(name) || left === 0 || !Object.hasOwn(row, name)) continue;
        known.add(name);
        left--;
        warn(describeField(name));
      }
    }
  };
  return {
    read: async function* (shard, from, options) {
      for await (const records of source.read(shard, from, options)) {
        if (left > 0) look(records);
        yield records;
      }
    },
  };
}

/** Fields that the plan spoke of, and those that a column takes. */
export function listKnown({ fields, table }: Pick<RunPlan, 'fields' | 'table'>): Set<string> {
  return new Set([...fields, ...table.columns.map((column) => column.field)]);
}

function describeField(name: string): string {
  const shown = name.length > maxShownLength ? `${name.slice(0, maxShownLength)}…` : name;
  return `The field ${JSON.stringify(shown)} appears in rows beyond the sample and no column takes it: it was not loaded. A column with a type given takes it: --column NAME:TYPE.`;
}
