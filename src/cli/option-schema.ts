/** How values of options are checked: all at once, each named by the flag or variable that the user wrote. */
import * as z from 'zod';
import { SluiceError } from '../errors.ts';
import type { Invocation } from './invocation.ts';
import { formatCount } from './quantity.ts';
import { parseDuration, parseInteger, parseNames, parseSize } from './values.ts';

/** Texts in errors are cut: a value may be a whole file by mistake. */
const maxShownLength = 40;

/** A text that a parser understands, or nothing. `expected` ends the sentence «"12x" is not …». */
export function read<T>(parse: (text: string) => T | undefined, expected: string): z.ZodType<T | undefined> {
  const reader = z.string().transform((text, context): T => {
    const value = parse(text);
    if (value !== undefined) return value;
    context.addIssue({ code: 'custom', message: `"${text.slice(0, maxShownLength)}" is not ${expected}` });
    return z.NEVER;
  });
  return reader.optional();
}

/** Texts of a repeatable option, each a pair, as one record; a name given twice is a mistake. */
export function readAll<T>(
  parse: (text: string) => readonly [string, T] | undefined,
  expected: string,
): z.ZodType<Readonly<Record<string, T>> | undefined> {
  const reader = z.array(z.string()).transform((texts, context): Readonly<Record<string, T>> => {
    const pairs: Record<string, T> = Object.create(null) as Record<string, T>;
    for (const text of texts) {
      const pair = parse(text);
      if (!pair) context.addIssue({ code: 'custom', message: `"${text.slice(0, maxShownLength)}" is not ${expected}` });
      else if (pair[0] in pairs) context.addIssue({ code: 'custom', message: `"${pair[0].slice(0, maxShownLength)}" is given twice` });
      else pairs[pair[0]] = pair[1];
    }
    return { ...pairs };
  });
  return reader.optional();
}

/** One of some words. */
export function oneOf<const T extends string>(words: readonly T[]): z.ZodType<T | undefined> {
  const list = `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
  return read((text) => words.find((word) => word === text), list);
}

/** A size in bytes within bounds, both included; they are shown as they would be written. */
export function size(min: string, max: string): z.ZodType<number | undefined> {
  const [minBytes = 0, maxBytes = Infinity] = [parseSize(min), parseSize(max)];
  return read(
    (text) => keepWithin(parseSize(text), minBytes, maxBytes),
    `a size from ${min} to ${max}; write it as 64MB, 16MiB or a number of bytes`,
  );
}

/** A whole number within bounds, both included. */
export function whole(min: number, max: number): z.ZodType<number | undefined> {
  return read((text) => parseInteger(text, min, max), `a whole number from ${formatCount(min)} to ${formatCount(max)}`);
}

export const names: z.ZodType<readonly string[] | undefined> = read(parseNames, 'a list of different names with commas, such as id,name');
/** Milliseconds, up to a day. */
export const duration: z.ZodType<number | undefined> = read(
  (text) => keepWithin(parseDuration(text), 0, 86_400_000),
  'a duration of a day at most; write it as 500ms, 30s or 2m',
);
/** Milliseconds that a load may take: more than none, and no more than a timer can count. */
export const longDuration: z.ZodType<number | undefined> = read(
  (text) => keepWithin(parseDuration(text), 1, 2_147_483_647),
  'a duration above zero, of 24 days at most; write it as 30s, 45m or 12h',
);
/** Any text but an empty one. */
export const word: z.ZodType<string | undefined> = z.string().min(1, 'is empty').optional();
export const anyText: z.ZodType<string | undefined> = z.string().optional();
export const toggle: z.ZodType<boolean | undefined> = z.boolean().optional();

function keepWithin(value: number | undefined, min: number, max: number): number | undefined {
  return value !== undefined && value >= min && value <= max ? value : undefined;
}

/** A text that must be there; `missing` says what to write. */
export function required(missing: string): z.ZodType<string> {
  return z.string({ error: missing }).min(1, missing);
}

/**
 * Checks all options of a call against the shape of its command.
 *
 * @param problems What was found before; told together with the rest.
 * @throws SLUICE_USAGE with every problem.
 */
export function checkValues<S extends z.ZodRawShape>(
  invocation: Invocation,
  shape: S,
  problems: readonly string[],
): z.output<z.ZodObject<S>> {
  const result = z.object(shape).safeParse(invocation.values);
  const issues = result.success ? [] : result.error.issues.map((issue) => describeIssue(issue, invocation));
  const all = [...problems, ...issues];
  if (result.success && all.length === 0) return result.data;
  const hint = `sluice ${invocation.command} --help shows what it takes, with examples`;
  throw all.length === 1
    ? new SluiceError('SLUICE_USAGE', all[0]!, { hint })
    : new SluiceError('SLUICE_USAGE', `${all.length} things about this command must be mended`, { problems: all, hint });
}

function describeIssue(issue: z.core.$ZodIssue, invocation: Invocation): string {
  const attribute = String(issue.path[0]);
  return `${invocation.labels[attribute] ?? attribute} ${issue.message}`;
}
