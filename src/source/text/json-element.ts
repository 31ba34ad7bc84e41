/** Where an element of a JSON array ends: brackets and strings alone tell it, and a line's end inside a string, which JSON does not have, tells that it is broken. */

const lineFeed = 10;
const quote = 34;
const comma = 44;
const openArray = 91;
const backslash = 92;
const closeArray = 93;
const openObject = 123;
const closeObject = 125;

/** An element that is being passed; it may come in pieces. */
export interface ElementScan {
  /** Brackets that are open. */
  depth: number;
  isText: boolean;
  isEscaped: boolean;
  /** Line ends passed, those in front of the element too. */
  lines: number;
  /** A string of it holds a line end: it was given up there. */
  isBroken: boolean;
}

export function createElementScan(): ElementScan {
  return { depth: 0, isText: false, isEscaped: false, lines: 0, isBroken: false };
}

/** Begins an element at `at`; returns the place behind its first byte. */
export function openElement(scan: ElementScan, view: Uint8Array, at: number): number {
  const byte = view[at] as number;
  scan.depth = byte === openArray || byte === openObject ? 1 : 0;
  scan.isText = byte === quote;
  scan.isEscaped = false;
  scan.isBroken = false;
  return at + 1;
}

/** Goes on in an element from `from`; returns the place behind its last byte, or -1 where it goes on behind the view. */
export function passElement(scan: ElementScan, view: Uint8Array, from: number): number {
  let at = from;
  while (at < view.length) {
    if (scan.isText) {
      at = passText(scan, view, at);
      if (at < 0 || scan.isBroken) return at;
      if (scan.depth === 0) return at;
    } else if (scan.depth === 0) {
      return passWord(view, at);
    } else {
      at = passBrackets(scan, view, at);
      if (scan.depth === 0) return at;
    }
  }
  return -1;
}

/** To behind the quote that closes a string, or to the line end that breaks it; -1 where it goes on. */
function passText(scan: ElementScan, view: Uint8Array, from: number): number {
  let at = scan.isEscaped ? from + 1 : from;
  scan.isEscaped = false;
  for (; at < view.length; at++) {
    const byte = view[at] as number;
    if (byte === quote) {
      scan.isText = false;
      return at + 1;
    }
    if (byte === lineFeed) {
      scan.isBroken = true;
      return at;
    }
    if (byte === backslash) at++;
  }
  scan.isEscaped = at > view.length;
  return -1;
}

/** To behind the next quote that opens a string, or behind the bracket that closes the element; to the end of the view otherwise. */
function passBrackets(scan: ElementScan, view: Uint8Array, from: number): number {
  let { depth, lines } = scan;
  let at = from;
  while (at < view.length && depth > 0 && !scan.isText) {
    const byte = view[at++] as number;
    if (byte === quote) scan.isText = true;
    else if (byte === lineFeed) lines++;
    else if (byte === openObject || byte === openArray) depth++;
    else if (byte === closeObject || byte === closeArray) depth--;
  }
  scan.depth = depth;
  scan.lines = lines;
  return at;
}

/** A number, true, false, null, or what stands in their place: up to what can end it; -1 where that is not in sight. */
function passWord(view: Uint8Array, from: number): number {
  for (let at = from; at < view.length; at++) {
    const byte = view[at] as number;
    if (byte <= 32 || byte === comma || byte === closeArray) return at;
  }
  return -1;
}

/** Whether a byte is one of JSON's four blanks. */
export function isBlank(byte: number | undefined): boolean {
  return byte === 32 || byte === lineFeed || byte === 13 || byte === 9;
}

/** The first byte at or behind `from` that is no blank; the view's length if there is none. Line ends are counted. */
export function passBlanks(scan: Pick<ElementScan, 'lines'>, view: Uint8Array, from: number): number {
  let at = from;
  while (at < view.length && isBlank(view[at])) {
    if (view[at] === lineFeed) scan.lines++;
    at++;
  }
  return at;
}
