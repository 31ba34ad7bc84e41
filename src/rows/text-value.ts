/** Text forms of booleans, bytes, uuids and JSON: read strictly, so that what is stored says the same as what was read. */
import type { Unfit } from './unfit.ts';

const noBoolean: Unfit = { code: 'VALUE_FORMAT', message: 'the text is neither true nor false' };
const noUuid: Unfit = { code: 'VALUE_FORMAT', message: 'the text is no uuid' };
const noHex: Unfit = { code: 'VALUE_FORMAT', message: 'the text after \\x is no hexadecimal of whole bytes' };
const noBase64: Unfit = { code: 'VALUE_FORMAT', message: 'the text is no base64' };
const noJson: Unfit = { code: 'VALUE_FORMAT', message: 'the text is no JSON' };
const loneSurrogate: Unfit = { code: 'VALUE_FORMAT', message: 'the text holds half of a surrogate pair, which UTF-8 cannot' };

/** PostgreSQL's words for true and false; case does not matter. */
const booleanWords: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['t', true],
  ['yes', true],
  ['y', true],
  ['on', true],
  ['1', true],
  ['false', false],
  ['f', false],
  ['no', false],
  ['n', false],
  ['off', false],
  ['0', false],
]);

/** Reads `true/false`, `t/f`, `yes/no`, `y/n`, `on/off`, `1/0`, in any case, white space around allowed. */
export function parseBoolean(text: string): boolean | Unfit {
  const trimmed = text.trim();
  return (trimmed.length > 5 ? undefined : booleanWords.get(trimmed.toLowerCase())) ?? noBoolean;
}

const canonicalUuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const looseUuidPattern = /^(?:\{([0-9a-f-]+)\}|([0-9a-f-]+))$/;

/** Tells whether text is a uuid as sluice stores it: 36 lower-case characters. */
export function isCanonicalUuid(text: string): boolean {
  return text.length === 36 && canonicalUuidPattern.test(text);
}

/** Reads a uuid with its dashes or with none, in braces or not, in any case; answers 36 lower-case characters. */
export function parseUuid(text: string): string | Unfit {
  if (isCanonicalUuid(text)) return text;
  const trimmed = text.trim();
  const match = trimmed.length > 38 ? null : looseUuidPattern.exec(trimmed.toLowerCase());
  const body = match?.[1] ?? match?.[2] ?? '';
  if (isCanonicalUuid(body)) return body;
  if (body.length !== 32 || body.includes('-')) return noUuid;
  return [body.slice(0, 8), body.slice(8, 12), body.slice(12, 16), body.slice(16, 20), body.slice(20)].join('-');
}

/** Reads bytes: `\x` and hexadecimal as PostgreSQL prints them, else base64 (RFC 4648 §4, padding optional). */
export function parseBytes(text: string): Uint8Array | Unfit {
  return text.startsWith('\\x') ? parseHex(text.slice(2)) : (decodeBase64(text) ?? noBase64);
}

function parseHex(digits: string): Uint8Array | Unfit {
  const bytes = Buffer.from(digits, 'hex');
  // Node stops at the first pair that is no hexadecimal and says nothing; the length does.
  return bytes.length * 2 === digits.length ? viewBytes(bytes) : noHex;
}

/** The bytes of base64 text; undefined unless encoding them again gives the same text, for Node skips what it can't read. */
export function decodeBase64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64');
  const padded = text.length % 4 === 0 ? text : text + '='.repeat(4 - (text.length % 4));
  return bytes.toString('base64') === padded ? viewBytes(bytes) : undefined;
}

/** Plain `Uint8Array` over a `Buffer`'s bytes, as column values are promised to be. */
function viewBytes(bytes: Buffer): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** JSON text as it stands, once it is known to be JSON. */
export function checkJson(text: string): string | Unfit {
  try {
    JSON.parse(text);
    return text;
  } catch {
    // A SyntaxError is the only way that JSON.parse of a string can fail.
    return noJson;
  }
}

/** Text as it stands, unless it can't be written as UTF-8. */
export function checkText(text: string): string | Unfit {
  return text.isWellFormed() ? text : loneSurrogate;
}
