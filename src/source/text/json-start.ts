/** The first bytes of a JSON file: an array of rows, or lines of them. What is neither is refused with the command that makes rows of it. */
import { SluiceError } from '../../errors.ts';
import type { ByteWindow } from './byte-window.ts';
import { createElementScan, openElement, passBlanks, passElement } from './json-element.ts';
import { isJsonRow, parseJson } from './json-row.ts';
import { needMore } from './json-separator.ts';
import type { Head } from './text-format.ts';
import { readTextStart } from './text-start.ts';

const lineFeed = 10;
const openArray = 91;
const openObject = 123;

/** Looked at to tell a line from an object that is spread over lines. */
const lookedAtBytes = 64 * 1024;

/** Passes the `[` of an array; leaves lines of objects as they are. @throws SLUICE_SOURCE_INVALID for a file of neither */
export async function readArrayHead(window: ByteWindow, name: string): Promise<Head> {
  const markBytes = await readTextStart(window, name);
  window.advance(markBytes);
  while (!window.isFinal && window.byteCount < lookedAtBytes && !hasLine(window.view())) await window.fill();
  const view = window.view();
  const scan = { lines: 0 };
  const at = passBlanks(scan, view, 0);
  if (view[at] === openArray) {
    window.advance(at + 1);
    await refuseNothing(window, name);
    return { fields: undefined, byteCount: markBytes + at + 1, lines: scan.lines, array: name };
  }
  if (view[at] !== openObject) {
    throw new SluiceError('SLUICE_SOURCE_INVALID', `${name} is no JSON of rows: it begins with neither [ nor {`, {
      hint: 'Check what it holds, and name its format: --format csv, for example.',
    });
  }
  checkLines(view.subarray(at), { name, isWhole: window.isFinal });
  return { fields: undefined, byteCount: markBytes, lines: 0 };
}

/** An array that ends right where it begins has no row that would tell. */
async function refuseNothing(window: ByteWindow, name: string): Promise<void> {
  while (!window.isFinal && window.byteCount < lookedAtBytes && passBlanks({ lines: 0 }, window.view(), 0) === window.byteCount)
    await window.fill();
  const view = window.view();
  if (window.isFinal && passBlanks({ lines: 0 }, view, 0) === view.length)
    needMore({ view, offset: window.offset, name, isFinal: true, isCut: false }, 0);
}

/** An array, or a line of an object with something behind it: one line alone may be all there is. */
function hasLine(view: Buffer): boolean {
  const at = passBlanks({ lines: 0 }, view, 0);
  const newline = view.indexOf(lineFeed, at);
  return view[at] === openArray || (newline >= 0 && newline < view.length - 1);
}

/** @throws SLUICE_SOURCE_INVALID where the first object goes on over lines, or is all there is and holds the rows */
function checkLines(view: Buffer, { isWhole, name }: { readonly isWhole: boolean; readonly name: string }): void {
  const newline = view.indexOf(lineFeed);
  const line = view.subarray(0, newline < 0 ? view.length : newline);
  const scan = createElementScan();
  const end = passElement(scan, view, openElement(scan, view, 0));
  const isSpread = newline >= 0 && !scan.isBroken && (end < 0 || end > newline);
  const isAlone = newline < 0 ? !isWhole || end >= 0 : isWhole && passBlanks({ lines: 0 }, view, newline) === view.length;
  const member = isSpread || isAlone ? findRows(line.length < 3 ? view : line) : undefined;
  if (isSpread && member === undefined) throw noRows(name, 'an object over several lines', '.');
  if (member !== undefined) throw noRows(name, 'one object that holds an array', `.${member}[]`);
}

/** Name of the first member that is an array of objects, in a form that jq takes; undefined if there is none. */
function findRows(view: Buffer): string | undefined {
  const text = view.toString('utf8');
  const parsed = parseJson(text);
  const found = /"([A-Za-z_]\w{0,60})"\s*:\s*\[\s*\{/u.exec(text)?.[1];
  if (!isJsonRow(parsed) || found === undefined) return found;
  const rows = parsed[found];
  return Array.isArray(rows) && rows.length > 0 && rows.every(isJsonRow) && Object.keys(parsed).length <= maxMembers ? found : undefined;
}

/** An object with more members than this is a row that happens to hold a list, not an envelope around rows. */
const maxMembers = 3;

function noRows(name: string, what: string, path: string): SluiceError {
  return new SluiceError('SLUICE_SOURCE_INVALID', `${name} is ${what}, not an array of rows`, {
    hint: `Make lines of it: jq -c '${path}' FILE | sluice load - --format jsonl …`,
  });
}
