/** Checks what a caller asks of a load before anything is opened: all problems at once, each naming its option. */
import { parseColumnType } from '../rows/column-type.ts';
import { findSelfLoad } from '../source/own-target.ts';
import type { LoadOptions } from './options.ts';
import { formatCount } from '../count-text.ts';

const modes = ['insert', 'upsert', 'skip', 'replace'];

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

function checkMaxRejects(value: LoadOptions['maxRejects']): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'number')
    return Number.isSafeInteger(value) && value >= 0 ? undefined : 'maxRejects must be a whole number from 0, or a share such as 1%.';
  const share = /^(\d+(?:\.\d+)?)%$/u.exec(value);
  return share !== null && Number(share[1]) <= 100 ? undefined : 'maxRejects must be a whole number from 0, or a share such as 1%.';
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
    checkRange({ name: 'embed.dimensions', value: options.embed?.dimensions, min: 1, max: 65_536 }),
    checkMaxRejects(options.maxRejects),
    findSelfLoad(options.from, options),
    options.label === '' ? 'label must not be empty.' : undefined,
  ];
  for (const [name, type] of Object.entries(options.types ?? {})) {
    if (parseColumnType(type) === undefined) problems.push(`The type ${type} of column ${name} is not known.`);
  }
  return problems.filter((problem) => problem !== undefined);
}
