/** Publishes a table that was built beside another: it takes the other's place in one transaction, and readers see the one or the other. */
import { SluiceError } from '../../errors.ts';
import type { Decision, TablePlan } from '../driver.ts';
import { quoteIdentifier } from '../sql-text.ts';
import { transactSqlite, type SqliteFile } from './connect.ts';
import { markPublished, tellPublished, type PublishingLoad } from './publication.ts';
import { describeTable, readTriggers } from './schema.ts';

/** Indexes and triggers are made again by their own statements. An earlier call that got through leaves nothing to do. */
export async function publishSwap(link: SqliteFile, load: PublishingLoad): Promise<readonly Decision[]> {
  const { id, plan, options } = load;
  // Neither pragma works inside a transaction. Without the first, DROP TABLE would delete the rows of child tables;
  // without the second, RENAME would rewrite the statements of views and foreign keys that name the table.
  link.db.exec('PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON');
  try {
    return await transactSqlite(
      link,
      () => {
        // An earlier session, or another process at this moment, has published it.
        const before = tellPublished(link, load);
        if (before !== undefined) return [before];
        if (plan.mode !== 'replace') checkUntouched(link, plan);
        swapTable(link, plan);
        checkChildren(link, plan.table);
        markPublished(link, id);
        return plan.mode === 'replace' ? [] : [{ what: 'rows published', choice: plan.table, why: 'all in one transaction' }];
      },
      options.signal,
    );
  } finally {
    link.db.exec('PRAGMA foreign_keys = ON; PRAGMA legacy_alter_table = OFF');
  }
}

/** What came into the table since the load was planned is nobody's to throw away. */
function checkUntouched(link: SqliteFile, { table, isNew }: TablePlan): void {
  const found = describeTable(link, table);
  if (found === undefined || (!isNew && found.isEmpty)) return;
  const what = isNew ? 'was made by somebody else' : 'got rows from somebody else';
  throw new SluiceError('SLUICE_TARGET_FAILED', `${table} ${what} while the load ran, so it can't be exchanged; nothing was published.`, {
    hint: `${isNew ? 'Rename or drop it' : 'Empty it'}, then resume: the rows are loaded already. Or load again with --again, beside its rows.`,
  });
}

function swapTable(link: SqliteFile, plan: TablePlan): void {
  const indexes = link.db
    .prepare(`SELECT sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = ? COLLATE NOCASE AND sql IS NOT NULL`)
    .all(plan.table);
  const triggers = readTriggers(link).filter(
    ({ name, table }) => table.toLowerCase() === plan.table.toLowerCase() && !name.startsWith('sluice_'),
  );
  link.db.exec(`DROP TABLE IF EXISTS ${quoteIdentifier(plan.table)}`);
  link.db.exec(`ALTER TABLE ${quoteIdentifier(plan.writesTo)} RENAME TO ${quoteIdentifier(plan.table)}`);
  for (const index of indexes) link.db.exec(String(index['sql']));
  for (const trigger of triggers) link.db.exec(trigger.sql);
}

/** Rows of other tables must not point at rows that the new table does not have. */
function checkChildren(link: SqliteFile, table: string): void {
  const children = link.db
    .prepare(
      `SELECT DISTINCT m.name FROM sqlite_schema m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table' AND f."table" = ? COLLATE NOCASE`,
    )
    .all(table);
  for (const child of children) {
    const name = String(child['name']);
    const broken = link.db
      .prepare(`PRAGMA foreign_key_check(${quoteIdentifier(name)})`)
      .all()
      .filter((row) => String(row['parent']).toLowerCase() === table.toLowerCase());
    if (broken.length > 0) {
      throw new SluiceError(
        'SLUICE_TARGET_FAILED',
        `${String(broken.length)} rows of ${name} refer to rows that the new ${table} does not have; the old table stays.`,
        {
          hint: `Mend ${name} (or the input), then resume: the rows are loaded already.`,
        },
      );
    }
  }
}
