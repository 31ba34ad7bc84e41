/** Opens the library when a command runs; before that nothing of it is loaded, so that help and mistakes are answered at once. */
import type * as library from '../index.ts';

type Library = typeof library;

/** The library's public surface, the same that programs import. */
export async function openLibrary(): Promise<Library> {
  return import('../index.ts');
}
