/** Names of embedders, and how each is made; the code of one is loaded when it is asked for. */
import { SluiceError } from '../errors.ts';
import type { Embedder, EmbedSpec } from './embedder.ts';

const makers: Readonly<Record<string, (spec: EmbedSpec) => Promise<Embedder>>> = {
  hash: async (spec) => (await import('./hash.ts')).createHashEmbedder(spec),
  mock: async (spec) => (await import('./mock.ts')).createMockEmbedder(spec),
};

/** What {@link EmbedSpec.with} may be. */
export const embedderNames: readonly string[] = Object.keys(makers);

/**
 * Makes the embedder that a spec names; whoever asks for it closes it.
 *
 * @throws SLUICE_EMBEDDER_UNKNOWN for a name that is not in {@link embedderNames}; SLUICE_USAGE for a spec that the embedder can't meet.
 */
export async function createEmbedder(spec: EmbedSpec): Promise<Embedder> {
  const maker = Object.hasOwn(makers, spec.with) ? makers[spec.with] : undefined;
  if (maker !== undefined) return maker(spec);
  throw new SluiceError('SLUICE_EMBEDDER_UNKNOWN', `There is no embedder called ${JSON.stringify(spec.with)}.`, {
    hint: `Use one of: ${embedderNames.join(', ')}.`,
  });
}
