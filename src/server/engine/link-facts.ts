/** What a connection tells of itself for `/status`. */
import type { LinkFacts } from './engine-news.ts';
import type { Link } from './link.ts';

const names = ['busy_timeout', 'foreign_keys', 'journal_mode', 'synchronous', 'wal_autocheckpoint'];

function readColumn(link: Link, sql: string): readonly string[] {
  return link.trust(() => {
    const rows = link.db.prepare(sql).all();
    return rows.map((row) => String(Object.values(row)[0]));
  });
}

/** Reads version, settings and compile options. */
export function readLinkFacts(link: Link): LinkFacts {
  return {
    sqliteVersion: readColumn(link, 'SELECT sqlite_version()')[0] ?? '',
    pragmas: Object.fromEntries(names.map((name) => [name, readColumn(link, `PRAGMA ${name}`)[0] ?? ''])),
    compileOptions: readColumn(link, 'PRAGMA compile_options'),
  };
}
