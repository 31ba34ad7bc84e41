/** Draws docs/images/progress.svg: what a real load shows on a terminal, frame by frame. Run it again when the display changes: `node scripts/progress-image.ts`. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

const root = path.join(import.meta.dirname, '..');
const image = path.join(root, 'docs/images/progress.svg');
const words = 'load docs.jsonl --to sqlite:library.db --table docs --key id --embed text --with hash';

const columns = 96;
const rows = 40_000;
/** Each is about 1 kB of the image; the display itself draws some eight a second. */
const maxFrames = 24;
/** The summary is read, not glanced at. */
const lastFrameMs = 5000;
/** Lines of the summary that fit: the account, and how long it took. */
const shownLines = 14;
const lineHeight = 19;
const cellWidth = 8.1;
const margin = 18;

/** A stretch of a line in one style: bold, dim or a colour of the terminal. */
interface Span {
  readonly text: string;
  readonly style: string;
}

interface Frame {
  readonly atMs: number;
  readonly lines: readonly (readonly Span[])[];
}

const styles: Readonly<Record<string, string>> = { '1': 'bold', '2': 'dim', '31': 'red', '32': 'green', '33': 'yellow', '36': 'cyan' };

/** Texts that are the same at each run, some of them cut off, so that rejects are seen. */
function writeArticles(): string {
  const nouns = ['heart', 'river', 'engine', 'paper', 'light', 'stone', 'garden', 'music', 'winter', 'bridge'];
  const lines = Array.from({ length: rows }, (_, at) => {
    const text = Array.from(
      { length: 24 },
      (_none, word) => `${nouns[(at * 7 + word * word) % 10] ?? ''}${String((at * 31 + word * 17) % 499)}`,
    );
    const row = JSON.stringify({ id: at + 1, text: text.join(' ') });
    return at % 9000 === 5000 ? row.slice(0, 60) : row;
  });
  return `${lines.join('\n')}\n`;
}

/** Runs the load in a pseudo-terminal and keeps what stands on the screen before each redraw. */
async function recordLoad(folder: string): Promise<readonly Frame[]> {
  const command = `stty cols ${String(columns)} rows 30; exec '${process.execPath}' '${path.join(root, 'src/cli/main.ts')}' ${words} --no-cache`;
  const child = spawn('script', ['-qefc', command, path.join(folder, 'typescript')], {
    cwd: folder,
    env: { PATH: process.env['PATH'], HOME: folder, TERM: 'xterm-256color' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const screen = new Screen();
  const frames: Frame[] = [];
  const startedMs = Date.now();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    screen.write(text);
    frames.push({ atMs: Date.now() - startedMs, lines: screen.readLines() });
  });
  const [exitCode] = (await once(child, 'close')) as [number | null];
  if (exitCode !== 3) throw new Error(`the load ended with ${String(exitCode)}; 3 was expected: done, with rejects`);
  return frames;
}

/** As much of a terminal as the display uses: lines, colours, up, and erasing. */
class Screen {
  readonly #lines: Span[][] = [[]];
  #row = 0;
  #style = '';

  write(text: string): void {
    for (const [part] of text.matchAll(/\r|\n|\p{Cc}\[[?\d;]*[A-Za-z]|\P{Cc}+/gu)) {
      if (part === '\r') continue;
      if (part === '\n') this.#line(++this.#row);
      else if (part.startsWith('\x1b')) this.#control(part.slice(2, -1), part.at(-1) ?? '');
      else this.#line(this.#row).push({ text: part, style: this.#style });
    }
  }

  readLines(): readonly (readonly Span[])[] {
    return this.#lines.map((line) => [...line]).filter((line) => line.length > 0);
  }

  #line(row: number): Span[] {
    return (this.#lines[row] ??= []);
  }

  #control(argument: string, name: string): void {
    if (name === 'A') this.#row = Math.max(0, this.#row - Number(argument));
    else if (name === 'J') this.#lines.length = this.#row;
    else if (name === 'K') this.#lines[this.#row] = [];
    else if (name === 'm') this.#style = styles[argument] ?? '';
    if (name === 'J') this.#line(this.#row);
  }
}

/** Frames that differ, spread over the time that it took; the last one always. */
function chooseFrames(frames: readonly Frame[]): readonly Frame[] {
  const changed = frames.filter(({ lines }, at) => lines.length > 1 && JSON.stringify(lines) !== JSON.stringify(frames[at - 1]?.lines));
  const step = Math.max(1, Math.ceil(changed.length / maxFrames));
  return changed.filter((_, at) => at === changed.length - 1 || at % step === 0);
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function drawLine(line: readonly Span[], row: number): string {
  let room = columns;
  const spans = line.map(({ text, style }) => {
    const shown = text.length > room ? `${text.slice(0, Math.max(0, room - 1))}…` : text;
    room -= shown.length;
    return style === '' ? escapeText(shown) : `<tspan class="${style}">${escapeText(shown)}</tspan>`;
  });
  return `<text x="${String(margin)}" y="${String(margin + row * lineHeight + 14)}">${spans.join('')}</text>`;
}

function drawFrames(frames: readonly Frame[]): string {
  const endMs = (frames.at(-1)?.atMs ?? 0) + lastFrameMs;
  const beginMs = frames[0]?.atMs ?? 0;
  const share = (atMs: number): string => `${((100 * (atMs - beginMs)) / (endMs - beginMs)).toFixed(2)}%`;
  const rules: string[] = [];
  const groups = frames.map(({ atMs, lines }, at) => {
    const from = share(atMs);
    const to = share(frames[at + 1]?.atMs ?? endMs);
    const hidden = at === 0 ? '' : '0%{visibility:hidden}';
    rules.push(
      `@keyframes f${String(at)}{${hidden}${from}{visibility:visible}${to}{visibility:${at === frames.length - 1 ? 'visible' : 'hidden'}}}`,
    );
    const own = lines.slice(0, shownLines - 1).map((line, row) => drawLine(line, row + 1));
    return `<g class="f" style="animation-name:f${String(at)}">${own.join('')}</g>`;
  });
  const width = Math.ceil(2 * margin + columns * cellWidth);
  const height = 2 * margin + shownLines * lineHeight;
  const seconds = ((endMs - beginMs) / 1000).toFixed(1);
  return `<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 ${String(width)} ${String(height)}" width="${String(width)}" height="${String(height)}">
<title>sluice load, on a terminal</title>
<desc>A load of 40,000 texts: a bar, rows a second, the time of each stage, rejected rows, then the vector index, and at the end the account of every row.</desc>
<style>
svg{background:#fbfbfa}text{font:13.4px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#24292f;white-space:pre}
rect{fill:#fbfbfa;stroke:#d0d7de}.bold{font-weight:700}.dim{fill:#6e7781}.green{fill:#116329}.yellow{fill:#7d4e00}.cyan{fill:#1b7c83}.red{fill:#cf222e}
@media (prefers-color-scheme:dark){svg{background:#161b22}rect{fill:#161b22;stroke:#30363d}text{fill:#e6edf3}.dim{fill:#8b949e}.green{fill:#56d364}.yellow{fill:#e3b341}.cyan{fill:#56d4dd}.red{fill:#ff7b72}}
.f{visibility:hidden;animation-duration:${seconds}s;animation-timing-function:step-end;animation-iteration-count:infinite}.f:last-of-type{visibility:visible}
@media (prefers-reduced-motion:reduce){.f{animation:none}}
${rules.join('\n')}
</style>
<rect x="0.5" y="0.5" width="${String(width - 1)}" height="${String(height - 1)}" rx="8"/>
${drawLine(
  [
    { text: '$ ', style: 'dim' },
    { text: `sluice ${words}`, style: '' },
  ],
  0,
)}
${groups.join('\n')}
</svg>
`;
}

const folder = await mkdtemp(path.join(tmpdir(), 'sluice-image-'));
try {
  await writeFile(path.join(folder, 'docs.jsonl'), writeArticles());
  const frames = chooseFrames(await recordLoad(folder));
  const drawing = drawFrames(frames);
  await writeFile(image, drawing);
  process.stdout.write(`${path.relative(root, image)}: ${String(frames.length)} frames, ${String(Math.round(drawing.length / 1000))} kB\n`);
} finally {
  await rm(folder, { recursive: true });
}
