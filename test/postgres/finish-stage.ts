/** A database, a load in its ledger and plans made by hand, for the tests of what happens before the first row and after the last. */
import { insertLoad, insertShard } from '../../src/ledger/statements.ts';
import type { Column, ColumnType } from '../../src/rows/schema.ts';
import type { Decision, DeferredIndex, FinishOptions, LoadMode, TablePlan } from '../../src/target/driver.ts';
import { openLink } from '../../src/target/postgres/connect/connect.ts';
import { finishLoad } from '../../src/target/postgres/finish/finish.ts';
import type { PgLink } from '../../src/target/postgres/link.ts';
import { prepareLoad } from '../../src/target/postgres/finish/prepare.ts';
import type { PostgresSettings } from '../../src/target/postgres/settings.ts';
import { createDatabase, readSql, runSql } from './server.ts';

export const load = 'load-1';

export interface Stage {
  readonly url: string;
  readonly link: PgLink;
  /** Another session. */
  open(): Promise<PgLink>;
  run(...statements: readonly string[]): Promise<void>;
  read(sql: string): Promise<readonly Record<string, unknown>[]>;
  dispose(): Promise<void>;
}

export async function openStage(): Promise<Stage> {
  const database = await createDatabase();
  const links: PgLink[] = [];
  const open = async (): Promise<PgLink> => {
    const link = await openLink(database.url, {});
    links.push(link);
    return link;
  };
  return {
    url: database.url,
    link: await open(),
    open,
    run: (...statements) => runSql(database.url, ...statements),
    read: (sql) => readSql(database.url, sql),
    dispose: async () => {
      for (const link of links) await link.close();
      await database.dispose();
    },
  };
}

export function column(name: string, type: ColumnType, rest: Partial<Column> = {}): Column {
  return { name, field: name, type, isNullable: true, ...rest };
}

export interface PlanParts {
  readonly mode?: LoadMode;
  readonly publish?: PostgresSettings['publish'];
  readonly deferredIndexes?: readonly DeferredIndex[];
  readonly ddl?: readonly string[];
  readonly isNew?: boolean;
  readonly columns?: readonly Column[];
  readonly key?: readonly string[];
  readonly settings?: Partial<PostgresSettings>;
}

/** A plan for the table `items`; with `swap` and `move` rows are written beside it. */
export function makePlan(parts: PlanParts = {}): TablePlan {
  const { mode = 'insert', publish = 'rows', deferredIndexes = [], ddl = [], isNew = false, settings = {} } = parts;
  return {
    table: 'items',
    writesTo: publish === 'rows' ? 'items' : `sluice_new_${load}`,
    columns: parts.columns ?? [column('id', 'integer', { isNullable: false }), column('name', 'text')],
    key: parts.key ?? ['id'],
    mode,
    isNew,
    ddl,
    deferredIndexes,
    decisions: [],
    problems: [],
    settings: {
      way: 'copy',
      format: 'binary',
      staging: 'none',
      publish,
      defersKey: false,
      isFastSession: false,
      countsRows: true,
      tracksKeys: true,
      ...settings,
    },
  };
}

/** Enters the load with some shards, as the flow does. */
export async function prepare(stage: Pick<Stage, 'link'>, plan: TablePlan, shards = 1): Promise<void> {
  const entry = insertLoad({
    load,
    label: undefined,
    fingerprint: 'f',
    source: 'rows.csv',
    table: plan.table,
    mode: plan.mode,
    plan: JSON.stringify(plan),
    parent: undefined,
    totalBytes: undefined,
    baseRows: undefined,
    baseDigest: undefined,
    earlierCount: 0,
  });
  const records = Array.from({ length: shards }, (_, ordinal) =>
    insertShard(load, { ordinal, file: 0, start: 0, end: 100, head: '', tail: '' }),
  );
  await prepareLoad(stage.link, { id: load, plan }, [entry, ...records]);
}

export function finish(
  link: PgLink,
  plan: TablePlan,
  options: Partial<FinishOptions> & { readonly lockTimeoutMs?: number; readonly openSecond?: () => Promise<PgLink> } = {},
): Promise<readonly Decision[]> {
  const { lockTimeoutMs, openSecond, ...rest } = options;
  return finishLoad(link, { id: load, plan, options: { isComplete: true, ...rest }, lockTimeoutMs, openSecond });
}
