/** The invariants of the protocol, watched from outside: every one is checked whenever the simulated target changes. Names are those of docs/spec/shard-protocol.md. */
import type { Batch, Position, Reject } from '../../src/rows/batch.ts';
import type { Mark } from '../../src/target/driver.ts';
import type { InputRow, Scenario } from './scenario.ts';

export interface Violation {
  readonly invariant: string;
  readonly what: string;
}

/** The ledger's row of a shard. */
export interface ShardRow {
  epoch: number;
  owner: number;
  position: Position;
  read: number;
  written: number;
  skipped: number;
  rejected: number;
  isDone: boolean;
}

export interface TableRow {
  readonly shard: number;
  readonly row: number;
  readonly id: number;
  readonly text: string;
}

/** What changed in the target: a commit that was let through, with the ledger's row before and after it. */
export interface Change {
  readonly mark: Mark;
  readonly batch: Batch;
  readonly kept?: Batch | undefined;
  readonly before: Readonly<ShardRow>;
  readonly after: Readonly<ShardRow>;
  /** Rejects of the shard that stand in the ledger. */
  readonly rejects: readonly Reject[];
  /** Shards that come before this one in the session of whoever sent it, and are neither done nor another owner's. */
  readonly unfinishedBefore: readonly number[];
}

export interface Audit {
  readonly violations: readonly Violation[];
  report(invariant: string, what: string): void;
  checkClaim(shard: number, epoch: number, wasDone: boolean): void;
  checkChange(change: Change): void;
  isNewest(shard: number, epoch: number): boolean;
}

export function createAudit(scenario: Scenario): Audit {
  const violations: Violation[] = [];
  const newestEpochs = new Map<number, number>();
  const seen = new Set<string>();
  const report = (invariant: string, what: string): void => {
    violations.push({ invariant, what });
  };
  return {
    violations,
    report,
    isNewest: (shard, epoch) => newestEpochs.get(shard) === epoch,
    checkClaim: (shard, epoch, wasDone) => {
      if (epoch <= (newestEpochs.get(shard) ?? 0)) report('I4', `the claim of shard ${shard} did not raise epoch ${epoch}`);
      if (wasDone) report('I5', `shard ${shard} was claimed after it was done`);
      newestEpochs.set(shard, epoch);
    },
    checkChange: (change) => {
      const { mark, before } = change;
      const name = `commit of shard ${mark.shard}, epoch ${mark.epoch}, rows ${mark.from.row} to ${mark.to.row}`;
      const claim = (isTrue: boolean, invariant: string, what: string): void => {
        if (!isTrue) report(invariant, `${what}: ${name}`);
      };
      claim(newestEpochs.get(mark.shard) === mark.epoch, 'I4', 'an older epoch was committed');
      claim(!before.isDone, 'I5', 'a done shard was changed');
      claim(change.unfinishedBefore.length === 0, 'I8', `shards ${change.unfinishedBefore.join()} come first`);
      checkRows(change, { scenario, seen, claim });
      checkCounts(change, scenario, claim);
    },
  };
}

type Check = (isTrue: boolean, invariant: string, what: string) => void;

function checkRows({ batch, kept, mark }: Change, options: { scenario: Scenario; seen: Set<string>; claim: Check }): void {
  const { claim, scenario, seen } = options;
  for (const row of kept?.places.rows ?? []) {
    const name = `${mark.shard}:${row}`;
    claim(!seen.has(name), 'I1', `row ${name} was accounted for twice`);
    seen.add(name);
  }
  for (let index = 0; index < batch.rowCount; index += 1) {
    const row = batch.places.rows[index] ?? -1;
    const expected = scenario.shards[mark.shard]?.[row];
    const name = `${mark.shard}:${row}`;
    claim(!seen.has(name), 'I1', `row ${name} was written twice`);
    seen.add(name);
    claim(expected !== undefined && readCell(batch, 0, index) === expected.id, 'I14', `row ${name} is not the source's`);
    claim(readCell(batch, 1, index) === expected?.text, 'I14', `text of row ${name} is not the source's`);
    if (scenario.isEmbedded && expected !== undefined)
      claim(hasVector(batch, index, expected), 'I9', `row ${name} has another text's vector`);
  }
}

function checkCounts({ after, before, mark, rejects }: Change, scenario: Scenario, claim: Check): void {
  const length = scenario.shards[mark.shard]?.length ?? 0;
  claim(
    after.position.row - before.position.row === mark.readCount && mark.readCount >= 0,
    'I2',
    'position and rows did not move together',
  );
  claim(after.read === after.written + after.skipped + after.rejected, 'I3', 'read is not written + skipped + rejected');
  claim(after.read === after.position.row, 'I3', 'the count of rows read is not the position');
  claim(rejects.length === after.rejected, 'I7', `${rejects.length} rejects stand in the ledger, ${after.rejected} are counted`);
  claim(!after.isDone || after.position.row === length, 'I12', 'the shard was done before its end');
}

function readCell(batch: Batch, column: number, index: number): unknown {
  const values = batch.values[column];
  return values?.kind === 'scalar' ? values.values[index] : undefined;
}

function hasVector(batch: Batch, index: number, row: InputRow): boolean {
  const values = batch.values[2];
  if (values?.kind !== 'vector') return false;
  return embedText(row.text).every((element, at) => values.values[index * vectorLength + at] === element);
}

export const vectorLength = 2;

/** The simulated vector of a text: different texts of the simulation have different ones. */
export function embedText(text: string): readonly number[] {
  return [text.length, Number(text.slice(5)) || 0];
}
