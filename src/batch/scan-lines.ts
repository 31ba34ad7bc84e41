/** Scans JSON lines: a statement a line; blank lines are none. A line that is no statement ends the reading, for those after it may build on it. */
import { isUtf8 } from 'node:buffer';
import type { SluiceError } from '../errors.ts';
import {
  faultAt,
  maxStatementBytes,
  PieceList,
  tooLong,
  type FileStatement,
  type ScanRequest,
  type ScanStep,
  type StatementScanner,
} from './scan.ts';
import { parseStatement } from './statement-json.ts';

const lineFeed = 10;

export function createLineScanner(request: ScanRequest): StatementScanner {
  const held = new PieceList();
  let { offset, line } = request.from;

  function takeLine(bytes: Buffer, found: FileStatement[]): SluiceError | undefined {
    const start = { offset, line };
    offset += bytes.length;
    if (bytes.at(-1) === lineFeed) line++;
    if (!isUtf8(bytes)) return faultAt(request, start.line, 'bytes that are not UTF-8');
    const text = bytes.toString('utf8').trim();
    if (text === '') return undefined;
    const parsed = parseStatement(text, request.dialect);
    if ('problem' in parsed) return faultAt(request, start.line, parsed.problem);
    found.push({ statement: parsed, start, end: { offset, line }, raw: text });
    return undefined;
  }

  function push(bytes: Buffer): ScanStep {
    const statements: FileStatement[] = [];
    let at = 0;
    for (let newline = bytes.indexOf(lineFeed); newline >= 0; newline = bytes.indexOf(lineFeed, at)) {
      const piece = bytes.subarray(at, newline + 1);
      const fault = takeLine(held.byteCount === 0 ? piece : held.takeWith(piece), statements);
      if (fault !== undefined) return { statements, fault };
      at = newline + 1;
    }
    held.add(bytes.subarray(at));
    return held.byteCount > maxStatementBytes ? { statements, fault: tooLong(request, line) } : { statements };
  }

  return {
    push,
    end: () => {
      const statements: FileStatement[] = [];
      return held.byteCount === 0 ? { statements } : { statements, fault: takeLine(held.take(), statements) };
    },
  };
}
