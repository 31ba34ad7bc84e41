/** Sends rows of a batch by COPY: into the table, or into a staging table together with their ordinals. */
import type { CommitCounts } from '../../../ledger/statements.ts';
import type { Batch } from '../../../rows/batch.ts';
import { quoteIdentifier, quoteList } from '../../sql-text.ts';
import { readRunOptions, type BatchTransaction } from './transaction.ts';
import type { TableWriter } from './writer.ts';
import { createRowEncoder, type RowEncoder } from '../wire/encode.ts';
import type { WireColumn } from '../wire-column.ts';
import { ordinalColumn, placeColumns } from '../settings.ts';

/** Where rows go: the load's table, or a staging table of the batch. */
export interface Destination {
  /** Quoted. */
  readonly table: string;
  /** `plain`: the load's columns · `ordinal`: and the row's index in the batch · `places`: and {@link placeColumns}. */
  readonly shape: 'plain' | 'ordinal' | 'places';
}

/** The list of columns that a destination is given. */
export function listColumns({ columnList }: TableWriter, { shape }: Destination): string {
  if (shape === 'ordinal') return `${columnList}, ${quoteIdentifier(ordinalColumn)}`;
  return shape === 'places' ? `${columnList}, ${quoteList(placeColumns)}` : columnList;
}

/** What a stretch of rows belongs to. */
export interface Sending {
  readonly writer: TableWriter;
  readonly transaction: BatchTransaction;
  readonly batch: Batch;
  readonly shard: number;
  /** The counts that the mark took with it: what they are when nothing is refused. */
  readonly foreseen: CommitCounts;
}

/** Sends the rows of the batch at `rows` and answers how many the server took. */
export type SendRows = (rows: Int32Array) => Promise<number>;

/** Encoders by the columns that they are for: the memory of one serves all batches, and new memory for each would be garbage of 256 KiB a batch. */
const encoders = new WeakMap<readonly WireColumn[], Map<string, RowEncoder>>();

function findEncoder({ columns, settings }: TableWriter, shape: 'plain' | 'ordinal'): RowEncoder {
  const known = encoders.get(columns) ?? new Map<string, RowEncoder>();
  encoders.set(columns, known);
  const found = known.get(shape) ?? createRowEncoder(columns, { format: settings.format, withOrdinal: shape === 'ordinal' });
  known.set(shape, found);
  return found;
}

export function createCopySender({ writer, transaction, batch, shard }: Sending, into: Destination): SendRows {
  const { format } = writer.settings;
  const sql = `COPY ${into.table} (${listColumns(writer, into)}) FROM STDIN WITH (FORMAT ${format})`;
  const encoder = into.shape === 'places' ? createRowEncoder(writer.columns, { format, shard }) : findEncoder(writer, into.shape);
  return (rows) => writer.link.copyIn(sql, encoder.pieces(batch, rows), readRunOptions(transaction));
}

/** Asks for what is deferred to the COMMIT, where its rows can still be told. */
export const checkNow = 'SET CONSTRAINTS ALL IMMEDIATE';

/** What is deferred is asked for after each stretch, so that a stretch fails for its own rows. */
export function withChecks({ writer, transaction }: Sending, send: SendRows): SendRows {
  if (!writer.hasDeferred) return send;
  return async (rows) => {
    const taken = await send(rows);
    await writer.link.script(`${checkNow}; SET CONSTRAINTS ALL DEFERRED`, readRunOptions(transaction));
    return taken;
  };
}
