/** A body as rqlite reads it, written down as plainly as can be: what the fast parser is compared with. */
import type { BodyStatement, ParsedBody } from '../../src/server/engine/body.ts';

/** JSON by the book, by recursion, one character at a time: numbers as their text. */
type Plain = null | boolean | string | { readonly number: string } | Plain[] | Map<string, Plain>;

class Reference {
  readonly text: string;
  place = 0;

  constructor(text: string) {
    this.text = text;
  }

  skip(): void {
    while (' \t\n\r'.includes(this.text[this.place] ?? 'x')) this.place++;
  }

  take(letter: string): void {
    if (this.text[this.place] !== letter) throw new Error('syntax');
    this.place++;
  }

  value(): Plain {
    this.skip();
    const letter = this.text[this.place] ?? '';
    if (letter === '[') return this.list();
    if (letter === '{') return this.map();
    if (letter === '"') return this.string();
    for (const [word, value] of [
      ['null', null],
      ['true', true],
      ['false', false],
    ] as const) {
      if (this.text.startsWith(word, this.place)) {
        this.place += word.length;
        return value;
      }
    }
    const digits = /^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/.exec(this.text.slice(this.place))?.[0];
    if (digits === undefined) throw new Error('syntax');
    this.place += digits.length;
    return { number: digits };
  }

  list(): Plain[] {
    const items: Plain[] = [];
    this.take('[');
    this.skip();
    if (this.text[this.place] === ']') this.place++;
    else
      for (;;) {
        items.push(this.value());
        this.skip();
        if (this.text[this.place] === ']') {
          this.place++;
          break;
        }
        this.take(',');
      }
    return items;
  }

  map(): Map<string, Plain> {
    const items = new Map<string, Plain>();
    this.take('{');
    this.skip();
    if (this.text[this.place] === '}') this.place++;
    else
      for (;;) {
        this.skip();
        const key = this.string();
        this.skip();
        this.take(':');
        items.set(key, this.value());
        this.skip();
        if (this.text[this.place] === '}') {
          this.place++;
          break;
        }
        this.take(',');
      }
    return items;
  }

  string(): string {
    const start = this.place;
    this.take('"');
    while (this.text[this.place] !== '"') {
      if (this.place >= this.text.length) throw new Error('syntax');
      this.place += this.text[this.place] === '\\' ? 2 : 1;
    }
    this.place++;
    return (JSON.parse(this.text.slice(start, this.place)) as string).toWellFormed();
  }
}

function refuse(message: string): never {
  throw new TypeError(message);
}

function referType(value: Plain): string {
  if (value === null) return '<nil>';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'string') return 'string';
  if (Array.isArray(value)) return '[]interface {}';
  return value instanceof Map
    ? 'map[string]interface {}'
    : /^-?\d+$/.test(value.number) && BigInt.asIntN(64, BigInt(value.number)) === BigInt(value.number)
      ? String(BigInt(value.number))
      : value.number;
}

function referValue(value: Plain): unknown {
  if (value === null) return value;
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (typeof value === 'string') {
    const hex = /^\s*[xX]'((?:[0-9a-fA-F][0-9a-fA-F])*)'\s*$/.exec(value)?.[1];
    return hex === undefined ? value : Uint8Array.from(Buffer.from(hex, 'hex'));
  }
  if (value instanceof Map) return refuse('unsupported type map[string]interface {}');
  if (Array.isArray(value)) {
    return Uint8Array.from(value, (item) => {
      const text = item !== null && typeof item === 'object' && 'number' in item ? item.number : '';
      return /^-?\d+$/.test(text) && Number(text) >= 0 && Number(text) <= 255
        ? Number(text)
        : refuse(`unsupported type ${referType(item)}`);
    });
  }
  if (/^-?\d+$/.test(value.number) && BigInt.asIntN(64, BigInt(value.number)) === BigInt(value.number)) return BigInt(value.number);
  return Number.isFinite(Number(value.number)) ? Number(value.number) : refuse(`invalid number ${value.number}`);
}

function referElement(element: Plain): BodyStatement {
  if (typeof element === 'string') return { sql: element, values: [], names: undefined };
  if (!Array.isArray(element) || typeof element[0] !== 'string') return refuse('invalid request');
  const pairs = element
    .slice(1)
    .flatMap((item): [string | undefined, unknown][] =>
      item instanceof Map ? [...item].map(([name, value]) => [name, referValue(value)]) : [[undefined, referValue(item)]],
    );
  const hasNames = element.slice(1).some((item) => item instanceof Map);
  return {
    sql: element[0],
    values: pairs.map(([, value]) => value),
    names: hasNames ? pairs.map(([name]) => name) : undefined,
  } as BodyStatement;
}

/** What a body must be read as. */
export function refer(text: string): ParsedBody {
  const reader = new Reference(text);
  try {
    reader.skip();
    if (reader.text[reader.place] !== '[') {
      if (reader.text[reader.place] !== '{') reader.value();
      return { error: 'invalid request' };
    }
    reader.place++;
    const statements: BodyStatement[] = [];
    reader.skip();
    if (reader.text[reader.place] === ']') return { error: 'no statements' };
    for (;;) {
      statements.push(referElement(reader.value()));
      reader.skip();
      if (reader.text[reader.place] === ']') return { statements };
      reader.take(',');
    }
  } catch (error) {
    return { error: error instanceof TypeError ? error.message : 'invalid JSON body' };
  }
}
