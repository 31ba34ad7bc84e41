/** Where units of statements are tried: a link to a database of its own, and short ways to write a unit. */
import type { TestContext } from 'node:test';
import type { StatementAnswer, StatementParameters, UnitRequest } from '../../src/target/batch-contract.ts';
import { openPgliteLink } from '../../src/target/pglite/index.ts';
import { openLink } from '../../src/target/postgres/connect/connect.ts';
import type { PgLink } from '../../src/target/postgres/link.ts';
import { runPostgresUnit, type UnitOptions } from '../../src/target/postgres/unit/unit.ts';
import { createDatabase, skipReason } from './server.ts';

export type Written = string | readonly [sql: string, parameters: StatementParameters];

/** A unit in which each statement stands alone, unless it is said otherwise. */
export function writeUnit(statements: readonly Written[], options: Partial<UnitRequest> = {}): UnitRequest {
  const list = statements.map((each) => (typeof each === 'string' ? { sql: each, parameters: [] } : { sql: each[0], parameters: each[1] }));
  return { isTransaction: false, onConflict: 'error', statusRows: false, maxRows: 1000, ...options, statements: list };
}

export interface UnitPlace {
  readonly link: PgLink;
  readonly url: string;
  run(statements: readonly Written[], options?: Partial<UnitRequest> & UnitOptions): Promise<readonly StatementAnswer[]>;
  /** Rows of a query, in a unit of its own. */
  read(sql: string): Promise<readonly Record<string, unknown>[]>;
}

function makePlace(link: PgLink, url: string): UnitPlace {
  const run: UnitPlace['run'] = async (statements, options = {}) =>
    (await runPostgresUnit(link, writeUnit(statements, options), options)).answers;
  return {
    link,
    url,
    run,
    read: async (sql) => {
      const [answer] = await run([sql]);
      return answer?.status === 'applied' ? (answer.rows ?? []) : [];
    },
  };
}

/** On the server of the run. */
export async function openServerPlace(context: TestContext, rewrite: (url: string) => string = (url) => url): Promise<UnitPlace> {
  const database = await createDatabase();
  const link = await openLink(rewrite(database.url), {});
  context.after(async () => {
    await link.close();
    await database.dispose();
  });
  return makePlace(link, database.url);
}

/** In memory, which all tests of a process share; what one left there is gone for the next. */
async function openPglitePlace(context: TestContext): Promise<UnitPlace> {
  const link = await openPgliteLink('pglite:memory');
  context.after(() => link.close());
  await link.script('DROP SCHEMA IF EXISTS unit CASCADE; CREATE SCHEMA unit; SET search_path = unit, public');
  return makePlace(link, 'pglite:memory');
}

/** Both ways to PostgreSQL, which must answer alike. */
export const places: readonly {
  readonly name: string;
  readonly skip: string | false;
  readonly open: (context: TestContext) => Promise<UnitPlace>;
}[] = [
  { name: 'a server', skip: skipReason, open: (context) => openServerPlace(context) },
  { name: 'PGlite', skip: false, open: openPglitePlace },
];

/** Short forms of answers: their status, with the code of an error. */
export function shorten(answers: readonly StatementAnswer[]): readonly string[] {
  return answers.map((answer) => (answer.status === 'error' ? answer.error.code : answer.status));
}
