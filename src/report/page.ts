/** The frame of every page: one file that opens offline, fetches nothing, and reads without scripts. A policy in its head holds it to that. */
import { createHash } from 'node:crypto';
import { markup, mark, type Markup, type Part } from './markup.ts';
import { pageScript } from './page-script.ts';
import { pageStyle } from './page-style.ts';

export interface Page {
  readonly title: string;
  readonly content: Part;
  /** One line at the end. */
  readonly footer: Part;
}

/** Only this page's own script may run, whatever the data in it says. */
const scriptHash = createHash('sha256').update(pageScript).digest('base64');
const policy = `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${scriptHash}'; base-uri 'none'; form-action 'none'`;

/** Writes the page as text. */
export function writePage({ title, content, footer }: Page): string {
  return markup`<!doctype html><html lang="en"><head><meta charset="utf-8" /><meta http-equiv="Content-Security-Policy" content="${policy}" /><meta name="viewport" content="width=device-width, initial-scale=1" /><meta name="color-scheme" content="light dark" /><meta name="referrer" content="no-referrer" /><title>${title}</title><style>${mark(pageStyle)}</style></head>\n<body><svg class="unseen" aria-hidden="true"><defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="3" height="6" fill="var(--main)" /></pattern></defs></svg><main>\n${content}</main>\n<footer>${footer}</footer><script>${mark(pageScript)}</script></body></html>`
    .markup;
}

/** A section with its heading; nothing when it has no content. */
export function writeSection(title: string, content: Part): Markup {
  const isEmpty = content === undefined || (Array.isArray(content) && content.every((part) => part === undefined));
  return isEmpty ? markup`` : markup`<section><h2>${title}</h2>\n${content}</section>\n`;
}

/** Names with their values. */
export function writeFacts(facts: readonly (readonly [name: string, value: Part] | undefined)[]): Markup {
  const items = facts.filter((fact) => fact !== undefined).map(([name, value]) => markup`<div><dt>${name}</dt><dd>${value}</dd></div>`);
  return markup`<dl class="facts">${items}</dl>`;
}

/** A command to be copied; the button comes by script. */
export function writeCommand(command: string): Markup {
  return markup`<div class="command"><code>${command}</code></div>`;
}
