/** COPY in process has no protocol of its own: PGlite reads and writes one blob, as a file. Its program ends when it is asked for STDIN. */
import { SluiceError } from '../../errors.ts';

/** What may hold the words by chance: names, texts, dollar-quoted texts and comments. */
const copyParts = /"(?:[^"]|"")*"|'(?:[^']|'')*'|(\$\w*\$).*?\1|--[^\n]*|\/\*.*?\*\/|\b(FROM\s+STDIN|TO\s+STDOUT)\b/gisu;

/** `COPY … FROM STDIN` as `COPY … FROM '/dev/blob'`, and the same for STDOUT. */
export function toBlobCopy(sql: string): string {
  let found = 0;
  const rewritten = sql.replaceAll(copyParts, (part: string, _tag: unknown, words: string | undefined) => {
    if (words === undefined) return part;
    found++;
    return `${words.slice(0, words.search(/\s/u))} '/dev/blob'`;
  });
  if (found !== 1) throw new SluiceError('SLUICE_INTERNAL', 'A COPY for PGlite names neither STDIN nor STDOUT, or both.');
  return rewritten;
}
