/** Cuts the exact text of an object's members out of JSON that has already been parsed once: digits and spelling that JSON.parse loses are kept. */

const quoteCode = 34;
const backslashCode = 92;

/** Exact texts of top-level members, by the order of the fields asked for; undefined where the object has no such member. */
export type MemberTexts = (string | undefined)[];

/**
 * The exact texts of some top-level members of a JSON object; of a name that stands twice the last one, as JSON.parse decides. `json` must be valid:
 * nothing is checked here beyond what keeps the scan inside the text.
 */
export function cutMembers(json: string, fields: readonly string[]): MemberTexts {
  const texts: MemberTexts = fields.map(() => undefined);
  let at = skipSpace(json, 0) + 1;
  while (at < json.length) {
    const keyStart = skipSpace(json, at);
    if (json.charCodeAt(keyStart) !== quoteCode) return texts;
    const keyEnd = skipString(json, keyStart);
    const start = skipSpace(json, skipSpace(json, keyEnd) + 1);
    const end = skipValue(json, start);
    const field = fields.indexOf(readKey(json, keyStart, keyEnd));
    if (field !== -1) texts[field] = json.slice(start, end);
    at = skipSpace(json, end) + 1;
  }
  return texts;
}

/** The exact text of one top-level member. */
export function cutMember(json: string, field: string): string | undefined {
  return cutMembers(json, [field])[0];
}

function readKey(json: string, start: number, end: number): string {
  const key = json.slice(start + 1, end - 1);
  return key.includes('\\') ? String(JSON.parse(json.slice(start, end))) : key;
}

function skipSpace(json: string, start: number): number {
  let at = start;
  // Space, tab and line ends are all that JSON allows between tokens; nothing else below 33 stands there in valid text.
  while (at < json.length && json.charCodeAt(at) <= 32) at++;
  return at;
}

/** The index after the string that opens at `start`. */
function skipString(json: string, start: number): number {
  let close = json.indexOf('"', start + 1);
  while (close !== -1) {
    let backslashes = 0;
    while (json.charCodeAt(close - 1 - backslashes) === backslashCode) backslashes++;
    if (backslashes % 2 === 0) return close + 1;
    close = json.indexOf('"', close + 1);
  }
  return json.length;
}

/** The index after the value that starts at `start`. */
function skipValue(json: string, start: number): number {
  const first = json[start];
  if (first === '"') return skipString(json, start);
  if (first === '{') return skipNested(json, start);
  if (first === '[') return skipFlatArray(json, start) ?? skipNested(json, start);
  let at = start;
  while (at < json.length && !endsScalar(json.charCodeAt(at))) at++;
  return at;
}

function endsScalar(code: number): boolean {
  return code <= 32 || code === 44 || code === 93 || code === 125;
}

/** The index after an array without arrays or strings inside, found by three searches for a character: a vector of numbers is passed at memory speed. */
function skipFlatArray(json: string, start: number): number | undefined {
  const close = json.indexOf(']', start);
  const open = json.indexOf('[', start + 1);
  const quote = json.indexOf('"', start + 1);
  const isFlat = close !== -1 && (open === -1 || open > close) && (quote === -1 || quote > close);
  return isFlat ? close + 1 : undefined;
}

function skipNested(json: string, start: number): number {
  let depth = 0;
  let at = start;
  while (at < json.length) {
    const char = json.charCodeAt(at);
    if (char === quoteCode) {
      at = skipString(json, at);
      continue;
    }
    if (char === 123 || char === 91) depth++;
    else if (char === 125 || char === 93) depth--;
    at++;
    if (depth === 0) return at;
  }
  return at;
}
