/** Cuts a file of statements into units, and holds no more than one. */
import { SluiceError } from '../errors.ts';
import { createArrayScanner } from './scan-array.ts';
import { createLineScanner } from './scan-lines.ts';
import { createSqlScanner } from './scan-sql.ts';
import { createByteTrack, type ByteTrack } from './byte-track.ts';
import { countLines, type FileStatement, type Place, type ScanRequest, type StatementScanner } from './scan.ts';
import type { StatementInput } from './statement-source.ts';
import { maxUnitBytes } from './statement-list.ts';

/** Statements that are run and committed together. */
export interface Unit {
  readonly statements: readonly FileStatement[];
  /** The place behind them; behind the last ones it is the end of the file. */
  readonly end: Place;
  /** CRC-32 of the file up to there. */
  readonly crc: number;
  readonly isLast: boolean;
}

export interface CutRequest {
  readonly input: StatementInput;
  readonly dialect: ScanRequest['dialect'];
  readonly from: Place & { readonly crc: number };
  /** Statements a unit; undefined: all of them. */
  readonly size: number | undefined;
  /** A unit is all or nothing, so it may not be cut in another place. */
  readonly isTransaction: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Statements that stand alone are run earlier when they fill this many bytes: a unit of long ones must not fill the memory. */
const earlyBytes = 8 * 1024 * 1024;

const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

const scanners: Readonly<Record<StatementInput['format'], (request: ScanRequest) => StatementScanner>> = {
  sql: createSqlScanner,
  json: createArrayScanner,
  jsonl: createLineScanner,
};

/** What is read and in no unit yet, and the place behind all that was read. */
interface Hand {
  statements: FileStatement[];
  bytes: number;
  end: Place;
  readonly track: ByteTrack;
}

/**
 * The units of a file, in order. A fault of the file is thrown after what stood before it was handed out; of a transaction that it cuts, nothing is.
 * @throws SLUICE_SOURCE_INVALID, SLUICE_SOURCE_CHANGED, SLUICE_SOURCE_READ; SLUICE_USAGE for a transaction that is too large
 */
export async function* cutUnits(request: CutRequest): AsyncGenerator<Unit, void, undefined> {
  const hand: Hand = { statements: [], bytes: 0, end: request.from, track: createByteTrack(request.from) };
  try {
    yield* cutFull(request, hand);
  } catch (error) {
    const last = hand.statements.at(-1);
    const isCancelled = request.signal?.aborted === true;
    if (!isCancelled && last !== undefined && !request.isTransaction) yield takeUnit(hand, last.end, false);
    throw error;
  }
  yield takeUnit(hand, hand.end, true);
}

/** Units that others follow; a unit is handed out when that is known, so that the last one can say that it is. */
async function* cutFull(request: CutRequest, hand: Hand): AsyncGenerator<Unit, void, undefined> {
  for await (const statements of readStatements(request, hand)) {
    for (const statement of statements) {
      if (isFull(request, hand)) yield takeUnit(hand, hand.statements.at(-1)?.end ?? request.from, false);
      hand.statements.push(statement);
      hand.bytes += statement.raw.length;
      checkTransaction(request, hand);
    }
  }
}

function takeUnit(hand: Hand, end: Place, isLast: boolean): Unit {
  const { statements } = hand;
  hand.statements = [];
  hand.bytes = 0;
  return { statements, end, crc: hand.track.digestTo(end.offset), isLast };
}

function isFull({ size, isTransaction }: CutRequest, hand: Hand): boolean {
  const { length } = hand.statements;
  return length >= (size ?? Infinity) || (!isTransaction && length > 0 && hand.bytes >= earlyBytes);
}

function checkTransaction({ input, isTransaction, size }: CutRequest, hand: Hand): void {
  if (!isTransaction || hand.bytes <= maxUnitBytes) return;
  const what = size === undefined ? `The statements of ${input.name}` : `${String(hand.statements.length)} statements of ${input.name}`;
  throw new SluiceError('SLUICE_USAGE', `${what} are more than one transaction takes (128 MiB). Nothing of it was run.`, {
    hint: size === undefined ? 'Add --unit 10000: then each 10,000 statements are all or nothing.' : 'Take a smaller --unit.',
  });
}

/** A piece's statements at a time: a promise for each of them would cost as much as scanning it. */
async function* readStatements(request: CutRequest, hand: Hand): AsyncGenerator<readonly FileStatement[], void, undefined> {
  const { input, dialect, from, signal } = request;
  let scanner: StatementScanner | undefined;
  const open = (skipped: number): StatementScanner =>
    scanners[input.format]({
      name: input.name,
      dialect,
      from: { offset: from.offset + skipped, line: from.line },
      isAtStart: from.offset === 0,
    });
  for await (const piece of input.read(from)) {
    if (signal?.aborted === true) throw new SluiceError('SLUICE_CANCELLED', `Reading ${input.name} was cancelled.`);
    hand.track.note(piece);
    hand.end = { offset: hand.end.offset + piece.length, line: hand.end.line + countLines(piece) };
    // Three bytes of a stream may come one by one; then the mark is told of as what it is not, a statement.
    const hasMark: boolean = scanner === undefined && from.offset === 0 && piece.subarray(0, 3).equals(byteOrderMark);
    scanner ??= open(hasMark ? 3 : 0);
    const step = scanner.push(hasMark ? piece.subarray(3) : piece);
    yield step.statements;
    if (step.fault !== undefined) throw step.fault;
  }
  const step = (scanner ?? open(0)).end();
  yield step.statements;
  if (step.fault !== undefined) throw step.fault;
}
