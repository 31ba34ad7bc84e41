/** The statements of a unit made ready to be sent: read, checked and with their values for the wire. What is wrong with one is found here, before anything is sent. */
import type { StatementError, StatementParameters, StatementValue, UnitRequest, UnitStatement } from '../../batch-contract.ts';
import { toDollarNumbers, type DollarStatement } from '../../../sql/parameters.ts';
import { readShape } from '../../../sql/shape.ts';
import type { StatementShape } from '../../../sql/shape-contract.ts';
import { readTokens, type Token } from '../../../sql/tokens.ts';
import type { PgError, PipelineStep } from '../link.ts';
import { findRefusal } from './refused-text.ts';
import { bareName, guessTypes, isByPlace, orderValues, writeValues } from './values.ts';

/** A statement's text, read once for all statements that have the same. */
export interface ReadText {
  /** With `$1` … for parameters of any form. */
  readonly dollar: DollarStatement;
  /** Of the text with `$1` …: its places are those of `dollar.sql`. */
  readonly shape: StatementShape;
  readonly refusal: StatementError | undefined;
}

export interface PreparedStatement {
  readonly text: ReadText;
  readonly step: PipelineStep;
  /** As they were given, by place. */
  readonly values: readonly StatementValue[];
  /** About how many bytes it takes on the wire. */
  readonly byteCount: number;
}

/** A statement, or why it can't be sent. */
export type Preparation =
  { readonly ready: PreparedStatement; readonly error?: undefined } | { readonly ready?: undefined; readonly error: StatementError };

/** Parse, Bind, Describe and Execute without text and values. */
const messageBytes = 60;

/** Execute counts rows in a signed 32-bit number. */
const maxExecuteRows = 2_147_483_647;

/** Words that a value may follow, and that no operator does. */
const wordsBeforeValues = /^(?:select|where|and|or|in|like|ilike|then|else|when|limit|offset|between|not|by|on|returning|values)$/iu;

/** A `?` or `:name` that was left in the text, as it was given no value: behind `(`, a comma, an operator or such a word nothing else can begin so. */
function findUnboundParameter(tokens: readonly Token[]): string | undefined {
  const at = tokens.findIndex(({ kind, text, end }, index) => {
    if (kind !== 'operator' || !/^[:?$]$/u.test(text)) return false;
    const before = tokens[index - 1];
    const opens = before?.kind === 'operator' ? !/^[)[\]]$/u.test(before.text) : wordsBeforeValues.test(before?.text ?? '');
    const next = tokens[index + 1];
    return opens && (text === '?' || (next?.kind === 'word' && next.start === end));
  });
  if (at < 0) return undefined;
  return tokens[at]?.text === '?' ? '?' : `${tokens[at]?.text ?? ''}${tokens[at + 1]?.text ?? ''}`;
}

/** Names that values are given by; their number where they are given by place. */
type Giving = number | readonly string[];

function readText(sql: string, giving: Giving, isTransaction: boolean): ReadText {
  const dollar = toDollarNumbers(sql, giving);
  const shape = readShape(dollar.sql, 'postgres');
  const tokens = readTokens(dollar.sql, 'postgres');
  return { dollar, shape, refusal: refuseText(tokens, shape, isTransaction) };
}

function refuseText(tokens: readonly Token[], shape: StatementShape, isTransaction: boolean): StatementError | undefined {
  const why = findRefusal({ tokens, shape, isTransaction });
  if (why !== undefined) return { code: 'REFUSED', message: why };
  if (tokens.every(({ text }) => text === ';')) return { code: 'SYNTAX', message: 'There is no statement in the text.' };
  const unbound = findUnboundParameter(tokens);
  return unbound === undefined
    ? undefined
    : { code: 'PARAMETERS', message: `The parameter ${unbound} of the statement was given no value.` };
}

/** One more row than is allowed is asked for, so that too many are told from just enough. */
function limitRows(maxRows: number): number {
  return maxRows + 1 > maxExecuteRows ? 0 : Math.max(0, Math.floor(maxRows)) + 1;
}

function countBytes(step: PipelineStep): number {
  return step.values.reduce((sum, value) => sum + 6 + (value?.length ?? 0), messageBytes + step.sql.length);
}

function prepareStatement(text: ReadText, statement: UnitStatement, maxRows: number): Preparation {
  if (text.refusal !== undefined) return { error: text.refusal };
  if (statement.sql.includes('\0')) return { error: { code: 'SYNTAX', message: 'The text of the statement holds a NUL.' } };
  const values = orderValues(text.dollar, statement.parameters);
  if ('code' in values) return { error: values };
  const written = writeValues(values);
  if ('code' in written) return { error: written };
  const step: PipelineStep = { sql: text.dollar.sql, values: written, maxRows: limitRows(maxRows) };
  return { ready: { text, step, values, byteCount: countBytes(step) } };
}

function readGiving(given: StatementParameters): Giving {
  return isByPlace(given) ? given.length : Object.keys(given).map(bareName);
}

/** All statements of the unit, in their order. A text that repeats is read once. */
export function prepareStatements({ statements, isTransaction, maxRows }: UnitRequest): Preparation[] {
  const texts = new Map<string, ReadText>();
  return statements.map((statement) => {
    const giving = readGiving(statement.parameters);
    // Names may hold any character, and a name may be a number: as JSON no two ways of giving are the same.
    const key = `${JSON.stringify(giving)}${statement.sql}`;
    const text = texts.get(key) ?? readText(statement.sql, giving, isTransaction);
    texts.set(key, text);
    return prepareStatement(text, statement, maxRows);
  });
}

/**
 * The server could not infer the type of a parameter (`SELECT $1 IS NULL`): from this statement on, all with its text name the type that the value has by itself.
 * False where that was done before.
 */
export function nameMissingType(statements: Preparation[], at: number, error: PgError): boolean {
  const failed = statements[at]?.ready;
  if (error.sqlState !== '42P18' || failed === undefined) return false;
  // Its number stands in the message, in any language.
  const place = Number(/\$(\d+)/u.exec(error.message)?.[1] ?? 0) - 1;
  if ((failed.step.types?.[place] ?? 0) !== 0 || place < 0 || place >= failed.values.length) return false;
  for (let index = at; index < statements.length; index++) {
    const ready = statements[index]?.ready;
    if (ready?.text === failed.text) statements[index] = { ready: { ...ready, step: nameType(ready, place) } };
  }
  return true;
}

function nameType({ step, values }: PreparedStatement, place: number): PipelineStep {
  const guessed = guessTypes(values);
  const isNamed = (index: number): boolean => index === place || (step.types?.[index] ?? 0) !== 0 || values[index] instanceof Uint8Array;
  return { ...step, types: guessed.map((oid, index) => (isNamed(index) ? oid : 0)) };
}
