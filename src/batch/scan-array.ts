/** Scans a JSON array of statements of any length: only one element is held at a time. It may begin behind an element, where an earlier session stopped. */
import { isUtf8 } from 'node:buffer';
import type { SluiceError } from '../errors.ts';
import { beginsElement, ElementEnd } from './element-end.ts';
import {
  countLines,
  faultAt,
  maxStatementBytes,
  PieceList,
  tooLong,
  type FileStatement,
  type Place,
  type ScanRequest,
  type ScanStep,
  type StatementScanner,
} from './scan.ts';
import { parseStatement } from './statement-json.ts';

const lineFeed = 10;
const comma = 44;
const openArray = 91;
const closeArray = 93;

/** What is expected between elements: the array · its first element or its end · an element · a comma or the end · nothing. */
type Expected = 'array' | 'first' | 'element' | 'comma' | 'nothing';

const noStatement = 'not a statement: a text, or an array that begins with one, is expected';

const expectations: Readonly<Record<Expected, string>> = {
  array: "an array of statements is expected, and it begins with '['; for a statement a line say --format jsonl",
  first: noStatement,
  element: noStatement,
  comma: "',' or ']' is expected",
  nothing: 'there is more behind the end of the array; for a statement a line say --format jsonl',
};

class ArrayScan implements StatementScanner {
  private readonly request: ScanRequest;
  private readonly held = new PieceList();
  private readonly element = new ElementEnd();
  private expected: Expected;
  private offset: number;
  private line: number;
  /** Of the element that is being read. */
  private start: Place | undefined;

  constructor(request: ScanRequest) {
    this.request = request;
    this.expected = request.isAtStart ? 'array' : 'comma';
    this.offset = request.from.offset;
    this.line = request.from.line;
  }

  push(bytes: Buffer): ScanStep {
    const statements: FileStatement[] = [];
    let at = 0;
    while (at < bytes.length) {
      if (this.start === undefined) {
        const fault = this.step(bytes[at++] ?? 0);
        if (fault !== undefined) return { statements, fault };
        continue;
      }
      const end = this.pass(bytes, at);
      if (this.held.byteCount > maxStatementBytes) return { statements, fault: tooLong(this.request, this.start.line) };
      if (end < 0) break;
      const fault = this.takeElement(this.start, statements);
      if (fault !== undefined) return { statements, fault };
      at = end;
    }
    return { statements };
  }

  end(): ScanStep {
    if (this.expected === 'nothing') return { statements: [] };
    const what =
      this.start === undefined
        ? "the file ends before the array does: ']' is missing"
        : 'the file ends inside the statement that begins here';
    return { statements: [], fault: faultAt(this.request, this.start?.line ?? this.line, what) };
  }

  /** A byte between elements; one that begins an element sets `start`. */
  private step(byte: number): SluiceError | undefined {
    const { expected } = this;
    if (byte === 32 || byte === 13 || byte === 9 || byte === lineFeed) this.line += byte === lineFeed ? 1 : 0;
    else if (expected === 'array' && byte === openArray) this.expected = 'first';
    else if (expected === 'comma' && byte === comma) this.expected = 'element';
    else if ((expected === 'comma' || expected === 'first') && byte === closeArray) this.expected = 'nothing';
    else if ((expected === 'first' || expected === 'element') && beginsElement(byte)) this.open(byte);
    else return faultAt(this.request, this.line, expectations[expected]);
    this.offset++;
    return undefined;
  }

  private open(byte: number): void {
    this.start = { offset: this.offset, line: this.line };
    this.element.open(byte);
    this.held.add(Buffer.of(byte));
  }

  /** Goes on inside an element; returns where it ends, or -1 when it goes on behind these bytes. */
  private pass(bytes: Buffer, from: number): number {
    const end = this.element.find(bytes, from);
    const passed = bytes.subarray(from, end < 0 ? bytes.length : end);
    this.held.add(passed);
    this.offset += passed.length;
    this.line += countLines(passed);
    return end;
  }

  /** Takes the held bytes as one element. */
  private takeElement(start: Place, found: FileStatement[]): SluiceError | undefined {
    const bytes = this.held.take();
    if (!isUtf8(bytes)) return faultAt(this.request, start.line, 'bytes that are not UTF-8');
    const raw = bytes.toString('utf8');
    const parsed = parseStatement(raw, this.request.dialect);
    if ('problem' in parsed) return faultAt(this.request, start.line, parsed.problem);
    found.push({ statement: parsed, start, end: { offset: this.offset, line: this.line }, raw });
    this.start = undefined;
    this.expected = 'comma';
    return undefined;
  }
}

export function createArrayScanner(request: ScanRequest): StatementScanner {
  return new ArrayScan(request);
}
