/** One statement with values through the extended protocol, unnamed, or several without values through the simple one. */
import type { ResultRow } from '../../driver.ts';
import type { ExchangeHandlers } from './exchange.ts';
import { writeQuery, writeStatement, type BoundValue } from './frames.ts';
import type { PgResult, RunOptions } from '../link.ts';
import { createRowReader } from './result-values.ts';
import type { Session } from './session.ts';

/** The count at the end of a command tag: `INSERT 0 5`, `COPY 5`, `SELECT 5`; 0 for tags without one. */
export function countRows(tag: string): number {
  return Number(/ (\d+)$/u.exec(tag)?.[1] ?? 0);
}

/** Statements that end a transaction for good, so that it may have landed although no answer came. */
const endsTransaction = /^\s*(?:COMMIT|END|PREPARE\s+TRANSACTION)\b/iu;
const holdsEnd = /\b(?:COMMIT|END|PREPARE)\b/iu;

export interface BoundStatement {
  readonly sql: string;
  readonly values: readonly BoundValue[];
  readonly extensionTypes: ReadonlyMap<number, string>;
}

export function runBound(session: Session, statement: BoundStatement, options: RunOptions): Promise<PgResult> {
  const { stream } = session.client.connection;
  const mayLand = session.transaction === 'I' || endsTransaction.test(statement.sql);
  const rows: ResultRow[] = [];
  let readRow: ReturnType<typeof createRowReader> | undefined;
  const handlers: ExchangeHandlers<PgResult> = {
    isExtended: true,
    start: () => {
      stream.cork();
      for (const piece of writeStatement(statement.sql, statement.values)) stream.write(piece);
      stream.uncork();
    },
    mayHaveLanded: () => mayLand,
    onFields: (fields) => {
      readRow = createRowReader(fields, statement.extensionTypes);
    },
    onRow: (values) => {
      if (readRow !== undefined) rows.push(readRow(values));
    },
    finish: (tag) => ({ rows, rowCount: countRows(tag) }),
  };
  return session.run(handlers, options).settled;
}

export function runScript(session: Session, sql: string, options: RunOptions): Promise<void> {
  const mayLand = session.transaction === 'I' || holdsEnd.test(sql);
  const handlers: ExchangeHandlers<void> = {
    start: () => session.client.connection.stream.write(writeQuery(sql)),
    mayHaveLanded: () => mayLand,
    finish: () => undefined,
  };
  return session.run(handlers, options).settled;
}
