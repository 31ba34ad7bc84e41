/** One-dimensional arrays, given as JSON (`[1,2,null]`) or as PostgreSQL writes them (`{1,2,NULL}`): taken apart into the texts of their elements. */

/** Texts of the elements, null for none; undefined where the text is no such array, or has more than one dimension. */
export type Elements = readonly (string | null)[];

const { rawJSON, isRawJSON } = JSON as unknown as {
  readonly rawJSON: (text: string) => unknown;
  readonly isRawJSON: (value: unknown) => value is { readonly rawJSON: string };
};

/** `keepsJson`: elements stay JSON (for json[]), else strings lose their quotes. */
export function parseArray(text: string, keepsJson: boolean): Elements | undefined {
  const trimmed = text.trim();
  if (trimmed.startsWith('[')) return parseJsonArray(trimmed, keepsJson);
  return trimmed.startsWith('{') ? parseArrayLiteral(trimmed) : undefined;
}

function parseJsonArray(text: string, keepsJson: boolean): Elements | undefined {
  const parsed = parseExactly(text);
  if (!Array.isArray(parsed)) return undefined;
  const elements: (string | null)[] = [];
  for (const element of parsed as unknown[]) {
    if (element === null) elements.push(null);
    else if (keepsJson) elements.push(JSON.stringify(element));
    else if (typeof element === 'string') elements.push(element);
    else if (typeof element === 'boolean') elements.push(String(element));
    else if (isRawJSON(element)) elements.push(element.rawJSON);
    else return undefined;
  }
  return elements;
}

/** The parsed JSON with its numbers as they were written: `1.10` and 2⁶³ keep every digit. */
function parseExactly(text: string): unknown {
  try {
    return JSON.parse(text, (_key, value: unknown, context?: { readonly source?: string }) =>
      typeof value === 'number' && context?.source !== undefined ? rawJSON(context.source) : value,
    );
  } catch {
    // A SyntaxError: the text is no array.
    return undefined;
  }
}

/** An element, in quotes or not, and what ends it. */
const elementPattern = /\s*(?:"((?:[^"\\]|\\[^])*)"|((?:[^"\\{},]|\\[^])+))\s*([,}])/uy;

function parseArrayLiteral(text: string): Elements | undefined {
  if (/^\{\s*\}$/u.test(text)) return [];
  const elements: (string | null)[] = [];
  let at = 1;
  while (at < text.length) {
    elementPattern.lastIndex = at;
    const match = elementPattern.exec(text);
    if (match === null) return undefined;
    const [, quoted, bare] = match;
    const plain = quoted ?? (bare ?? '').trimEnd();
    if (quoted === undefined && plain === '') return undefined;
    elements.push(quoted === undefined && plain.toLowerCase() === 'null' ? null : plain.replace(/\\([^])/gu, '$1'));
    at = elementPattern.lastIndex;
    if (match[3] === '}') return at === text.length ? elements : undefined;
  }
  return undefined;
}

/** The array as PostgreSQL reads it. */
export function printArray(elements: Elements): string {
  return `{${elements.map((element) => (element === null ? 'NULL' : `"${element.replace(/["\\]/gu, '\\$&')}"`)).join(',')}}`;
}
