/** Bit strings between text and PostgreSQL's binary form: a count of bits, then the bits from the highest down. */

/** Packs `1010`, `B1010` or `XA`; undefined for other text. */
export function packBits(text: string): Uint8Array | undefined {
  const digits = /^[xX]/u.test(text) ? expandHex(text.slice(1)) : text.replace(/^[bB]/u, '');
  if (digits === undefined || !/^[01]*$/u.test(digits)) return undefined;
  const packed = Buffer.alloc(4 + Math.ceil(digits.length / 8));
  packed.writeInt32BE(digits.length);
  for (let bit = 0; bit < digits.length; bit++) {
    const place = 4 + (bit >> 3);
    if (digits.charCodeAt(bit) === 49) packed[place] = (packed[place] as number) | (0x80 >> (bit & 7));
  }
  return packed;
}

function expandHex(digits: string): string | undefined {
  if (!/^[\da-f]*$/iu.test(digits)) return undefined;
  return Array.from(digits, (digit) => Number.parseInt(digit, 16).toString(2).padStart(4, '0')).join('');
}

/** How many bits are packed. */
export function countBits(packed: Uint8Array): number {
  return new DataView(packed.buffer, packed.byteOffset).getInt32(0);
}

export function printBits(packed: Uint8Array): string {
  const text = Array.from(packed.subarray(4), (byte) => byte.toString(2).padStart(8, '0')).join('');
  return text.slice(0, countBits(packed));
}
