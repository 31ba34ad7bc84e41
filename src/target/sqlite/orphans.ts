/** Finds the rows of a batch whose deferred foreign keys do not hold: COMMIT checks them, but does not name the rows. Runs in the transaction that wrote them. */
import { quoteIdentifier } from '../sql-text.ts';
import type { Scalar } from '../../rows/schema.ts';
import type { Batch } from '../../rows/batch.ts';
import { prepareOnce } from './connect.ts';
import { readForeignKeys, type ForeignKey } from './schema.ts';
import type { Parameter } from './encode.ts';
import type { TableWriter, Written } from './write.ts';

/** The written rows without a parent, ascending. */
export function findOrphans(writer: TableWriter, batch: Batch, written: Written): readonly number[] {
  const { link, plan } = writer;
  const keys = plan.key.map((name) => readValues(batch, name));
  const isKeyLoaded = keys.length > 0 && keys.every((values) => values !== undefined);
  const match = isKeyLoaded ? plan.key.map((name) => `c.${quoteIdentifier(name)} = ?`).join(' AND ') : 'c.rowid = ?';
  const statements = readForeignKeys(link, plan.writesTo).map((key) => prepareOnce(link, writeOrphanCheck(plan.writesTo, key, match)));
  const orphans: number[] = [];
  for (let row = 0; row < batch.rowCount; row++) {
    if (written.refused.has(row)) continue;
    const rowid = written.rowids.get(row);
    const place = isKeyLoaded ? keys.map((values) => toParameter(values?.[row] ?? null)) : rowid === undefined ? undefined : [rowid];
    if (place !== undefined && statements.some((statement) => statement.get(...place) !== undefined)) orphans.push(row);
  }
  return orphans;
}

/** Finds the row if it points at a parent that is not there. */
function writeOrphanCheck(table: string, { parent, from, to }: ForeignKey, match: string): string {
  const child = (name: string): string => `c.${quoteIdentifier(name)}`;
  const isSet = from.map((name) => `${child(name)} IS NOT NULL`).join(' AND ');
  const isParent = from.map((name, index) => `p.${quoteIdentifier(to[index] ?? '')} = ${child(name)}`).join(' AND ');
  return `SELECT 1 FROM ${quoteIdentifier(table)} c WHERE ${match} AND ${isSet} AND NOT EXISTS (SELECT 1 FROM ${quoteIdentifier(parent)} p WHERE ${isParent})`;
}

function readValues(batch: Batch, name: string): readonly Scalar[] | undefined {
  const data = batch.values[batch.columns.findIndex((column) => column.name === name)];
  return data?.kind === 'scalar' ? data.values : undefined;
}

function toParameter(value: Scalar): Parameter {
  return typeof value === 'boolean' ? Number(value) : value;
}
