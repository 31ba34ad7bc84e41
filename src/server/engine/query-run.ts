/** One request that reads, on a connection of its own and on one snapshot: its answer in pieces, made only as fast as they are taken. */
import { printEnd, printError, createIndenter } from './answer-format.ts';
import { type BodyStatement, readBody } from './body.ts';
import type { DataRequest } from './contract.ts';
import { UnprintableNumber } from './json-value.ts';
import { DisallowedPragma, type Link } from './link.ts';
import { hasDisallowedPragma } from './pragma-text.ts';
import { rewriteStatement } from './rewrite.ts';
import { queryStatement, readMessage, type RunOptions } from './statement-run.ts';
import { refuseBody, type TextAnswer } from './write-run.ts';

/** An answer whose text comes in pieces; what is known of it before its first piece: that it is a 200. */
export interface StreamedAnswer {
  readonly pieces: Generator<string>;
}

/** The request must be run by the writer: one of its statements does more than read. */
export interface Bounced {
  readonly isBounced: true;
}

/** A piece leaves when it has this many characters; what goes wrong before is answered as rqlite does. */
const minPiece = 128 * 1024;

/** The pieces of one entry; an error in rows that have left already is told at their end. */
function* writeEntry(link: Link, statement: BodyStatement, options: RunOptions): Generator<string> {
  let isClosed = true;
  let hasLeft = false;
  let held = '';
  const pieces = queryStatement(link, statement, options);
  try {
    for (;;) {
      const next = pieces.next();
      if (next.done === true) {
        yield held + next.value.text;
        return;
      }
      held += next.value;
      isClosed = false;
      if (held.length < minPiece) continue;
      yield held;
      hasLeft = true;
      held = '';
    }
  } catch (error) {
    if (error instanceof DisallowedPragma || (error instanceof UnprintableNumber && !hasLeft)) throw error;
    const message = readMessage(error);
    if (isClosed || !hasLeft) yield printError(message, options.isAssociative);
    else yield `${held}],"error":${JSON.stringify(message)}}`;
  } finally {
    // Nobody may read on: the statement ends with this, not when its memory is collected.
    pieces.return({ text: '', isError: false });
  }
}

function* writeEntries(link: Link, { statements, onEntry }: QueryStart, options: RunOptions): Generator<string> {
  let separator = '';
  for (const statement of statements) {
    let lead = separator;
    let text = '';
    for (const piece of writeEntry(link, statement, options)) {
      yield lead + piece;
      lead = '';
      if (onEntry !== undefined) text += piece;
    }
    onEntry?.(text);
    separator = ',';
  }
}

function begin(link: Link): void {
  link.trust(() => link.prepare('BEGIN').statement?.run());
}

function end(link: Link): void {
  if (link.db.isTransaction) link.trust(() => link.prepare('COMMIT').statement?.run());
}

/** The whole answer in pieces of at least {@link minPiece}, but for the last. */
function* writeAnswer(link: Link, request: DataRequest, start: QueryStart): Generator<string> {
  const { statements, raftIndex } = start;
  const { options } = request;
  const startMs = performance.now();
  const isRefused = statements.some(({ sql }) => hasDisallowedPragma(sql));
  const printed = { startMs, raftIndex: options.addsRaftIndex && options.isStrong ? raftIndex : undefined };
  const refusal = `{"results":[${printEnd({ ...printed, error: 'disallowed pragma' }, options)}`;
  if (isRefused) {
    yield refusal;
    return;
  }
  let text = '{"results":[';
  let hasLeft = false;
  begin(link);
  link.checkSchema();
  try {
    for (const piece of writeEntries(link, start, { ...options, skipsControl: true })) {
      text += piece;
      if (text.length < minPiece) continue;
      yield text;
      hasLeft = true;
      text = '';
    }
  } catch (error) {
    if (!(error instanceof DisallowedPragma) || hasLeft) throw error;
    yield refusal;
    return;
  } finally {
    end(link);
  }
  yield text + printEnd(printed, options);
}

interface QueryStart {
  readonly statements: readonly BodyStatement[];
  readonly raftIndex: number;
  /** Hears of each entry when it is whole. */
  readonly onEntry: ((text: string) => void) | undefined;
}

function* indent(pieces: Generator<string>): Generator<string> {
  const layOut = createIndenter();
  for (const piece of pieces) yield layOut(piece);
}

/** Whether all statements of a `/db/request` only read, so that the writer need not be asked. */
function onlyReads(link: Link, statements: readonly BodyStatement[]): boolean {
  try {
    return statements.every(({ sql }) => {
      const prepared = link.prepare(sql);
      return prepared.rest === '' && prepared.statement !== undefined && prepared.isPlainRead;
    });
  } catch {
    // Whatever is wrong with it, the writer says it in the words for this route.
    return false;
  }
}

/** Begins the answer of a request. Its pieces must be read to their end, or given up with `return`. */
export function startQuery(
  link: Link,
  request: DataRequest,
  { raftIndex, onEntry }: Pick<QueryStart, 'raftIndex'> & Partial<QueryStart>,
): StreamedAnswer | TextAnswer | Bounced {
  const { options, route } = request;
  const body = readBody(request.body, { isPlainText: request.isPlainText && route !== 'request', keepsBlobText: options.isStrict });
  if (body.error !== undefined) return refuseBody(body.error);
  const found = body.statements.filter(({ sql }) => sql !== '');
  if (route === 'request' && !onlyReads(link, found)) return { isBounced: true };
  const statements = options.isStrong ? found.map((statement) => rewriteStatement(statement, options)) : found;
  const pieces = writeAnswer(link, request, { statements, raftIndex, onEntry });
  return { pieces: options.isPretty ? indent(pieces) : pieces };
}
