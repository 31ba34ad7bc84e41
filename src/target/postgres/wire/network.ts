/** Network addresses between text and PostgreSQL's binary form: inet, cidr, macaddr. */

export interface NetworkAddress {
  /** 4 or 16 bytes. */
  readonly bytes: Uint8Array;
  readonly maskBits: number;
}

const familyV4 = 2;
const familyV6 = 3;

/** Reads `192.168.0.1`, `10.0.0.0/8`, `2001:db8::1/64`, `::ffff:1.2.3.4`. `cidr` takes fewer than four octets, and no bits behind its mask. */
export function parseNetwork(text: string, kind: 'inet' | 'cidr'): NetworkAddress | undefined {
  if (text.length > 64) return undefined;
  const match = /^([\da-f:.]+)(?:\/(\d{1,3}))?$/iu.exec(text.trim());
  if (match === null) return undefined;
  const [, address = '', mask] = match;
  const isV6 = address.includes(':');
  const bytes = isV6 ? parseV6(address) : parseV4(address, kind === 'inet' ? 4 : 1);
  // The server takes a mask with leading zeros behind IPv4 only.
  if (bytes === undefined || (isV6 && /^0\d/u.test(mask ?? ''))) return undefined;
  const width = bytes.length * 8;
  const maskBits = mask === undefined ? imputeMask(address, bytes, kind) : Number(mask);
  if (maskBits > width || (kind === 'cidr' && hasBitsBehind(bytes, maskBits))) return undefined;
  return { bytes, maskBits };
}

function parseV4(text: string, minOctets: number): Uint8Array | undefined {
  const octets = text.split('.');
  if (octets.length < minOctets || octets.length > 4) return undefined;
  const bytes = new Uint8Array(4);
  for (const [index, octet] of octets.entries()) {
    if (!/^\d{1,3}$/u.test(octet) || Number(octet) > 255) return undefined;
    bytes[index] = Number(octet);
  }
  return bytes;
}

function parseV6(text: string): Uint8Array | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half, index) => (half === '' ? [] : parseGroups(half, index === halves.length - 1)));
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined;
  const bytes = new Uint8Array(16);
  const known = head.length + (tail?.length ?? 0);
  // `::` stands for one group of zeros at least.
  if (tail === undefined ? known !== 16 : known > 14) return undefined;
  bytes.set(head);
  bytes.set(tail ?? [], 16 - (tail?.length ?? 0));
  return bytes;
}

/** Bytes of `a:b:c`; at the end of the address the last group may be an IPv4 address. */
function parseGroups(text: string, isAtEnd: boolean): number[] | undefined {
  const bytes: number[] = [];
  const groups = text.split(':');
  for (const [index, group] of groups.entries()) {
    const isLast = isAtEnd && index === groups.length - 1;
    if (isLast && group.includes('.')) {
      // The server takes leading zeros in an IPv4 address that stands alone, not in one at the end of an IPv6 address.
      const octets = /(?:^|\.)0\d/u.test(group) ? undefined : parseV4(group, 4);
      if (octets === undefined) return undefined;
      bytes.push(...octets);
    } else if (/^[\da-f]{1,4}$/iu.test(group)) {
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
    } else return undefined;
  }
  return bytes;
}

/** Without a mask an address is a host; a `cidr` of IPv4 gets its class's mask, widened to the octets given. */
function imputeMask(address: string, bytes: Uint8Array, kind: 'inet' | 'cidr'): number {
  if (kind === 'inet' || bytes.length === 16) return bytes.length * 8;
  const first = bytes[0] as number;
  const classBits = first >= 240 ? 32 : first >= 224 ? 8 : first >= 192 ? 24 : first >= 128 ? 16 : 8;
  return Math.max(classBits, address.split('.').length * 8);
}

function hasBitsBehind(bytes: Uint8Array, maskBits: number): boolean {
  for (let bit = maskBits; bit < bytes.length * 8; bit++) if (((bytes[bit >> 3] as number) & (0x80 >> (bit & 7))) !== 0) return true;
  return false;
}

/** Family, mask, whether it is a cidr, length, address. */
export function packNetwork({ bytes, maskBits }: NetworkAddress, kind: 'inet' | 'cidr'): Uint8Array {
  const packed = new Uint8Array(4 + bytes.length);
  packed.set([bytes.length === 4 ? familyV4 : familyV6, maskBits, kind === 'cidr' ? 1 : 0, bytes.length]);
  packed.set(bytes, 4);
  return packed;
}

/** The text of a packed address, as PostgreSQL prints it. */
export function printNetwork(packed: Uint8Array): string {
  const [family, maskBits = 0, isCidr] = packed;
  const bytes = packed.subarray(4);
  const address = family === familyV4 ? bytes.join('.') : printV6(bytes);
  return isCidr === 1 || maskBits !== bytes.length * 8 ? `${address}/${maskBits}` : address;
}

function printV6(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, index) => ((bytes[index * 2] as number) << 8) | (bytes[index * 2 + 1] as number));
  const run = findZeroRun(groups);
  const isMapped = run.start === 0 && (run.length === 6 || (run.length === 5 && groups[5] === 0xffff));
  const hex = (from: number, to: number): string =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  if (isMapped) return `::${run.length === 5 ? 'ffff:' : ''}${bytes.subarray(12).join('.')}`;
  return run.length < 2 ? hex(0, 8) : `${hex(0, run.start)}::${hex(run.start + run.length, 8)}`;
}

/** The first of the longest runs of zeros. */
function findZeroRun(groups: readonly number[]): { readonly start: number; readonly length: number } {
  let best = { start: -1, length: 0 };
  let start = 0;
  for (let index = 0; index <= groups.length; index++) {
    if (groups[index] === 0) continue;
    if (index - start > best.length) best = { start, length: index - start };
    start = index + 1;
  }
  return best;
}

const macPatterns = [
  /^([\da-f]{1,2})([:-])([\da-f]{1,2})\2([\da-f]{1,2})\2([\da-f]{1,2})\2([\da-f]{1,2})\2([\da-f]{1,2})$/iu,
  /^[\da-f]{6}[:-][\da-f]{6}$|^[\da-f]{4}([.-])[\da-f]{4}\1[\da-f]{4}$|^[\da-f]{12}$/iu,
] as const;

/** Six bytes of `08:00:2b:01:02:03` or one of the other ways that PostgreSQL reads. */
export function parseMac(text: string): Uint8Array | undefined {
  const trimmed = text.trim();
  const match = macPatterns[0].exec(trimmed);
  if (match !== null) return Uint8Array.from([match[1], ...match.slice(3)].map((octet) => Number.parseInt(octet ?? '', 16)));
  return macPatterns[1].test(trimmed) ? new Uint8Array(Buffer.from(trimmed.replace(/[:.-]/gu, ''), 'hex')) : undefined;
}

export function printMac(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}
