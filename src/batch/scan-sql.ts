/** Scans SQL text: statements end at their `;`. A place behind a statement stands before that `;`, which alone is no statement when reading goes on there. */
import { isUtf8 } from 'node:buffer';
import { SluiceError } from '../errors.ts';
import { createSplitter, type StreamedStatement } from '../sql/split.ts';
import { readTokens } from '../sql/tokens.ts';
import { findShellText, ShellTextError } from './shell-text.ts';
import {
  countLines,
  faultAt,
  maxStatementBytes,
  type FileStatement,
  type ScanRequest,
  type ScanStep,
  type StatementScanner,
} from './scan.ts';

export function createSqlScanner(request: ScanRequest): StatementScanner {
  const { from } = request;
  const splitter = createSplitter(request.dialect, { maxStatementBytes });
  /** The first bytes of a character whose others are still to come. */
  let half: Buffer = Buffer.alloc(0);
  let { line } = from;

  /** The splitter counts from what it was given first, lines from 1; a place is that of the first word, behind comments. */
  function toFileStatement({ sql, offset, line: at }: StreamedStatement): FileStatement {
    const bytes = Buffer.from(
      sql.startsWith('--') || sql.startsWith('/*') ? sql.slice(readTokens(sql, request.dialect)[0]?.start ?? 0) : sql,
    );
    const start = { offset: from.offset + offset, line: from.line + at - 1 };
    const behind = { offset: start.offset + bytes.length, line: start.line + countLines(bytes) };
    return { statement: { sql, parameters: [] }, start, end: behind, raw: sql };
  }

  function toShellFault(found: StreamedStatement | undefined): SluiceError | undefined {
    const text = found === undefined ? undefined : findShellText(found.sql, request.dialect);
    return text && new ShellTextError(`${request.name}, line ${String(from.line + (found?.line ?? 0))}`, text);
  }

  function split(work: () => readonly StreamedStatement[]): ScanStep {
    try {
      const found = work();
      const shell = found.findIndex(({ sql }) => findShellText(sql, request.dialect) !== undefined);
      if (shell < 0) return { statements: found.map(toFileStatement) };
      return { statements: found.slice(0, shell).map(toFileStatement), fault: toShellFault(found[shell]) };
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      return { statements: [], fault: faultAt(request, line, error.message.replace(/\.$/, '')) };
    }
  }

  function push(piece: Buffer): ScanStep {
    const bytes = half.length === 0 ? piece : Buffer.concat([half, piece]);
    const whole = bytes.subarray(0, bytes.length - countOpenBytes(bytes));
    const isValid = isUtf8(whole);
    const valid = isValid ? whole : whole.subarray(0, findInvalid(whole));
    half = bytes.subarray(whole.length);
    const step = split(() => splitter.push(valid.toString('utf8')));
    line += countLines(valid);
    return isValid || step.fault !== undefined ? step : { ...step, fault: faultAt(request, line, 'bytes that are not UTF-8') };
  }

  function end(): ScanStep {
    if (half.length > 0) return { statements: [], fault: faultAt(request, line, 'the file ends inside a character') };
    const step = split(() => splitter.end());
    const last = step.statements.at(-1);
    if (last === undefined || !isOpen(last.raw, request.dialect)) return step;
    const fault = faultAt(request, last.start.line, 'the file ends inside a quote of the statement that begins here');
    return { statements: step.statements.slice(0, -1), fault };
  }

  return { push, end };
}

/** Whether what is behind a text would still be in a quote: the file was cut off, or a quote was forgotten and holds what follows. */
function isOpen(sql: string, dialect: ScanRequest['dialect']): boolean {
  return readTokens(`${sql}\n;`, dialect).at(-1)?.text.endsWith('\n;') ?? false;
}

/** How many bytes at the end begin a character that is not whole; 0 when they can't be the beginning of one. */
function countOpenBytes(bytes: Buffer): number {
  for (let count = 1; count <= 3 && count <= bytes.length; count++) {
    const byte = bytes[bytes.length - count] ?? 0;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return count < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? count : 0;
  }
  return 0;
}

/** The length of the longest part from the start that is UTF-8, cut between characters. */
function findInvalid(bytes: Buffer): number {
  let valid = 0;
  for (let step = 1 << 30; step >= 1; step >>= 1) {
    const next = valid + step;
    if (next > bytes.length) continue;
    const part = bytes.subarray(0, next);
    if (isUtf8(part.subarray(0, next - countOpenBytes(part)))) valid = next;
  }
  return valid - countOpenBytes(bytes.subarray(0, valid));
}
