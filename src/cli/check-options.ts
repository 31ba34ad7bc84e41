/** What the options of `plan --check` mean to the library. */
import type * as z from 'zod';
import type { CheckOptions } from '../check/options.ts';
import type { Invocation } from './invocation.ts';
import { checkValues, read, size, toggle, whole, word } from './option-schema.ts';

function parsePrice(text: string): number | undefined {
  const price = Number(text);
  return text.trim() !== '' && Number.isFinite(price) && price >= 0 ? price : undefined;
}

const checkShape = {
  check: toggle,
  positions: whole(1, 1_000),
  statistics: toggle,
  pricePerMillionTokens: read(parsePrice, 'a price such as 0.02'),
  keyMemory: size('1MiB', '64GiB'),
  tempFolder: word,
} satisfies z.ZodRawShape;

/** What is asked of a check; undefined where none is. @throws SLUICE_USAGE with every problem. */
export function readCheckOptions(invocation: Invocation): Omit<CheckOptions, 'from' | 'to' | 'table'> | undefined {
  const asked = Object.keys(checkShape).filter(
    (name) => name !== 'check' && invocation.flagged.has(name) && invocation.values[name] !== true,
  );
  const problems =
    asked.length > 0 && invocation.values['check'] !== true
      ? [`${asked.map((name) => invocation.labels[name]).join(', ')}: only with --check`]
      : [];
  const values = checkValues(invocation, checkShape, problems);
  if (values.check !== true) return undefined;
  const { positions, statistics, pricePerMillionTokens, keyMemory: maxKeyBytes, tempFolder: temporaryFolder } = values;
  const options = { positions, statistics: statistics === false ? false : undefined, pricePerMillionTokens, maxKeyBytes, temporaryFolder };
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
