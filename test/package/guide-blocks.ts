/** Takes a guide apart into the blocks that a reader would run, each with what the guide says that it prints. */

export interface GuideBlock {
  readonly language: 'sh' | 'ts';
  readonly code: string;
  /** The text block that follows it at once; undefined where the guide shows none. */
  readonly answer: string | undefined;
  /** The headings above it, outermost first. */
  readonly headings: readonly string[];
  readonly line: number;
}

interface Fence {
  readonly language: string;
  readonly code: string;
  readonly line: number;
  readonly end: number;
}

/** Every block of a shell or of TypeScript, in order. */
export function readBlocks(guide: string): readonly GuideBlock[] {
  const lines = guide.split('\n');
  const fences = readFences(lines);
  return fences.flatMap(({ language, code, line, end }, at): readonly GuideBlock[] => {
    if (language !== 'sh' && language !== 'ts') return [];
    const next = fences[at + 1];
    const isAnswered = next?.language === 'text' && lines.slice(end, next.line - 1).every((between) => between === '');
    return [{ language, code, answer: isAnswered ? next.code : undefined, headings: readHeadings(lines, fences, line), line }];
  });
}

function readFences(lines: readonly string[]): readonly Fence[] {
  const fences: Fence[] = [];
  let open: { readonly language: string; readonly line: number } | undefined;
  for (const [place, text] of lines.entries()) {
    if (!text.startsWith('```')) continue;
    if (open === undefined) open = { language: text.slice(3), line: place + 1 };
    else {
      fences.push({ ...open, code: lines.slice(open.line, place).join('\n'), end: place + 1 });
      open = undefined;
    }
  }
  return fences;
}

/** The line of `# comment` inside a block is no heading. */
function readHeadings(lines: readonly string[], fences: readonly Fence[], before: number): readonly string[] {
  const headings: string[] = [];
  for (const [place, text] of lines.slice(0, before).entries()) {
    const match = /^(#+) (.+)$/u.exec(text);
    if (match === null || fences.some((fence) => fence.line <= place && place < fence.end)) continue;
    const depth = (match[1] ?? '').length;
    headings.length = Math.min(headings.length, depth - 1);
    headings.push(match[2] ?? '');
  }
  return headings;
}
