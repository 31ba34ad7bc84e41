/** Tells a format of text from its first bytes. It says nothing rather than guess: what is wrongly read is worse than what is asked about. */
import { isUtf8 } from 'node:buffer';

/** Lines that are looked at. */
const maxLines = 16;

/**
 * `json`, `jsonl`, `csv` or `tsv`; undefined where it can't be told. JSON lines: the first line is an object by itself. Delimited: a first line of names,
 * and every line that is whole has as many fields as it.
 */
export function sniffText(head: Uint8Array): string | undefined {
  const text = decode(head);
  if (text === undefined) return undefined;
  const start = text.trimStart();
  if (start.startsWith('[')) return /^\[\s*[{\]]/u.test(start) ? 'json' : undefined;
  const lines = start.split(/\r?\n/u);
  // The last one may go on beyond the bytes.
  const whole = lines.length > 1 ? lines.slice(0, -1).filter((line) => line !== '') : lines;
  if (start.startsWith('{')) return isObject(whole[0] ?? '') || lines.length === 1 ? 'jsonl' : undefined;
  if (isTable(whole, '\t')) return 'tsv';
  return isTable(whole, ',') ? 'csv' : undefined;
}

/** Text without its byte order mark; undefined for bytes that are none. A character that is cut at the end is left out. */
function decode(head: Uint8Array): string | undefined {
  for (let cut = 0; cut < 4; cut++) {
    const bytes = head.subarray(0, head.length - cut);
    if (isUtf8(bytes)) {
      const text = Buffer.from(bytes)
        .toString('utf8')
        .replace(/^\uFEFF/u, '');
      return text.includes('\0') ? undefined : text;
    }
  }
  return undefined;
}

function isObject(line: string): boolean {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    // Not JSON is an answer here.
    return false;
  }
}

/** Two lines at least, two fields at least, as many in each: one line alone could be anything. A quoted line end ends the looking. */
function isTable(lines: readonly string[], delimiter: string): boolean {
  if (lines.length < 2) return false;
  const width = countFields(lines[0] ?? '', delimiter);
  if (width === undefined || width < 2) return false;
  let seen = 0;
  for (const line of lines.slice(0, maxLines)) {
    const fields = countFields(line, delimiter);
    if (fields === undefined) return seen > 1;
    if (fields !== width) return false;
    seen++;
  }
  return seen > 1;
}

/** Fields of a line; undefined where a quote is not closed in it. */
function countFields(line: string, delimiter: string): number | undefined {
  let fields = 1;
  let isQuoted = false;
  for (const character of line) {
    if (character === '"') isQuoted = !isQuoted;
    else if (character === delimiter && !isQuoted) fields++;
  }
  return isQuoted ? undefined : fields;
}
