/** The simulated target: a table with a key, and the ledger beside it, changed by transactions. What it is asked to do badly, it does badly, for breakages. */
import type { Batch, Position, Reject } from '../../src/rows/batch.ts';
import type { Claim, Mark, Outcome, RowComparison } from '../../src/target/driver.ts';
import type { Audit, ShardRow, TableRow } from './audit.ts';
import { fateCodes, type Scenario } from './scenario.ts';

/** What an honest target keeps. Each can be broken alone. */
export interface TargetRules {
  readonly fencesEpoch: boolean;
  readonly fencesPosition: boolean;
  readonly fencesDone: boolean;
  readonly claimRaisesEpoch: boolean;
  readonly claimRefusesDone: boolean;
  /** Rows and ledger in one transaction; otherwise only the one that comes first survives now and then. */
  readonly atomicity: 'one' | 'rows_first' | 'ledger_first';
  readonly keepsRejects: boolean;
  readonly countsRejects: boolean;
  /** Mode sync: keys are noted as seen in the commit of their rows. */
  readonly notesSeen: 'with_rows' | 'with_written_rows';
  readonly settles: 'by_ledger' | 'always_landed' | 'never_landed' | 'by_position_alone';
}

export const honestTarget: TargetRules = {
  fencesEpoch: true,
  fencesPosition: true,
  fencesDone: true,
  claimRaisesEpoch: true,
  claimRefusesDone: true,
  atomicity: 'one',
  keepsRejects: true,
  countsRejects: true,
  notesSeen: 'with_rows',
  settles: 'by_ledger',
};

export interface CommitRequest {
  readonly batch: Batch;
  readonly kept?: Batch | undefined;
  readonly spared?: readonly Batch[] | undefined;
  readonly rejects: readonly Reject[];
  readonly mark: Mark;
  /** Shards that the sender's session has before this one, and its number; empty where no order is kept. */
  readonly before: readonly number[];
  readonly owner: number;
  /** One in some of the requests: the transaction is torn, where the target allows that. */
  readonly isTorn: boolean;
}

export interface SimulatedTarget {
  readonly table: ReadonlyMap<number, TableRow>;
  readonly rejects: ReadonlyMap<number, readonly Reject[]>;
  readonly ledger: readonly Readonly<ShardRow>[];
  /** Mode sync: keys that the load has seen. */
  readonly seen: ReadonlySet<number>;
  compare(batch: Batch): RowComparison;
  claim(shard: number, owner: number): Claim | undefined;
  commit(request: CommitRequest): Outcome;
  settle(mark: Mark): 'landed' | 'not_landed' | 'fenced';
}

interface Store {
  readonly scenario: Scenario;
  readonly rules: TargetRules;
  readonly audit: Audit;
  readonly table: Map<number, TableRow>;
  readonly seen: Set<number>;
  readonly rejects: Map<number, Reject[]>;
  readonly ledger: ShardRow[];
}

export function createTarget(scenario: Scenario, audit: Audit, rules: TargetRules): SimulatedTarget {
  const store: Store = {
    scenario,
    rules,
    audit,
    table: new Map(scenario.stored.map(({ id, text }) => [id, { shard: -1, row: -1, id, text }])),
    seen: new Set(),
    rejects: new Map(scenario.shards.map((_, shard) => [shard, []])),
    ledger: scenario.shards.map(() => ({
      epoch: 0,
      owner: -1,
      position: start,
      read: 0,
      written: 0,
      skipped: 0,
      rejected: 0,
      isDone: false,
    })),
  };
  return {
    table: store.table,
    rejects: store.rejects,
    ledger: store.ledger,
    seen: store.seen,
    compare: (batch) => compareBatch(store, batch),
    claim: (shard, owner) => claimShard(store, shard, owner),
    commit: (request) => commitBatch(store, request),
    settle: (mark) => settleMark(store, mark),
  };
}

export const start: Position = { offset: 0, row: 0, line: 0 };

/** Bytes that the simulated source counts for a row. */
export const rowBytes = 10;

function claimShard({ audit, ledger, rules, scenario }: Store, ordinal: number, owner: number): Claim | undefined {
  const row = readShard(ledger, ordinal);
  if (row.isDone && rules.claimRefusesDone) return undefined;
  if (rules.claimRaisesEpoch || row.epoch === 0) row.epoch += 1;
  row.owner = owner;
  audit.checkClaim(ordinal, row.epoch, row.isDone);
  const end = (scenario.shards[ordinal]?.length ?? 0) * rowBytes;
  const shard = { ordinal, file: 0, start: 0, head: '', tail: '', ...(scenario.isSeekable ? { end } : {}) };
  return { load: 'simulated', shard, epoch: row.epoch, position: row.position };
}

function commitBatch(store: Store, request: CommitRequest): Outcome {
  const { audit, ledger, rules } = store;
  const { batch, before: placesBefore, mark, owner } = request;
  const row = readShard(ledger, mark.shard);
  const isOpen = !rules.fencesDone || !row.isDone;
  const isNewest = !rules.fencesEpoch || row.epoch === mark.epoch;
  const isInPlace = !rules.fencesPosition || samePlace(row.position, mark.from);
  if (!isOpen || !isNewest || !isInPlace) return { kind: 'fenced' };
  const before = { ...row };
  const isTorn = request.isTorn && rules.atomicity !== 'one';
  const isLost = isTorn && rules.atomicity === 'ledger_first';
  const outcome = store.scenario.mode === 'sync' ? mirrorRows(store, request, isLost) : writeRows(store, request, isLost);
  if (!(isTorn && rules.atomicity === 'rows_first')) moveShard(row, mark, outcome);
  if (rules.keepsRejects) store.rejects.get(mark.shard)?.push(...outcome.rejects);
  const unfinishedBefore = placesBefore.filter((shard) => !readShard(ledger, shard).isDone && readShard(ledger, shard).owner === owner);
  audit.checkChange({
    mark,
    batch,
    kept: request.kept,
    before,
    after: { ...row },
    rejects: store.rejects.get(mark.shard) ?? [],
    unfinishedBefore,
  });
  return rules.countsRejects ? outcome : { ...outcome, rejects: outcome.rejects.slice(1) };
}

type Committed = Extract<Outcome, { kind: 'committed' }>;

function writeRows(store: Store, { batch, mark, rejects }: CommitRequest, isLost: boolean): Committed {
  const refused: Reject[] = [];
  let written = 0;
  let skipped = 0;
  for (let index = 0; index < batch.rowCount; index += 1) {
    const answer = isLost ? 'written' : writeRow(store, toTableRow(batch, mark.shard, index));
    if (answer === 'written') written += 1;
    else if (answer === 'skipped') skipped += 1;
    else refused.push({ code: answer, message: 'refused', row: batch.places.rows[index] ?? 0, offset: 0, line: 0 });
  }
  return { kind: 'committed', written, skipped, rejects: [...rejects, ...refused] };
}

/** Mode sync: all rows in the order of the input; the first of a key speaks for it. */
function mirrorRows(store: Store, { batch, kept, mark, rejects, spared = [] }: CommitRequest, isLost: boolean): Committed {
  const refused: Reject[] = [];
  let written = 0;
  for (const { of, index, row } of orderRows([batch, ...(kept === undefined ? [] : [kept]), ...spared])) {
    const refuse = (code: 'REFUSED_CHECK' | 'REFUSED_UNIQUE'): void =>
      void refused.push({ code, message: 'refused', row, offset: 0, line: 0 });
    const id = readId(of, index);
    const isRepeated = store.seen.has(id);
    if (of === batch || store.rules.notesSeen === 'with_rows') store.seen.add(id);
    if (of !== batch && of !== kept) continue;
    if (isRepeated) refuse('REFUSED_UNIQUE');
    else if (of === batch && store.scenario.shards[mark.shard]?.[row]?.fate === 'refused') refuse('REFUSED_CHECK');
    else if (of === batch) {
      written += 1;
      if (!isLost) store.table.set(id, toTableRow(batch, mark.shard, index));
    }
  }
  const keptCount = kept?.rowCount ?? 0;
  const skipped = batch.rowCount + keptCount - written - refused.length;
  return { kind: 'committed', written, skipped, rejects: [...rejects, ...refused] };
}

function orderRows(batches: readonly Batch[]): { readonly of: Batch; readonly index: number; readonly row: number }[] {
  const rows = batches.flatMap((of) =>
    Array.from({ length: of.rowCount }, (_, index) => ({ of, index, row: of.places.rows[index] ?? -1 })),
  );
  return rows.toSorted((a, b) => a.row - b.row);
}

function readId({ values }: Batch, index: number): number {
  const ids = values[0];
  if (ids?.kind !== 'scalar') throw new TypeError('The batch has no keys.');
  return Number(ids.values[index]);
}

function compareBatch({ table }: Store, batch: Batch): RowComparison {
  const differing = new Map<number, readonly string[]>();
  const states = Uint8Array.from({ length: batch.rowCount }, (_, index) => {
    const stored = table.get(readId(batch, index));
    if (stored === undefined) return 0;
    if (stored.text === toTableRow(batch, -1, index).text) return 2;
    differing.set(index, ['text']);
    return 1;
  });
  return { states, differing };
}

function toTableRow(batch: Batch, shard: number, index: number): TableRow {
  const [ids, texts] = batch.values;
  if (ids?.kind !== 'scalar' || texts?.kind !== 'scalar') throw new TypeError('The batch has other columns than the simulation.');
  return { shard, row: batch.places.rows[index] ?? -1, id: Number(ids.values[index]), text: String(texts.values[index]) };
}

function writeRow({ scenario, table }: Store, row: TableRow): 'written' | 'skipped' | 'REFUSED_CHECK' | 'REFUSED_UNIQUE' {
  if (scenario.shards[row.shard]?.[row.row]?.fate === 'refused') return fateCodes.refused as 'REFUSED_CHECK';
  if (!table.has(row.id) || scenario.mode === 'upsert') {
    table.set(row.id, row);
    return 'written';
  }
  return scenario.mode === 'skip' ? 'skipped' : 'REFUSED_UNIQUE';
}

function moveShard(row: ShardRow, mark: Mark, outcome: Committed): void {
  row.position = mark.to;
  row.read += mark.readCount;
  row.written += outcome.written;
  row.skipped += outcome.skipped;
  row.rejected += outcome.rejects.length;
  row.isDone ||= mark.isLast;
}

function settleMark({ ledger, rules }: Store, mark: Mark): 'landed' | 'not_landed' | 'fenced' {
  const row = readShard(ledger, mark.shard);
  if (rules.settles === 'always_landed') return 'landed';
  if (rules.settles === 'never_landed') return 'not_landed';
  if (row.epoch !== mark.epoch) return 'fenced';
  const isThere = samePlace(row.position, mark.to);
  if (rules.settles === 'by_position_alone') return isThere ? 'landed' : 'not_landed';
  return mark.isLast ? landedIf(row.isDone) : landedIf(isThere);
}

function landedIf(isTrue: boolean): 'landed' | 'not_landed' {
  return isTrue ? 'landed' : 'not_landed';
}

function samePlace(a: Position, b: Position): boolean {
  return a.row === b.row && a.offset === b.offset && a.line === b.line;
}

function readShard(ledger: readonly ShardRow[], ordinal: number): ShardRow {
  const row = ledger[ordinal];
  if (row === undefined) throw new RangeError(`There is no shard ${ordinal}.`);
  return row;
}
