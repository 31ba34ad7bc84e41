/** Reads a query string as Go's net/url does, so that a request means here what it means to rqlite: the first of several values wins, and `;` is refused. */

/** Parameters by name, each with its first value; or what is wrong with the text, in the words of Go. */
export type QueryString =
  { readonly values: ReadonlyMap<string, string>; readonly error?: undefined } | { readonly values?: undefined; readonly error: string };

const percent = 0x25;
const plus = 0x2b;
const space = 0x20;

/** Parses the text behind the `?`, as the wire had it: one character a byte. */
export function parseQueryString(text: string): QueryString {
  const values = new Map<string, string>();
  let error: string | undefined;
  for (const piece of text === '' ? [] : text.split('&')) {
    // Go goes on after a mistake and reports the first bad escape, but the last semicolon: both stop the request, one of them names the reason.
    if (piece.includes(';')) error = 'invalid semicolon separator in query';
    else error = readPiece(piece, values, error);
  }
  return error === undefined ? { values } : { error };
}

function readPiece(piece: string, values: Map<string, string>, before: string | undefined): string | undefined {
  if (piece === '') return before;
  const equals = piece.indexOf('=');
  const name = unescape(equals < 0 ? piece : piece.slice(0, equals));
  const value = unescape(equals < 0 ? '' : piece.slice(equals + 1));
  if (name.text === undefined) return before ?? name.error;
  if (value.text === undefined) return before ?? value.error;
  if (!values.has(name.text)) values.set(name.text, value.text);
  return before;
}

type Unescaped = { readonly text: string; readonly error?: undefined } | { readonly text?: undefined; readonly error: string };

/** Percent escapes and `+`; bytes that are not UTF-8 become U+FFFD. */
function unescape(text: string): Unescaped {
  if (!/[%+\u0080-\uffff]/.test(text)) return { text };
  const bytes = Buffer.allocUnsafe(text.length);
  let length = 0;
  for (let at = 0; at < text.length; at++) {
    let byte = text.charCodeAt(at);
    if (byte === percent) {
      const escaped = /^[0-9a-f]{2}$/i.test(text.slice(at + 1, at + 3)) ? Number.parseInt(text.slice(at + 1, at + 3), 16) : undefined;
      if (escaped === undefined) return { error: `invalid URL escape ${JSON.stringify(text.slice(at, at + 3))}` };
      byte = escaped;
      at += 2;
    } else if (byte === plus) byte = space;
    bytes[length++] = byte;
  }
  return { text: bytes.toString('utf8', 0, length) };
}

/** The path of a request target without its escapes, as Go matches routes by; undefined where it can't be read. */
export function decodePath(path: string): string | undefined {
  if (!/[%\u0080-\uffff]/.test(path)) return path;
  return unescape(path.replaceAll('+', '%2B')).text;
}
