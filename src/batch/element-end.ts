/** Finds where an element of a JSON array ends: brackets and strings alone tell it; whether it is JSON is told by reading it. */

const quote = 34;
const openArray = 91;
const backslash = 92;
const closeArray = 93;
const openObject = 123;
const closeObject = 125;

/** Whether an element that can be a statement begins with this byte: a string or an array. */
export function beginsElement(byte: number): boolean {
  return byte === quote || byte === openArray;
}

/** One element after another, each in as many pieces as it comes in. */
export class ElementEnd {
  private depth = 0;
  private isText = false;
  private isEscaped = false;

  /** An element begins with this byte. */
  open(byte: number): void {
    this.depth = byte === openArray ? 1 : 0;
    this.isText = byte === quote;
    this.isEscaped = false;
  }

  /** The index behind the element's last byte, or -1 when it goes on behind these bytes. */
  find(bytes: Buffer, from: number): number {
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at] ?? 0;
      if (this.isText ? this.closesText(byte) : this.closesNested(byte)) return at + 1;
    }
    return -1;
  }

  private closesText(byte: number): boolean {
    if (this.isEscaped) this.isEscaped = false;
    else if (byte === backslash) this.isEscaped = true;
    else if (byte === quote) this.isText = false;
    return !this.isText && this.depth === 0;
  }

  private closesNested(byte: number): boolean {
    if (byte === quote) this.isText = true;
    else if (byte === openArray || byte === openObject) this.depth++;
    else if (byte === closeArray || byte === closeObject) this.depth--;
    return !this.isText && this.depth === 0;
  }
}
