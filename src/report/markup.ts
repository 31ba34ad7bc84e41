/** HTML as text that is escaped by default: only what this room has written itself is taken as markup. */

/** Text that may stand in a page as it is. Made by {@link markup} and {@link mark} alone. */
export interface Markup {
  readonly markup: string;
}

export type Part = Markup | string | number | undefined | readonly Part[];

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
/** Written out in text where they would be invisible or turn the text around them: controls but line feed and tab, and the marks of direction. */
const unseen = /(?![\n\t])\p{Cc}|[\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu;

/** Any text, harmless as content and inside of quoted attributes. Half surrogates become what a file in UTF-8 would make of them. */
export function escapeText(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/[&<>"']/gu, (character) => entities[character] ?? '')
    .replaceAll(unseen, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function writePart(part: Part): string {
  if (part === undefined) return '';
  if (typeof part === 'string') return escapeText(part);
  if (typeof part === 'number') return String(part);
  return 'markup' in part ? part.markup : part.map(writePart).join('');
}

/** A template whose values are escaped unless they are markup; lists are written one after another, undefined as nothing. */
export function markup(texts: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return { markup: texts.map((text, index) => text + writePart(parts[index])).join('') };
}

/** Text of this room's own that is markup already: style sheets, scripts. */
export function mark(text: string): Markup {
  return { markup: text };
}
