/** An SQLite file of a test's own, with units run on it and looked at by another connection. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { RunOptions, StatementAnswer, StatementParameters, UnitRequest } from '../../src/target/batch-contract.ts';
import { openSqlite, type SqliteFile } from '../../src/target/sqlite/connect.ts';
import { closeUnitSession } from '../../src/target/sqlite/unit-session.ts';
import { runSqliteUnit } from '../../src/target/sqlite/unit.ts';

/** A statement as a text, or with its values. */
export type Written = string | readonly [string, StatementParameters];

/** A file with what a test does to it. */
export interface UnitFile {
  readonly file: string;
  readonly link: SqliteFile;
  run(statements: readonly Written[], unit?: Partial<UnitRequest>, options?: RunOptions): Promise<readonly StatementAnswer[]>;
  /** Rows of a query over a connection that knows nothing of units. */
  look(sql: string): readonly unknown[];
  close(): void;
}

/** Writes statements as the contract has them. */
export function toStatements(statements: readonly Written[]): UnitRequest['statements'] {
  return statements.map((statement) =>
    typeof statement === 'string' ? { sql: statement, parameters: [] } : { sql: statement[0], parameters: statement[1] },
  );
}

/** Opens a new file in a folder of its own; closing removes both. */
export async function openUnitFile(
  schema = '',
  options: { readonly lockTimeoutMs?: number; readonly isReadOnly?: boolean } = {},
): Promise<UnitFile> {
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-unit-'));
  const file = path.join(folder, 'unit.db');
  const setUp = new DatabaseSync(file);
  setUp.exec(`PRAGMA journal_mode = WAL; ${schema}`);
  setUp.close();
  const link = await openSqlite(`sqlite:${file}`, options);
  return {
    file,
    link,
    run: async (statements, unit = {}, runOptions = {}) => {
      const request = { isTransaction: false, onConflict: 'error', statusRows: false, maxRows: 1_000, ...unit } as const;
      return (await runSqliteUnit(link, { statements: toStatements(statements), ...request }, runOptions)).answers;
    },
    look: (sql) => {
      const db = new DatabaseSync(file, { enableForeignKeyConstraints: false });
      try {
        return db
          .prepare(sql)
          .all()
          .map((row) => ({ ...row }));
      } finally {
        db.close();
      }
    },
    close: () => {
      closeUnitSession(link);
      link.db.close();
      rmSync(folder, { recursive: true });
    },
  };
}

/** The codes of answers that are errors, the status of others. */
export function summarize(answers: readonly StatementAnswer[]): readonly string[] {
  return answers.map((answer) => (answer.status === 'error' ? answer.error.code : answer.status));
}
