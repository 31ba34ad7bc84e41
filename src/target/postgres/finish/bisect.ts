/** Finds the single rows that a table refuses where no rule can be asked of all: halves of the rows are tried until one row is left. Leaves everything as it was. */
import { SluiceError } from '../../../errors.ts';
import { toRefusal } from '../errors.ts';
import { writeInsert, type Guilty, type Moving } from './passes.ts';
import { PgError } from '../link.ts';
import { formatCount } from '../../../count-text.ts';

/** A table that refuses more rows than this one by one is not the one that the input was made for; each costs about 2 log₂(rows) statements. */
const maxGuilty = 10_000;

/** Rows after the first place up to the second, both `shard, row`. */
interface Range {
  readonly after: readonly [number, number];
  readonly upTo: readonly [number, number];
  readonly count: number;
}

/** Every row that is refused on its own, each with its refusal, in the order of the input. `settle` leaves one row a key, as the move itself does. */
export async function findGuilty(moving: Moving, settle: () => Promise<void>): Promise<readonly Guilty[]> {
  const { link, staging, run, shares } = moving;
  const before = structuredClone(shares);
  await link.query(`CREATE INDEX ON ${staging} (sluice_shard, sluice_row)`, [], run);
  await link.script('SAVEPOINT sluice_search');
  await settle();
  const guilty: Guilty[] = [];
  const ranges: Range[] = [await readWhole(moving)];
  for (let range = ranges.pop(); range !== undefined; range = ranges.pop()) {
    const refusal = await tryRange(moving, range);
    if (refusal === undefined) continue;
    if (range.count > 1) {
      // The first half is tried first: a row may need those before it.
      ranges.push(...(await split(moving, range)).toReversed());
      continue;
    }
    guilty.push({ shard: range.upTo[0], row: range.upTo[1], refusal });
    if (guilty.length > maxGuilty) throw tooMany(moving);
  }
  await link.script('ROLLBACK TO SAVEPOINT sluice_search');
  shares.clear();
  for (const [shard, share] of before) shares.set(shard, share);
  return guilty;
}

function tooMany({ plan }: Moving): SluiceError {
  return new SluiceError(
    'SLUICE_TARGET_FAILED',
    `${plan.table} refuses more than ${formatCount(maxGuilty)} of the loaded rows; nothing was published.`,
    {
      hint: 'Look at its triggers and constraints, mend them or the input, then resume: the rows are loaded already.',
    },
  );
}

async function readWhole({ link, staging, run }: Moving): Promise<Range> {
  const { rows } = await link.query(
    `SELECT sluice_shard AS shard, sluice_row AS row, (SELECT count(*) FROM ${staging}) AS count FROM ${staging} ORDER BY sluice_shard DESC, sluice_row DESC LIMIT 1`,
    [],
    run,
  );
  const row = rows[0];
  return { after: [-1, -1], upTo: [Number(row?.['shard'] ?? 0), Number(row?.['row'] ?? 0)], count: Number(row?.['count'] ?? 0) };
}

function writeRange({ after, upTo }: Range): string {
  return ` WHERE (s.sluice_shard, s.sluice_row) > (${after.join(', ')}) AND (s.sluice_shard, s.sluice_row) <= (${upTo.join(', ')})`;
}

async function tryRange(moving: Moving, range: Range): Promise<Guilty['refusal'] | undefined> {
  const { link, run } = moving;
  await link.script('SAVEPOINT sluice_try');
  try {
    await link.query(writeInsert(moving, writeRange(range)), [], run);
    await link.script('SET CONSTRAINTS ALL IMMEDIATE');
  } catch (error) {
    const refusal = error instanceof PgError ? toRefusal(error) : undefined;
    if (refusal === undefined) throw error;
    await link.script('ROLLBACK TO SAVEPOINT sluice_try');
    return refusal;
  }
  await link.script('RELEASE SAVEPOINT sluice_try');
  return undefined;
}

/** Both halves by the place of the row in the middle; the last place of the second is made exact, so that a range of one row names it. */
async function split({ link, staging, run }: Moving, range: Range): Promise<readonly Range[]> {
  const middle = Math.floor(range.count / 2);
  const { rows } = await link.query(
    `SELECT sluice_shard AS shard, sluice_row AS row FROM (SELECT sluice_shard, sluice_row, row_number() OVER (ORDER BY sluice_shard, sluice_row) AS n FROM ${staging} s${writeRange(range)}) numbered
WHERE n IN (${String(middle)}, ${String(range.count)}) ORDER BY n`,
    [],
    run,
  );
  const [at, last] = rows.map((row): readonly [number, number] => [Number(row['shard']), Number(row['row'])]);
  if (at === undefined || last === undefined) return [];
  return [
    { after: range.after, upTo: at, count: middle },
    { after: at, upTo: last, count: range.count - middle },
  ];
}
