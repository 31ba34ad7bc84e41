/** How the options that hold a load back are read: the same for `load`, `plan`, `resume` and `retry`. */
import * as z from 'zod';
import type { LoadOptions, RateLimit } from '../load/options.ts';
import { longDuration, toggle, whole } from './option-schema.ts';
import { parseSize } from './values.ts';

/** `5000rows` or `20MB`, each of them once. */
const rate: z.ZodType<RateLimit | undefined> = z
  .array(z.string())
  .transform((texts, context): RateLimit => {
    const found: { rowsPerSecond?: number; bytesPerSecond?: number } = {};
    for (const text of texts) {
      const rows = /^\s*(\d+(?:\.\d+)?)\s*(k?)\s*rows?(?:\/s)?\s*$/iu.exec(text);
      const name = rows === null ? 'bytesPerSecond' : 'rowsPerSecond';
      const value = rows === null ? readBytes(text) : Number(rows[1]) * (rows[2] === '' ? 1 : 1_000);
      if (value === undefined || !(value > 0)) {
        context.addIssue({ code: 'custom', message: `"${text.slice(0, 40)}" is not a rate; write it as 5000rows or 20MB (a second)` });
      } else if (found[name] !== undefined) {
        context.addIssue({ code: 'custom', message: `"${text.slice(0, 40)}" is a second rate of ${rows === null ? 'bytes' : 'rows'}` });
      } else found[name] = value;
    }
    return found;
  })
  .optional();

/** A bare number could be rows or bytes. */
function readBytes(text: string): number | undefined {
  const size = text.trim().replace(/\/s$/u, '');
  return /[a-z]$/iu.test(size) ? parseSize(size) : undefined;
}

interface HoldShape {
  readonly limit: z.ZodType<number | undefined>;
  readonly maxDuration: z.ZodType<number | undefined>;
  readonly rate: z.ZodType<RateLimit | undefined>;
}

const limit = whole(1, Number.MAX_SAFE_INTEGER);
export const holdShape: HoldShape = { limit: limit, maxDuration: longDuration, rate: rate };
export const provenanceShape: { readonly provenance: z.ZodType<boolean | undefined> } = { provenance: toggle };

interface HoldValues {
  readonly limit?: number | undefined;
  readonly maxDuration?: number | undefined;
  readonly rate?: RateLimit | undefined;
}

/** The members of the library's options. */
export function toHoldOptions({
  limit: rows,
  maxDuration,
  rate: asked,
}: HoldValues): Pick<LoadOptions, 'limit' | 'maxDurationMs' | 'rate'> {
  return { limit: rows, maxDurationMs: maxDuration, rate: asked };
}
