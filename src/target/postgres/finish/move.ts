/** Publishes rows that waited beside a table which keeps its own: one INSERT … SELECT, the ledger's counts and the end of the waiting table in one transaction. */
import { SluiceError } from '../../../errors.ts';
import type { Decision, RejectKeeping } from '../../driver.ts';
import { quoteIdentifier, quoteList } from '../../sql-text.ts';
import { toRefusal } from '../errors.ts';
import { findGuilty } from './bisect.ts';
import { takeVanished } from '../mirror/vanished.ts';
import { toWritingPlan } from '../mirror/writing-mode.ts';
import { markPublished, tellPublished } from './publication.ts';
import { defaultLockTimeoutMs, transactLocking } from './lock.ts';
import {
  addShares,
  readRemaining,
  refuseByRules,
  refuseDoubled,
  refuseGuilty,
  settleDoubled,
  writeCounts,
  writeInsert,
  type Moving,
} from './passes.ts';
import type { FinishingLoad } from './finishing-load.ts';
import { writeKeyDigest } from '../wire/key-hash.ts';
import { PgError, type PgLink } from '../link.ts';
import { quoteTable } from '../qualified-name.ts';
import { readWireColumns } from '../catalog/schema.ts';
import { readCatalogTable } from '../catalog/table.ts';
import { readSettings } from '../settings.ts';
import { formatCount } from '../../../count-text.ts';

/** As commits keep rejects. */
const usualKeeping: RejectKeeping = { keepsRows: true, maxBytes: 64 * 1024 };

/** Each round finds all rows that one rule refuses; a table with more rules in the way than this is not the one that was planned for. */
const maxRounds = 50;

/** Moves the rows. An earlier call that got through leaves nothing to do. @throws SLUICE_REJECT_LIMIT, SLUICE_TARGET_LOCKED, SLUICE_TARGET_FAILED; nothing is published then */
export async function publishMove(link: PgLink, load: FinishingLoad): Promise<readonly Decision[]> {
  const { plan, options, lockTimeoutMs } = load;
  // Only rows are locked, and nobody waits for this: a try that gave up early would lose all that it has written.
  const tryMs = lockTimeoutMs ?? defaultLockTimeoutMs;
  const wait = {
    what: `Publishing ${plan.table}`,
    lockTimeoutMs,
    signal: options.signal,
    tryMs,
    settings: ['SET LOCAL statement_timeout = 0'],
  };
  return transactLocking(link, wait, async () => {
    const { rows } = await link.query('SELECT to_regclass($1::text) IS NOT NULL AS waits', [quoteTable(plan.writesTo)]);
    if (rows[0]?.['waits'] !== true) return [await tellPublished(link, load)];
    const moving = await begin(link, load);
    await link.script(`LOCK TABLE ${moving.staging} IN ACCESS EXCLUSIVE MODE`);
    const moved = await moveAll(moving);
    checkRejects(moving, load);
    await writeCounts(moving);
    await link.script(`DROP TABLE ${moving.staging}`);
    // New rows and the end of vanished ones are seen at the same moment.
    const vanished = readSettings(plan).seen === undefined ? [] : await takeVanished(link, load);
    await markPublished(link, load.id);
    return [...describe(moving, plan.table, moved), ...vanished];
  });
}

async function begin(link: PgLink, { id, plan: asked, options }: FinishingLoad): Promise<Moving> {
  const plan = toWritingPlan(asked);
  const wires = await readWireColumns(link, plan.writesTo, plan.columns);
  const key = plan.key.flatMap((name) => wires.filter(({ column }) => column.name === name).map(({ type }) => ({ name, type })));
  return {
    link,
    id,
    plan,
    keeping: options.keeping ?? usualKeeping,
    staging: quoteTable(plan.writesTo),
    target: quoteTable(plan.table),
    columns: quoteList(plan.columns.map(({ name }) => name)),
    digest: readSettings(plan).tracksKeys && key.length > 0 ? writeKeyDigest(key, 's.') : { high: '0', low: '0' },
    run: { signal: options.signal, timeoutMs: 0 },
    shares: new Map(),
  };
}

/** Tries all at once; rows that a rule refuses are taken out and it is tried again, from rows as they were loaded. */
async function moveAll(moving: Moving): Promise<number> {
  const { link } = moving;
  for (let round = 1; ; round++) {
    const before = structuredClone(moving.shares);
    await link.script('SAVEPOINT sluice_move');
    try {
      const moved = await tryMove(moving);
      // Deferred constraints would speak at COMMIT, when nothing can be mended any more.
      await link.script('SET CONSTRAINTS ALL IMMEDIATE');
      await link.script('RELEASE SAVEPOINT sluice_move');
      return moved;
    } catch (error) {
      if (!(error instanceof PgError) || toRefusal(error) === undefined || round === maxRounds) throw error;
      await link.script('ROLLBACK TO SAVEPOINT sluice_move');
      moving.shares.clear();
      for (const [shard, share] of before) moving.shares.set(shard, share);
      await takeOut(moving, error);
    }
  }
}

/** Rules that can be asked of all rows at once first, keys after them: of equal keys the first row that keeps the rules stays. Single rows are searched for last. */
async function takeOut(moving: Moving, error: PgError): Promise<void> {
  if ((await refuseByRules(moving)) > 0) return;
  if (moving.plan.mode === 'insert' && error.sqlState === '23505' && (await refuseDoubled(moving, error)) > 0) return;
  const guilty = await findGuilty(moving, () => settleDoubled(moving));
  if (guilty.length === 0) throw error;
  await refuseGuilty(moving, guilty);
}

async function tryMove(moving: Moving): Promise<number> {
  const { link, plan, run } = moving;
  await settleDoubled(moving);
  if (plan.mode !== 'upsert') {
    const { rowCount } = await link.query(writeInsert(moving, ''), [], run);
    const remaining = await readRemaining(moving);
    addShares(
      moving,
      remaining.map(({ shard, count, high, low }) => ({ shard, added: count, high, low })),
    );
    skipMissing(moving, remaining, rowCount);
    return rowCount;
  }
  const { rows } = await link.query(await writeUpsert(moving), [], run);
  addShares(
    moving,
    rows
      .filter((row) => row['shard'] !== null)
      .map((row) => ({ shard: Number(row['shard']), added: Number(row['added']), high: Number(row['high']), low: Number(row['low']) })),
  );
  return Number(rows.find((row) => row['shard'] === null)?.['added'] ?? 0);
}

/** Answers new rows by shard, and with no shard all rows that were put. A partitioned table does not tell a new version's xmax: what it has is looked up before. */
async function writeUpsert(moving: Moving): Promise<string> {
  const { digest, link, plan, staging, target } = moving;
  const isPartitioned = (await readCatalogTable(link, plan.table))?.kind === 'p';
  const match = plan.key.map((name) => `p.${quoteIdentifier(name)} = s.${quoteIdentifier(name)}`).join(' AND ');
  const returned = isPartitioned ? '1' : `${quoteList(plan.key)}, xmax = 0 AS sluice_is_new`;
  const fresh = isPartitioned
    ? `FROM ${staging} s WHERE NOT EXISTS (SELECT FROM ${target} p WHERE ${match})`
    : `FROM put p JOIN ${staging} s ON ${match} WHERE p.sluice_is_new`;
  return `WITH put AS (${writeInsert(moving, '')} RETURNING ${returned})
SELECT s.sluice_shard AS shard, count(*) AS added, ${digest.high} AS high, ${digest.low} AS low ${fresh} GROUP BY s.sluice_shard
UNION ALL SELECT NULL, count(*), 0, 0 FROM put`;
}

/** Rows that a trigger of the table swallowed, or that met a key written at this moment: skipped, and not new. */
function skipMissing(moving: Moving, remaining: readonly { readonly shard: number; readonly count: number }[], moved: number): void {
  let missing = remaining.reduce((sum, { count }) => sum + count, 0) - moved;
  for (const { shard, count } of remaining.toReversed()) {
    const share = Math.min(missing, count);
    if (share > 0) addShares(moving, [{ shard, skipped: share, added: -share }]);
    missing -= share;
  }
}

function countRejected({ shares }: Moving): number {
  return shares.values().reduce((sum, { rejected }) => sum + rejected, 0);
}

function checkRejects(moving: Moving, { plan, options }: FinishingLoad): void {
  const count = countRejected(moving);
  if (count === 0 || options.mayReject === undefined || options.mayReject(count)) return;
  throw new SluiceError(
    'SLUICE_REJECT_LIMIT',
    `${plan.table} refuses ${formatCount(count)} of the loaded rows, more than the load may have; nothing was published.`,
    {
      hint: 'Mend the table or the input, or resume with a higher --max-rejects: the rows are loaded already.',
    },
  );
}

function describe(moving: Moving, table: string, moved: number): readonly Decision[] {
  const published = { what: 'rows published', choice: table, why: `${formatCount(moved)} rows in one transaction` };
  const count = countRejected(moving);
  if (count === 0) return [published];
  return [
    published,
    {
      what: 'rows refused',
      choice: formatCount(count),
      why: 'found when the rows were moved into the table; they are rejects of the load',
    },
  ];
}
