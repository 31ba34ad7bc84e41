/**
 * Publishes rows that waited: every batch is written as its commit would have written it, in the order of the input, and rows, rejects, the ledger's counts and the
 * end of the waiting table stand in one transaction. A table keeps all of its rules on the way; a row that they refuse becomes a reject with its place.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { formatCount } from '../../count-text.ts';
import { SluiceError } from '../../errors.ts';
import { addDigest, emptyDigest, type KeyDigest } from '../../ledger/digest.ts';
import { settlePublished } from '../../ledger/published-rows.ts';
import { insertReject } from '../../ledger/statements.ts';
import type { Batch } from '../../rows/batch.ts';
import type { Decision, RejectKeeping, Statement, TablePlan } from '../driver.ts';
import { quoteIdentifier } from '../sql-text.ts';
import { describeDeletion } from '../sync-end.ts';
import { toReject } from './commit.ts';
import { cacheKib, prepareOnce, transactSlowly, type SqliteFile } from './connect.ts';
import { isForeignKeyError, orphanRefusal, type Refusal } from './errors.ts';
import { findOrphans } from './orphans.ts';
import { markPublished, tellPublished, type PublishingLoad } from './publication.ts';
import { describeTable, findPlainIndexes } from './schema.ts';
import { explainRefusal, takeVanished } from './vanished.ts';
import { listWaiting, readWaiting, type WaitingPlace } from './waiting-table.ts';
import { openWriter, RolledBackByBlock, RolledBackByRow, toWritingPlan, writeBatch, type TableWriter, type Written } from './write.ts';

/** As commits keep rejects. */
const usualKeeping: RejectKeeping = { keepsRows: true, maxBytes: 64 * 1024 };

/** A row that ends the transaction costs another run of the whole move; a table with more of them is not the one that was planned for. */
const maxAttempts = 1_000;

/** Pages held in memory while the move runs: rows go into indexes all over the table, and a page that is written out early is read again. */
const moveCacheKib = 65_536;

/** What earlier attempts taught, by the waiting batch's number. */
interface Lesson {
  readonly excluded: Map<number, Refusal>;
  isRowwise: boolean;
}

interface Share {
  skipped: number;
  rejected: number;
  added: number;
  readonly digest: KeyDigest;
}

interface Move {
  readonly link: SqliteFile;
  readonly load: PublishingLoad;
  readonly writer: TableWriter;
  readonly keeping: RejectKeeping;
  readonly lessons: Map<number, Lesson>;
  /** Deferred foreign keys are looked at row by row, once a COMMIT has failed for one. */
  checksForeignKeys: boolean;
}

/** One attempt's account. */
interface Account {
  readonly shares: Map<number, Share>;
  /** Rows whose parents were not there when their batch was written. */
  readonly orphans: { readonly place: WaitingPlace; readonly rows: readonly number[]; readonly written: Written }[];
  written: number;
  rejected: number;
}

/** Thrown when a row ended the transaction. */
class AttemptEnded extends Error {}

/**
 * Writes the rows. An earlier call that got through leaves nothing to do.
 * @throws SLUICE_REJECT_LIMIT, SLUICE_DELETE_LIMIT, SLUICE_CANCELLED, SLUICE_TARGET_…; nothing is published then
 */
export async function publishMove(link: SqliteFile, load: PublishingLoad): Promise<readonly Decision[]> {
  link.db.exec(`PRAGMA cache_size = -${String(moveCacheKib)}`);
  try {
    return await tryMoves(link, load);
  } finally {
    link.db.exec(`PRAGMA cache_size = -${String(cacheKib)}`);
  }
}

async function tryMoves(link: SqliteFile, load: PublishingLoad): Promise<readonly Decision[]> {
  let move: Move | undefined;
  const work = async (): Promise<readonly Decision[]> => {
    const before = tellPublished(link, load);
    if (before !== undefined) return [before];
    move ??= openMove(link, load);
    return moveAll(move);
  };
  for (let attempt = 1; attempt <= maxAttempts; attempt++) {
    try {
      return await transactSlowly(link, work, load.options.signal);
    } catch (error) {
      if (move === undefined || !learnFrom(move, error)) throw explain(error, load.plan);
    }
  }
  throw tooMany(load.plan);
}

/** A row that vanished from the source of a sync, and that something else would not let go, is told of as such. */
function explain(error: unknown, { mode, table }: TablePlan): unknown {
  return mode === 'sync' ? explainRefusal(error, table) : error;
}

function tooMany({ table }: TablePlan): SluiceError {
  return new SluiceError(
    'SLUICE_TARGET_FAILED',
    `More than ${formatCount(maxAttempts)} of the loaded rows end every transaction that would write them into ${table}; nothing was published.`,
    { hint: 'Look at its triggers and constraints (ROLLBACK), mend them or the input, then resume: the rows are loaded already.' },
  );
}

function openMove(link: SqliteFile, load: PublishingLoad): Move {
  const plan: TablePlan = { ...toWritingPlan(load.plan), writesTo: load.plan.table };
  const description = describeTable(link, plan.table);
  if (description === undefined) {
    throw new SluiceError('SLUICE_TABLE_UNKNOWN', `The table ${plan.table} is gone from ${link.file} since the load began.`, {
      hint: 'Make it again, then resume: the rows are loaded already.',
    });
  }
  return {
    link,
    load,
    writer: openWriter(link, plan, description),
    keeping: load.options.keeping ?? usualKeeping,
    lessons: new Map(),
    checksForeignKeys: false,
  };
}

function learnFrom(move: Move, error: unknown): boolean {
  if (error instanceof AttemptEnded) return true;
  if (!isForeignKeyError(error) || move.checksForeignKeys) return false;
  move.checksForeignKeys = true;
  return true;
}

async function moveAll(move: Move): Promise<readonly Decision[]> {
  const { link, load } = move;
  const { plan } = load;
  const indexes = plan.settings['rebuildsIndexes'] === true ? findPlainIndexes(link, plan.table) : [];
  for (const { name } of indexes) link.db.exec(`DROP INDEX ${quoteIdentifier(name)}`);
  const account: Account = { shares: new Map(), orphans: [], written: 0, rejected: 0 };
  const places = listWaiting(link, plan.writesTo);
  const total = places.reduce((sum, { rowCount }) => sum + rowCount, 0);
  let done = 0;
  for (const place of places) {
    moveBatch(move, account, place);
    done += place.rowCount;
    load.options.onProgress?.({ index: plan.table, phase: 'publishing', done, total });
    await nextTurn();
    stopIfAborted(load);
  }
  refuseOrphans(move, account);
  for (const { ddl } of indexes) link.db.exec(ddl);
  for (const [shard, share] of account.shares) run(link, settlePublished({ load: load.id, shard, ...share }));
  link.db.exec(`DROP TABLE ${quoteIdentifier(plan.writesTo)}`);
  const deletedCount = plan.mode === 'sync' ? takeVanished(link, { load: load.id, plan, options: load.options }) : undefined;
  markPublished(link, load.id);
  const vanished = deletedCount === undefined ? [] : [describeDeletion(deletedCount, load.options.keepsVanished)];
  return [...describe(account, plan.table), ...vanished];
}

function stopIfAborted({ options, plan }: PublishingLoad): void {
  if (options.signal?.aborted !== true) return;
  throw new SluiceError('SLUICE_CANCELLED', `Stopped while the rows of ${plan.table} were published; none is visible.`, {
    hint: 'Resume: the rows are loaded already.',
  });
}

function moveBatch(move: Move, account: Account, place: WaitingPlace): void {
  const { link, load, writer } = move;
  const batch = readWaiting(link, load.plan, place);
  const written = writeLearning(move, place, batch);
  if (move.checksForeignKeys) {
    const rows = findOrphans(writer, batch, written);
    if (rows.length > 0) account.orphans.push({ place, rows, written: { ...written, rowids: pickRowids(written, rows) } });
  }
  keepRejects(move, place, { batch, written });
  const share = account.shares.get(place.shard) ?? { skipped: 0, rejected: 0, added: 0, digest: emptyDigest() };
  account.shares.set(place.shard, share);
  share.skipped += written.skipped;
  share.rejected += written.refused.size;
  share.added += written.added;
  addDigest(share.digest, written.digest);
  account.written += written.written;
  account.rejected += written.refused.size;
  if (written.refused.size > 0) checkRejects(account, load);
}

/** Only what is asked again is remembered: a load has more rows than memory has room for their numbers. */
function pickRowids({ rowids }: Written, rows: readonly number[]): Written['rowids'] {
  return new Map(
    rows.flatMap((row) => {
      const rowid = rowids.get(row);
      return rowid === undefined ? [] : [[row, rowid] as const];
    }),
  );
}

/** @throws AttemptEnded when a row ended the transaction; what is known of it is kept for the next attempt */
function writeLearning(move: Move, { id }: WaitingPlace, batch: Batch): Written {
  const lesson = move.lessons.get(id) ?? { excluded: new Map<number, Refusal>(), isRowwise: false };
  const isRowwise = lesson.isRowwise || move.checksForeignKeys;
  try {
    return writeBatch(move.writer, batch, { excluded: lesson.excluded, isRowwise });
  } catch (error) {
    if (error instanceof RolledBackByRow) lesson.excluded.set(error.row, error.refusal);
    else if (error instanceof RolledBackByBlock && !isRowwise) lesson.isRowwise = true;
    else throw error;
    move.lessons.set(id, lesson);
    throw new AttemptEnded();
  }
}

/** The rows' own text is gone; one made from their values is marked as cut, so that no retry takes it for the source's. */
function keepRejects({ link, load, keeping }: Move, { shard }: WaitingPlace, { batch, written }: { batch: Batch; written: Written }): void {
  const rows = [...written.refused.keys()].sort((a, b) => a - b);
  for (const row of rows) {
    const refusal = written.refused.get(row);
    if (refusal === undefined) continue;
    const { sql, parameters } = insertReject({ load: load.id, shard }, toReject(batch, row, refusal), keeping);
    run(link, { sql, parameters: parameters.with(-1, 1) });
  }
}

/** Rows that are without a parent now that all are written. They are left out in the next attempt. */
function refuseOrphans(move: Move, { orphans }: Account): void {
  const { link, load, writer, lessons } = move;
  let count = 0;
  for (const { place, rows, written } of orphans) {
    const batch = readWaiting(link, load.plan, place);
    const wanted = new Set(rows);
    const found = findOrphans(writer, batch, written).filter((row) => wanted.has(row));
    const lesson = lessons.get(place.id) ?? { excluded: new Map<number, Refusal>(), isRowwise: true };
    for (const row of found) lesson.excluded.set(row, orphanRefusal);
    lessons.set(place.id, lesson);
    count += found.length;
  }
  if (count > 0) throw new AttemptEnded();
}

function checkRejects({ rejected }: Account, { plan, options }: PublishingLoad): void {
  if (options.mayReject === undefined || options.mayReject(rejected)) return;
  throw new SluiceError(
    'SLUICE_REJECT_LIMIT',
    `${plan.table} refuses ${formatCount(rejected)} or more of the loaded rows, more than the load may have; nothing was published.`,
    { hint: 'Mend the table or the input, or resume with a higher --max-rejects: the rows are loaded already.' },
  );
}

function describe({ written, rejected }: Account, table: string): readonly Decision[] {
  const published = { what: 'rows published', choice: table, why: `${formatCount(written)} rows in one transaction` };
  if (rejected === 0) return [published];
  return [
    published,
    { what: 'rows refused at the end', choice: formatCount(rejected), why: `${table} would not take them; see the rejects of the load` },
  ];
}

function run(link: SqliteFile, { sql, parameters, mustChange }: Statement): void {
  const changes = Number(prepareOnce(link, sql).run(...parameters).changes);
  if (mustChange !== undefined && changes !== mustChange)
    throw new SluiceError('SLUICE_INTERNAL', 'The ledger has no place for what was published.');
}
