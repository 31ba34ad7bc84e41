/** What of a PostgreSQL database is read, how it can be cut, and the SELECT of a part of it. */
import type { PgLink } from '../../target/postgres/link.ts';
import { quoteTable } from '../../target/postgres/qualified-name.ts';
import type { BlockLayout } from './column-stretch.ts';
import type { DatabaseAddress } from './database-url.ts';
import type { KeyRange } from './key-range.ts';
import { findRelation, readQueryFields, readTableFields, type PostgresField, type Relation } from './postgres-columns.ts';
import { findSplitKey, type SplitKey } from './postgres-split.ts';

/** What is read, and how it can be cut. */
export interface Reach {
  readonly fields: readonly PostgresField[];
  /** Behind FROM, with the alias `source`. */
  readonly from: string;
  /** The table, quoted; undefined for a query. */
  readonly table: string | undefined;
  readonly relation: Relation | undefined;
  /** `key`: ranges of it · `pages`: ranges of pages · `whole`: one shard. */
  readonly cut: 'key' | 'pages' | 'whole';
  readonly key: SplitKey | undefined;
}

/** Page ranges are found by their pages from here on; before, each range would read the whole table. */
const minRangeScanVersion = 140_000;

export async function findReach(link: PgLink, { selection }: DatabaseAddress): Promise<Reach> {
  if (selection.kind === 'query') {
    const fields = await readQueryFields(link, selection.query);
    return { fields, from: `(${selection.query}\n) AS source`, table: undefined, relation: undefined, cut: 'whole', key: undefined };
  }
  const relation = await findRelation(link, selection.table);
  const fields = await readTableFields(link, relation);
  const table = quoteTable(selection.table);
  const isPlain = relation.kind === 'r' && !relation.hasChildren;
  const key = isPlain ? await findSplitKey(link, relation) : undefined;
  const cut = key !== undefined ? 'key' : isPlain && link.server.version >= minRangeScanVersion ? 'pages' : 'whole';
  return { fields, from: `${table} AS source`, table, relation, cut, key };
}

export function listColumns(fields: readonly PostgresField[]): string {
  return fields.map(({ sql }) => sql).join(', ');
}

export function writeSelect(reach: Reach, columns: readonly PostgresField[], { after, upTo }: KeyRange): string {
  const { cut, from, key } = reach;
  const conditions: string[] = [];
  if (cut === 'key' && key !== undefined) {
    if (after !== undefined) conditions.push(`${key.column} > ${quoteLiteral(after)}::${key.type}`);
    if (upTo !== undefined) conditions.push(`${key.column} <= ${quoteLiteral(upTo)}::${key.type}`);
  } else if (cut === 'pages') {
    if (after !== undefined) conditions.push(`source.ctid >= '(${after},0)'::tid`);
    if (upTo !== undefined) conditions.push(`source.ctid < '(${upTo},0)'::tid`);
  }
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
  return `SELECT ${listColumns(columns)} FROM ${from}${where}${key === undefined ? '' : ` ORDER BY ${key.column}`}`;
}

/** COPY takes no parameters. A backslash means itself only where the server says so, or in a string that is marked. */
function quoteLiteral(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return text.includes('\\') ? `E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}

/** `columns`: what is read, the fields first. */
export function layOut(fields: readonly PostgresField[], columns: readonly PostgresField[], key?: PostgresField): BlockLayout {
  return {
    fields: fields.map(({ name }) => name),
    types: fields.map(({ type }) => type),
    identifying: key === undefined ? columns.map((_, index) => index) : [columns.indexOf(key)],
    width: fields.length,
  };
}
