/** Checks what a caller asks of a load before anything is opened: all problems at once, each naming its option. */
import { parseColumnType } from '../rows/column-type.ts';
import { findSelfLoad } from '../source/database/own-target.ts';
import { listAsked } from './plan/column-plan.ts';
import type { LoadOptions } from './options.ts';
import { formatCount } from '../count-text.ts';

const modes = ['insert', 'upsert', 'skip', 'replace', 'sync'];

interface Range {
  readonly name: string;
  readonly value: unknown;
  readonly min: number;
  readonly max: number;
}

function checkRange({ name, value, min, max }: Range): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) return undefined;
  return `${name} must be a whole number from ${formatCount(min)} to ${formatCount(max)}.`;
}

/** A number of rows, or a share of them. */
function checkShare(name: string, value: LoadOptions['maxRejects']): string | undefined {
  if (value === undefined) return undefined;
  const problem = `${name} must be a whole number from 0, or a share such as 1%.`;
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? undefined : problem;
  const share = /^(\d+(?:\.\d+)?)%$/u.exec(value);
  return share !== null && Number(share[1]) <= 100 ? undefined : problem;
}

/** A timer of Node takes no more milliseconds than 31 bits hold. */
const maxTimerMs = 2 ** 31 - 1;

/** What holds a load back must leave it something to do. */
export function checkHold({
  limit,
  maxDurationMs,
  rate,
}: Pick<LoadOptions, 'limit' | 'maxDurationMs' | 'rate'>): readonly (string | undefined)[] {
  const rates = [rate?.rowsPerSecond, rate?.bytesPerSecond].filter((each) => each !== undefined);
  const isRateFit = rate === undefined || (rates.length > 0 && rates.every((each) => Number.isFinite(each) && each > 0));
  return [
    checkRange({ name: 'limit', value: limit, min: 1, max: Number.MAX_SAFE_INTEGER }),
    checkRange({ name: 'maxDurationMs', value: maxDurationMs, min: 1, max: maxTimerMs }),
    isRateFit ? undefined : 'rate must hold rowsPerSecond or bytesPerSecond, each a number above 0.',
  ];
}

/** What is wrong with the options; empty when nothing is. */
export function checkOptions(options: LoadOptions): readonly string[] {
  const problems = [
    options.table === '' ? 'table must name a table.' : undefined,
    modes.includes(options.mode ?? 'insert') ? undefined : `mode must be one of ${modes.join(', ')}.`,
    checkRange({ name: 'lanes', value: options.lanes, min: 1, max: 64 }),
    checkRange({ name: 'maxBatchBytes', value: options.maxBatchBytes, min: 1024, max: 1024 ** 3 }),
    checkRange({ name: 'maxBatchRows', value: options.maxBatchRows, min: 1, max: 10_000_000 }),
    checkRange({ name: 'shardBytes', value: options.shardBytes, min: 256, max: 1024 ** 4 }),
    checkRange({ name: 'maxRowBytes', value: options.maxRowBytes, min: 1, max: 512 * 1024 * 1024 }),
    checkRange({ name: 'lockTimeoutMs', value: options.lockTimeoutMs, min: 0, max: 86_400_000 }),
    ...listAsked(options.embed).map(({ dimensions }) => checkRange({ name: 'embed.dimensions', value: dimensions, min: 1, max: 65_536 })),
    checkShare('maxRejects', options.maxRejects),
    checkShare('maxDeletes', options.maxDeletes),
    options.maxDeletes !== undefined && options.mode !== 'sync' ? 'maxDeletes is for mode sync; no other mode deletes rows.' : undefined,
    ...checkHold(options),
    findSelfLoad(options.from, options),
    options.label === '' ? 'label must not be empty.' : undefined,
  ];
  for (const [name, type] of Object.entries(options.types ?? {})) {
    if (parseColumnType(type) === undefined) problems.push(`The type ${type} of column ${name} is not known.`);
  }
  return problems.filter((problem) => problem !== undefined);
}
