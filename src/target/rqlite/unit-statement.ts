/** One statement of a unit made ready to be sent: checked here, because the server binds NULL for values that are missing and text as bytes where it looks like them. */
import { listParameters } from '../../sql/parameters.ts';
import { readShape, type StatementShape } from '../../sql/shape.ts';
import { splitStatements } from '../../sql/split.ts';
import { readTokens } from '../../sql/tokens.ts';
import type { StatementError, UnitStatement } from '../batch-contract.ts';
import { StatementRefusal } from '../sqlite/unit-errors.ts';
import { findTextRefusal } from '../sqlite/unit-guard.ts';
import { bindValues, readBinding, type Binding, type BoundValues } from '../sqlite/unit-values.ts';
import { writeStatement } from './answer.ts';
import { isBlobLike, textPlaceholder, type SqlValue } from './json.ts';

/** A statement that may be sent. */
export interface ReadyStatement {
  readonly kind: 'ready';
  /** The one statement of the text, which the shape's places refer to. */
  readonly text: string;
  readonly json: string;
  readonly shape: StatementShape;
  /** INSERT, UPDATE or DELETE. */
  readonly isChange: boolean;
  /** Changes something only if a condition holds: IGNORE, DO NOTHING, or a WHERE. */
  readonly isConditional: boolean;
  readonly valueAt: (index: number) => SqlValue;
}

/** A statement that is wrong before anybody ran it. */
export interface RefusedStatement {
  readonly kind: 'refused';
  readonly error: StatementError;
}

export type UnitStep = ReadyStatement | RefusedStatement;

/** Readies a statement, or says what is wrong with it. */
export function readyStatement({ sql, parameters }: UnitStatement): UnitStep {
  try {
    const text = soften(takeOne(sql));
    const shape = readShape(text, 'sqlite');
    checkKind(text, shape);
    const binding = readBinding(text);
    const values = bindValues(binding, parameters);
    const valueAt = (index: number): SqlValue => readBound(binding, values, index);
    const isChange = ['INSERT', 'UPDATE', 'DELETE'].includes(shape.verb);
    return {
      kind: 'ready',
      text,
      json: bind(text, valueAt),
      shape,
      isChange,
      isConditional: isChange && (shape.ignoresConflict || shape.guardsConflict || (shape.hasWhere && shape.verb !== 'INSERT')),
      valueAt,
    };
  } catch (error) {
    if (!(error instanceof StatementRefusal)) throw error;
    return { kind: 'refused', error: { code: error.code, message: error.message } };
  }
}

function takeOne(sql: string): string {
  if (sql.includes('\0')) throw new StatementRefusal('SYNTAX', 'The text holds a NUL character, behind which SQLite reads nothing.');
  if (!sql.isWellFormed()) throw new StatementRefusal('SYNTAX', 'The text holds half of a surrogate pair, which UTF-8 can not hold.');
  const parts = splitStatements(sql, 'sqlite').filter((part) => !part.isBlank);
  if (parts.length > 1) {
    throw new StatementRefusal(
      'REFUSED',
      `The text holds ${String(parts.length)} statements. Give each an entry of its own, so that each gets an answer.`,
    );
  }
  const [only] = parts;
  if (only === undefined) throw new StatementRefusal('SYNTAX', 'There is no statement in the text.');
  // What stands behind the semicolon, if only a comment, makes rqlite forget its counters.
  return only.sql;
}

/** OR ROLLBACK would end the transaction, OR FAIL leave the rows before the bad one: both are run as OR ABORT, so that an error changes nothing. */
function soften(sql: string): string {
  if (!/\bOR\s+(?:ROLLBACK|FAIL)\b/iu.test(sql) || /^\s*(?:CREATE|ALTER)\b/iu.test(sql)) return sql;
  const tokens = readTokens(sql, 'sqlite');
  const wordAt = (index: number): string => (tokens[index]?.kind === 'word' ? (tokens[index]?.text.toUpperCase() ?? '') : '');
  const at = tokens.findIndex(
    (_, index) =>
      ['ROLLBACK', 'FAIL'].includes(wordAt(index)) && wordAt(index - 1) === 'OR' && ['INSERT', 'UPDATE'].includes(wordAt(index - 2)),
  );
  const clause = tokens[at];
  return clause === undefined ? sql : `${sql.slice(0, clause.start)}ABORT${sql.slice(clause.end)}`;
}

/** What would reach beyond the unit: the transaction, the server's one connection for writes, sluice's own tables. */
function checkKind(text: string, shape: StatementShape): void {
  const refusal = findTextRefusal(text, shape.verb);
  if (refusal !== undefined) throw new StatementRefusal('REFUSED', refusal);
  if (shape.controlsTransaction) {
    throw new StatementRefusal(
      'REFUSED',
      `${shape.verb} is not allowed: where a transaction begins and ends is the unit's to say (transaction).`,
    );
  }
  if (shape.verb === 'PRAGMA' && !shape.isRead) {
    throw new StatementRefusal(
      'REFUSED',
      'A PRAGMA that sets something is not allowed: it would stay set for everybody who writes through this server.',
    );
  }
  const table = shape.table?.name.text ?? '';
  const dropped = shape.verb === 'DROP' && readTokens(text, 'sqlite').some((token) => /^["'`[]?sluice_/iu.test(token.text));
  if ((shape.table !== undefined && /^sluice_/iu.test(table)) || dropped) {
    throw new StatementRefusal('REFUSED', 'Tables whose names begin with sluice_ belong to sluice, and statements may only read them.');
  }
}

function readBound(binding: Binding, values: BoundValues, index: number): SqlValue {
  const value = isPlaces(values) ? values[index - 1] : values[binding.names?.[index - 1] ?? ''];
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new StatementRefusal('PARAMETERS', `The value for parameter ${String(index)} is ${String(value)}, which JSON does not have.`);
  }
  return value ?? null;
}

function isPlaces(values: BoundValues): values is readonly (SqlValue & Exclude<SqlValue, boolean>)[] {
  return Array.isArray(values);
}

/** The statement with a `?` for each place, and a value for each `?`: names, numbers and repetitions mean the same on every server then. */
export function bind(text: string, valueAt: (index: number) => SqlValue): string {
  const { places } = listParameters(text, 'sqlite');
  let sql = '';
  let from = 0;
  const values = places.map(({ start, end, index }) => {
    const value = valueAt(index);
    sql += `${text.slice(from, start)}${typeof value === 'string' && isBlobLike(value) ? textPlaceholder : '?'}`;
    from = end;
    return value;
  });
  return writeStatement(sql + text.slice(from), values);
}
