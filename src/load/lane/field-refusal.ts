/** Refuses objects with a field that neither the sample had nor a column takes: under `--on-new-column refuse` nothing of a row is left out in silence. */
import type { Reject } from '../../rows/batch.ts';
import { pickVectors } from '../../rows/batch-edit.ts';
import { pickPlaces } from '../../rows/place-list.ts';
import type { Records, Source } from '../../source/source.ts';
import { listKnown } from './field-watch.ts';
import type { RunPlan } from '../plan/run-plan.ts';

const maxShownLength = 60;

/** The reading end of a source, with such rows among those that could not be taken. */
export function refuseFields(source: Pick<Source, 'read'>, plan: RunPlan): Pick<Source, 'read'> {
  const known = listKnown(plan);
  return {
    read: async function* (shard, from, options) {
      for await (const records of source.read(shard, from, options)) yield refuseUnknown(records, known);
    },
  };
}

function refuseUnknown(records: Records, known: ReadonlySet<string>): Records {
  // Sources with columns of their own name all fields beforehand, and tell positions in another way.
  if (records.kind !== 'values' || records.endAt !== undefined) return records;
  const refused = new Map<number, string>();
  records.values.forEach((row, at) => {
    const name = findUnknown(row, known);
    if (name !== undefined) refused.set(at, name);
  });
  return refused.size === 0 ? records : dropRefused(records, refused);
}

function findUnknown(row: object, known: ReadonlySet<string>): string | undefined {
  for (const name in row) if (!known.has(name) && Object.hasOwn(row, name)) return name;
  return undefined;
}

function dropRefused(records: Extract<Records, { kind: 'values' }>, refused: ReadonlyMap<number, string>): Records {
  const kept = Int32Array.from(records.values.flatMap((_, at) => (refused.has(at) ? [] : [at])));
  const { beside, places, rawBeside } = records;
  const rejects = [...records.rejects, ...[...refused].map(([at, name]) => toReject(places, at, name))];
  return {
    ...records,
    rowCount: kept.length,
    values: Array.from(kept, (at) => records.values[at] ?? {}),
    places: pickPlaces(places, kept),
    rejects: rejects.sort((a, b) => a.row - b.row),
    ...(beside === undefined ? {} : { beside: beside.map(({ field, values }) => ({ field, values: pickVectors(values, kept) })) }),
    ...(rawBeside === undefined ? {} : { rawBeside: (index: number) => rawBeside(kept[index] ?? 0) }),
  };
}

function toReject({ rows, offsets, lines, raw }: Records['places'], at: number, name: string): Reject {
  const shown = name.length > maxShownLength ? `${name.slice(0, maxShownLength)}…` : name;
  return {
    code: 'FIELD_UNKNOWN',
    message: `the field ${JSON.stringify(shown)} has no column, and none may be left out`,
    row: rows[at] ?? 0,
    offset: offsets[at] ?? 0,
    line: lines[at] ?? 0,
    raw: raw(at),
  };
}
