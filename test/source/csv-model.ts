/** The rules of delimited text once more, over a whole text at once and without regard to speed: what the tokenizer is compared with. */
import type { Read } from './reading.ts';

interface ModelOptions {
  readonly width: number;
  readonly maxRowBytes: number;
}

interface Row {
  readonly what: string;
  readonly end: number;
  readonly next: number;
  readonly fields: readonly (string | null)[];
}

/** Rows and rejects of a Latin-1 text with `,` and `"`, blank lines left out. Only offsets, codes and fields are given. */
export function readModel(text: string, options: ModelOptions): Pick<Read, 'offset' | 'what' | 'value'>[] {
  const list: Pick<Read, 'offset' | 'what' | 'value'>[] = [];
  let at = 0;
  while (at < text.length) {
    const blank = /^\r?\n|^\r$/.exec(text.slice(at));
    if (blank !== null) {
      at += blank[0].length;
      continue;
    }
    const row = readRow(text, at, options);
    list.push({ offset: at, what: row.what, value: row.what === 'row' ? row.fields : undefined });
    at = row.next;
  }
  return list;
}

function readRow(text: string, start: number, options: ModelOptions): Row {
  const fields: (string | null)[] = [];
  const cap = start + options.maxRowBytes;
  let at = start;
  for (;;) {
    if (text[at] === '"') {
      if (fields.length > 4 * options.width + 64 && text.slice(start, at).includes('\n'))
        return breakRow(text, start, { cap, code: 'ROW_QUOTE_UNCLOSED' });
      const closed = /^"(?:[^"]|"")*"(?!")/.exec(text.slice(at, cap));
      if (closed === null) return breakRow(text, start, { cap, code: 'ROW_QUOTE_UNCLOSED' });
      const isFirstLine = !text.slice(start, at + closed[0].length).includes('\n');
      at += closed[0].length;
      if (/^\r(?:\n|$)/.test(text.slice(at))) at++;
      if (at > cap) return breakRow(text, start, { cap, code: 'ROW_QUOTE_UNCLOSED' });
      if (at < text.length && text[at] !== ',' && text[at] !== '\n') {
        return breakRow(text, start, { cap, code: isFirstLine ? 'ROW_QUOTE_STRAY' : 'ROW_QUOTE_UNCLOSED' });
      }
      fields.push(closed[0].slice(1, -1).replaceAll('""', '"'));
    } else {
      const plain = /^[^,\n]*/.exec(text.slice(at))![0];
      at += plain.length;
      const isLast = text[at] !== ',';
      const value = isLast && plain.endsWith('\r') ? plain.slice(0, -1) : plain;
      fields.push(value === '' ? null : value);
    }
    if (at > cap) return breakRow(text, start, { cap, code: 'ROW_QUOTE_UNCLOSED' });
    if (text[at] === ',') {
      at++;
      continue;
    }
    return { what: fields.length === options.width ? 'row' : 'ROW_FIELD_COUNT', end: at, next: at + 1, fields };
  }
}

function breakRow(text: string, start: number, row: { readonly cap: number; readonly code: string }): Row {
  const newline = text.indexOf('\n', start);
  const end = newline < 0 ? text.length : newline;
  return end > row.cap ? passLongRow(text, start) : { what: row.code, end, next: end + 1, fields: [] };
}

function passLongRow(text: string, start: number): Row {
  const newline = text.indexOf('\n', start);
  const end = newline < 0 ? text.length : newline;
  return { what: 'ROW_TOO_LONG', end, next: end + 1, fields: [] };
}
