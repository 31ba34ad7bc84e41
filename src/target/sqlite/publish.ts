/** Chooses how rows become visible: with each commit, by a table that takes the other's place, or all of them in one transaction at the end. Reads only. */
import type { Decision, TableDescription, TableRequest } from '../driver.ts';
import type { SqliteFile } from './connect.ts';
import { findTable, readForeignKeys } from './schema.ts';

/** rows: each commit shows its own · swap: a table is built beside and renamed · move: rows wait as they came and are written in one transaction. */
export type PublishWay = 'rows' | 'swap' | 'move';

export interface Publish {
  readonly publish: PublishWay;
  /** Where rows go until then; undefined: straight into the table. */
  readonly writesTo: string | undefined;
  readonly decisions: readonly Decision[];
}

export function choosePublish(link: SqliteFile, request: TableRequest, description: TableDescription | undefined): Publish {
  const aside = `sluice_new_${request.load}`;
  if (request.mode === 'replace') return { publish: 'swap', writesTo: aside, decisions: [] };
  if (request.options?.isAtomic !== true) return { publish: 'rows', writesTo: undefined, decisions: [] };
  if (description === undefined) {
    return {
      publish: 'swap',
      writesTo: aside,
      decisions: [
        { what: 'atomic', choice: 'a new table, renamed when it is whole', why: 'nobody sees it before; a rename takes a moment' },
      ],
    };
  }
  const obstacles = description.isEmpty ? listObstacles(link, request, description) : ['it has rows that stay'];
  if (obstacles.length === 0) {
    const choice = 'built beside the empty table, swapped in one transaction';
    return { publish: 'swap', writesTo: aside, decisions: [{ what: 'atomic', choice, why: 'a rename takes a moment' }] };
  }
  return {
    publish: 'move',
    writesTo: aside,
    decisions: [
      {
        what: 'atomic',
        choice: 'rows wait in a table beside it as they came, then one transaction writes them',
        why: `${description.name} can't be exchanged: ${obstacles.join('; ')}. Other writers of the file wait for that transaction; the room of the waiting rows stays in the file, free`,
      },
    ],
  };
}

/** What an empty table does with its rows that one built beside it would not. */
function listObstacles(link: SqliteFile, { mode }: TableRequest, { name, triggers, indexes }: TableDescription): readonly string[] {
  const sql = findTable(link, name)?.sql ?? '';
  const foreignKeys = readForeignKeys(link, name);
  const unique = indexes.filter(({ isUnique, ddl }) => isUnique && ddl !== '');
  return [
    ...(triggers.length > 0 ? [`triggers fire for its rows (${triggers.join(', ')})`] : []),
    // At a swap they would be checked for all rows at once, and one bad row would keep all others out.
    ...(foreignKeys.length > 0 ? [`its rows are looked up by foreign keys (${foreignKeys.map(({ parent }) => parent).join(', ')})`] : []),
    ...(unique.length > 0 ? [`unique indexes of its own refuse rows (${unique.map((index) => index.name).join(', ')})`] : []),
    ...(/\bAUTOINCREMENT\b/iu.test(sql) ? ['numbers that it has given out must not come again (AUTOINCREMENT)'] : []),
    ...(/^\s*CREATE\s+VIRTUAL/iu.test(sql) ? ['it is a virtual table'] : []),
    ...(mode === 'sync' ? ['its rows are compared with those of the source'] : []),
  ];
}
