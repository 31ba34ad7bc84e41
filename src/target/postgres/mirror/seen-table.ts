/** The table in which a sync notes the keys that it has seen: its name, how it is made, and what is sent into it. */
import { SluiceError } from '../../../errors.ts';
import type { TablePlan } from '../../driver.ts';
import { quoteIdentifier, quoteList } from '../../sql-text.ts';
import { readCatalogTable } from '../catalog/table.ts';
import type { PgLink } from '../link.ts';
import { formatName, quoteName, quoteTable, type QualifiedName } from '../qualified-name.ts';
import { pairColumn, placeColumn, type SentColumn } from './sent-values.ts';

/** How such tables are called: this and the load's id. */
export const seenPrefix = 'sluice_seen_';

/** The table's name as a plan writes it: beside the table that the load mirrors. */
export function nameSeen(load: string, { schema }: Pick<QualifiedName, 'schema'>): string {
  return formatName({ schema, name: `${seenPrefix}${load}` });
}

/**
 * Makes the table, repeatably: the key's columns with the types and collations that they have in the target, so that equal means the same, and unique. Logged: after a
 * crash of the server an emptied one would pass for a source in which nothing was found.
 */
export function writeSeenDdl(load: string, place: QualifiedName, key: readonly string[]): readonly string[] {
  const seen = quoteTable(nameSeen(load, place));
  const index = quoteIdentifier(`${seenPrefix}${load}_key`);
  return [
    `CREATE TABLE IF NOT EXISTS ${seen} AS SELECT ${quoteList(key)}, 0::int8 AS ${placeColumn} FROM ${quoteName(place)} WITH NO DATA`,
    `CREATE UNIQUE INDEX IF NOT EXISTS ${index} ON ${seen} (${quoteList(key)})`,
  ];
}

/** Where a writer notes keys. */
export interface SeenTable {
  /** As the plan writes it. */
  readonly name: string;
  readonly key: readonly SentColumn[];
}

/** Readies the table `name`, which the plan made. @throws SLUICE_TABLE_UNKNOWN, SLUICE_COLUMN_UNKNOWN when the mirrored table was dropped or altered */
export async function openSeen(link: PgLink, { table, key, columns }: TablePlan, name: string): Promise<SeenTable> {
  const found = await readCatalogTable(link, table);
  const sent = key.map((part) => {
    const stored = found?.columns.find((column) => column.name === part);
    const column = columns.find((each) => each.name === part);
    if (stored !== undefined && column !== undefined) return pairColumn(column, stored);
    throw new SluiceError(
      found === undefined ? 'SLUICE_TABLE_UNKNOWN' : 'SLUICE_COLUMN_UNKNOWN',
      `${found === undefined ? 'There is no table' : `There is no column ${part} in`} ${quoteTable(table)} in ${link.place}.`,
      { hint: 'It was dropped or altered since the load was planned: load anew with --again.' },
    );
  });
  return { name, key: sent };
}
