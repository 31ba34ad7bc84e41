/** Variables and secrets in the texts of a configuration file. What was filled in from a secret is known as one, so that it is never shown. */
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Folder of the file: relative paths begin there. */
  readonly folder: string;
}

/** A text with everything filled in, or what is wrong with it. */
export type Filled = { readonly text: string; readonly isSecret: boolean } | { readonly problem: string };

/** A password is a line; a larger file is another one by mistake. */
const maxSecretBytes = 64 * 1024;

/** `${NAME}` and `${NAME:-otherwise}` anywhere, `$${` for a plain `${`; a text that begins with `env:` or `file:` is a secret as a whole. */
export function fillIn(text: string, surroundings: Surroundings): Filled {
  if (text.startsWith('env:')) return readVariable(text.slice(4), surroundings);
  if (text.startsWith('file:') && !text.startsWith('file://')) return readSecret(text.slice(5), surroundings);
  const problems: string[] = [];
  const filled = text.replaceAll(
    /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/gu,
    (all, name: string | undefined, otherwise: string | undefined) => {
      if (name === undefined) return '${';
      const value = surroundings.env[name];
      if (value !== undefined && value !== '') return value;
      if (otherwise !== undefined) return otherwise;
      problems.push(`the variable ${name} is not set; set it, or write \${${name}:-otherwise}`);
      return all;
    },
  );
  return problems.length > 0 ? { problem: problems.join('; ') } : { text: filled, isSecret: false };
}

function readVariable(name: string, { env }: Surroundings): Filled {
  const value = env[name];
  return value === undefined || value === '' ? { problem: `the variable ${name} is not set` } : { text: value, isSecret: true };
}

function readSecret(name: string, { folder }: Surroundings): Filled {
  const file = path.resolve(folder, name);
  try {
    if (statSync(file).size > maxSecretBytes)
      return { problem: `${file} has more than ${String(maxSecretBytes)} bytes; a secret is one line` };
    // Editors end a file with a newline that belongs to no secret.
    return { text: readFileSync(file, 'utf8').replace(/\r?\n$/u, ''), isSecret: true };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    return { problem: `${file} could not be read (${code})` };
  }
}
