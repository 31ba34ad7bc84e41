/** Filters that a person writes: one SQL expression over a table's columns, checked before it stands in a statement. */
import { isSluiceError, SluiceError } from '../errors.ts';
import { findExpressionFault } from '../sql/expression.ts';
import type { Connection } from '../target/driver.ts';
import { quoteTable } from '../target/postgres/qualified-name.ts';
import { quoteIdentifier } from '../target/sql-text.ts';

/** A table's name for an SQL text of its target. */
export function quoteTableFor({ capabilities }: Pick<Connection, 'capabilities'>, table: string): string {
  return capabilities.dialect === 'postgres' ? quoteTable(table) : quoteIdentifier(table);
}

/** The expression in parentheses; the line break ends a comment that it may end with. */
export function wrapWhere(expression: string): string {
  return `(\n${expression}\n)`;
}

/**
 * Checks a filter against its table.
 * @throws SLUICE_WHERE_INVALID with what the database says of it
 */
export async function checkWhere(connection: Pick<Connection, 'capabilities' | 'query'>, table: string, expression: string): Promise<void> {
  const fault = findExpressionFault(expression, connection.capabilities.dialect ?? 'sqlite');
  if (fault !== undefined) throw refuse(fault);
  const from = `FROM ${quoteTableFor(connection, table)}`;
  try {
    await connection.query({ sql: `SELECT 1 ${from} WHERE ${wrapWhere(expression)} LIMIT 0`, parameters: [] });
    // Between parentheses a bare SELECT would pass as a subquery, and between CASE and THEN it doesn't.
    await connection.query({ sql: `SELECT CASE WHEN ${expression}\n THEN 1 END ${from} LIMIT 0`, parameters: [] });
  } catch (error) {
    if (!isSluiceError(error) || error.isTransient) throw error;
    throw refuse(error.message, error);
  }
}

function refuse(message: string, cause?: unknown): SluiceError {
  return new SluiceError('SLUICE_WHERE_INVALID', `The filter can't be used: ${message.replace(/\.$/u, '')}.`, {
    ...(cause === undefined ? {} : { cause }),
    hint: "Give one SQL expression over the table's columns, for example: pos = 'n' AND length(text) > 20.",
  });
}
