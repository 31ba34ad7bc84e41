/** What must be in the target at the end, by reading the rows one after another, and the comparison with what is. */
import type { TableRow } from './audit.ts';
import { fateCodes, type Scenario } from './scenario.ts';
import type { World } from './world.ts';

/** What a naive reading of the rows says must be there. */
export function compareEnd({ audit, scenario, target }: World, isOrderKept: boolean): void {
  const expected = readNaively(scenario);
  const rows = [...target.table.values()];
  for (const [ordinal, row] of target.ledger.entries()) if (!row.isDone) audit.report('I17', `shard ${ordinal} was never finished`);
  const expectedRows = [...expected.table.values()];
  if (scenario.mode === 'sync') compareSeen({ audit, target }, scenario);
  // Without an order it is chance which row of a key speaks for it.
  if (scenario.mode === 'sync' && !isOrderKept) return;
  if (isOrderKept && JSON.stringify(rows) !== JSON.stringify(expectedRows))
    audit.report('I17', 'the table is not the one that a single lane makes');
  if (listKeys(rows) !== listKeys(expectedRows)) audit.report('I17', 'the table has other keys than the source');
  const rejects = [...target.rejects].flatMap(([shard, list]) => list.map(({ code, row }) => `${shard}:${row}:${code}`));
  const own = rejects.filter((name) => !name.endsWith('REFUSED_UNIQUE'));
  if (own.toSorted().join() !== expected.rejects.toSorted().join()) audit.report('I17', 'other rows were refused than must be');
  const sum = (key: 'read' | 'written' | 'skipped' | 'rejected'): number => target.ledger.reduce((total, row) => total + row[key], 0);
  const counts = [sum('read'), sum('written'), sum('skipped'), sum('rejected')].join();
  if (counts !== expected.counts.join()) audit.report('I17', `counts ${counts} are not ${expected.counts.join()}`);
}

/** What is not noted as seen is deleted at the end of a sync: each key that could be read must be there, and no other. */
function compareSeen({ audit, target }: Pick<World, 'audit' | 'target'>, { shards }: Scenario): void {
  const readable = shards.flat().filter(({ fate }) => fate !== 'unreadable' && fate !== 'unfit');
  const expected = [...new Set(readable.map(({ id }) => id))].toSorted((a, b) => a - b);
  if ([...target.seen].toSorted((a, b) => a - b).join() !== expected.join())
    audit.report('I18', 'other keys were noted as seen than were read');
}

function listKeys(rows: readonly TableRow[]): string {
  return rows
    .map((row) => row.id)
    .toSorted((a, b) => a - b)
    .join();
}

/** The rows one after another, without shards, batches, lanes or faults. */
export function readNaively(scenario: Scenario): { table: Map<number, TableRow>; rejects: string[]; counts: readonly number[] } {
  if (scenario.mode === 'sync') return mirrorNaively(scenario);
  const table = new Map<number, TableRow>();
  const rejects: string[] = [];
  const counts = { read: 0, written: 0, skipped: 0, rejected: 0 };
  for (const [shard, rows] of scenario.shards.entries()) {
    for (const [row, { fate, id, text }] of rows.entries()) {
      counts.read += 1;
      const isKnown = table.has(id);
      if (fate !== 'fits') rejects.push(`${shard}:${row}:${fateCodes[fate]}`);
      if (fate !== 'fits' || (isKnown && scenario.mode === 'insert')) counts.rejected += 1;
      else if (isKnown && scenario.mode === 'skip') counts.skipped += 1;
      else {
        counts.written += 1;
        table.set(id, { shard, row, id, text });
      }
    }
  }
  return { table, rejects, counts: [counts.read, counts.written, counts.skipped, counts.rejected] };
}

/** Mode sync: the first row of a key speaks for it, also when it was refused; an equal one is left alone, whatever the target would have said of it. */
function mirrorNaively({ shards, stored }: Scenario): ReturnType<typeof readNaively> {
  const table = new Map(stored.map(({ id, text }): [number, TableRow] => [id, { shard: -1, row: -1, id, text }]));
  const seen = new Set<number>();
  const rejects: string[] = [];
  const counts = { read: 0, written: 0, skipped: 0, rejected: 0 };
  for (const [shard, rows] of shards.entries()) {
    for (const [row, { fate, id, text }] of rows.entries()) {
      const isKeyless = fate === 'unreadable' || fate === 'unfit';
      const isRepeated = !isKeyless && seen.has(id);
      const isEqual = !isKeyless && stored.some((one) => one.id === id && one.text === text);
      const isRefused = isKeyless || fate === 'unembeddable' || (fate === 'refused' && !isEqual && !isRepeated);
      if (!isKeyless) seen.add(id);
      counts.read += 1;
      if (isRefused) rejects.push(`${shard}:${row}:${fateCodes[fate]}`);
      if (isRefused || isRepeated) counts.rejected += 1;
      else if (isEqual) counts.skipped += 1;
      else {
        counts.written += 1;
        table.set(id, { shard, row, id, text });
      }
    }
  }
  return { table, rejects, counts: [counts.read, counts.written, counts.skipped, counts.rejected] };
}
