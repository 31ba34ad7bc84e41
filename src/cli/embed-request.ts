/** How `--embed` and what goes with it are read: one column of texts or several, each into a column of its own. */
import * as z from 'zod';
import type { EmptyTextPolicy } from '../embed/embedder.ts';
import type { EmbedOptions, LoadOptions } from '../load/options.ts';
import { dropAbsent } from './given-options.ts';
import type { Invocation } from './invocation.ts';
import { anyText, oneOf, whole, word } from './option-schema.ts';

const maxInteger = Number.MAX_SAFE_INTEGER;

interface EmbedShape {
  readonly embed: z.ZodType<readonly string[] | undefined>;
  readonly with: z.ZodType<string | undefined>;
  readonly dimensions: z.ZodType<number | undefined>;
  readonly seed: z.ZodType<number | undefined>;
  readonly into: z.ZodType<string | undefined>;
  readonly emptyText: z.ZodType<EmptyTextPolicy | undefined>;
  readonly documentPrefix: z.ZodType<string | undefined>;
  readonly queryPrefix: z.ZodType<string | undefined>;
}

export const embedShape: EmbedShape = {
  embed: z.array(z.string().min(1, 'is empty')).optional(),
  with: word,
  dimensions: whole(1, 65_536),
  seed: whole(0, maxInteger),
  into: word,
  emptyText: oneOf(['reject', 'null']),
  documentPrefix: anyText,
  queryPrefix: anyText,
};

type EmbedValues = { readonly [Name in keyof EmbedShape]?: z.output<EmbedShape[Name]> };

/** Options that say how to embed mean nothing without `--embed`: a mistake on the command line; in the environment they wait for loads that embed. */
export function findEmbedProblems({ values, labels, flagged }: Invocation): readonly string[] {
  const { embed } = values;
  if (Array.isArray(embed) && embed.length > 1 && flagged.has('into'))
    return ['--into goes with one --embed; of several each names its own: --embed COLUMN:INTO'];
  if (embed !== undefined) return values['with'] === undefined ? ['--embed needs an embedder: add --with hash'] : [];
  const orphans = Object.keys(embedShape).filter((attribute) => flagged.has(attribute));
  return orphans.map((attribute) => `${labels[attribute]} means nothing without --embed <column>`);
}

/** One embedding as an object, several as a list; undefined for none. */
export function toEmbedOptions(values: EmbedValues): LoadOptions['embed'] {
  if (values.embed === undefined || values.with === undefined) return undefined;
  const { with: embedder, dimensions, seed, emptyText, documentPrefix, queryPrefix } = values;
  const all = values.embed.map((text): EmbedOptions => {
    const [, column = text, into = values.into] = /^(.+):([^:]+)$/su.exec(text) ?? [];
    return dropAbsent({ column, into, with: embedder, dimensions, seed, emptyText, documentPrefix, queryPrefix });
  });
  return all.length === 1 ? all[0] : all;
}
