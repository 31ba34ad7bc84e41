/** What the tests of plans share: a database with a link, requests with the columns that most need, and ways to ask a plan what it says. */
import type { Column, ColumnType } from '../../src/rows/schema.ts';
import type { Decision, TablePlan, TableRequest } from '../../src/target/driver.ts';
import { openLink } from '../../src/target/postgres/connect/connect.ts';
import type { PgLink } from '../../src/target/postgres/link.ts';
import { planPostgresTable } from '../../src/target/postgres/plan/plan.ts';
import { createDatabase, runSql } from './server.ts';

export interface PlanningDatabase {
  readonly url: string;
  readonly link: PgLink;
  /** Statements by the owner of everything, each in a transaction of its own. */
  run(...statements: readonly string[]): Promise<void>;
  plan(change: Partial<TableRequest>): Promise<TablePlan>;
  dispose(): Promise<void>;
}

export function column(name: string, type: ColumnType, dimensions?: number): Column {
  return { name, field: name, type, isNullable: name !== 'id', ...(dimensions === undefined ? {} : { dimensions }) };
}

/** A million small rows of a file, with a key. */
export const smallRows: TableRequest = {
  load: '20260101-000000-abcdef',
  table: 'items',
  columns: [column('id', 'integer'), column('name', 'text')],
  key: ['id'],
  mode: 'insert',
  expectedRows: 1_000_000,
  expectedBytes: 30_000_000,
  isRereadable: true,
};

export async function openPlanningDatabase(): Promise<PlanningDatabase> {
  const database = await createDatabase();
  const link = await openLink(database.url, {});
  return {
    url: database.url,
    link,
    run: (...statements) => runSql(database.url, ...statements),
    plan: (change) => planPostgresTable(link, { ...smallRows, ...change }),
    async dispose() {
      await link.close();
      await database.dispose();
    },
  };
}

/** All of one kind, as `choice: why`. */
export function tell(plan: TablePlan, what: string): string {
  return plan.decisions
    .filter((decision: Decision) => decision.what === what)
    .map(({ choice, why }) => `${choice}: ${why}`)
    .join('\n');
}

/** The URL with another role. */
export function urlAs(url: string, role: string): string {
  const changed = new URL(url);
  changed.username = role;
  return changed.href;
}
