/** How one way of `sluice bench` sends its rows to rqlite: how many a request, as which statements, in a transaction or through the queue. */
import { SluiceError } from '../../errors.ts';
import type { StrategyContext } from '../strategy.ts';
import { callData, toStatementError, toWholeError } from './answer.ts';
import { createRowEncoder, type RowEncoder } from './encode.ts';
import { sendRequest, type RqliteLink } from './link.ts';
import { runTransaction } from './transaction.ts';

/** How one way writes. */
export interface Writing {
  readonly form: 'singles' | 'bulk' | 'transaction' | 'multi-row' | 'queue';
  /** At most; fewer where rows are wide. */
  readonly rowsPerRequest: number;
}

type Sending = Pick<StrategyContext, 'rows' | 'rowCount' | 'isSpent' | 'signal'> & { readonly writing: Writing };

/** What a load sends at most as well: a larger request was no faster. */
const maxBodyBytes = 2 * 1024 * 1024;
/** SQLite's limit of parameters in one statement. */
const maxParameters = 32_766;
/** A byte of a vector is two digits, and the SQL text comes with every row but in a statement of many. */
const bytesPerNumber = 8;
const bytesPerRow = 200;
const queueTimeoutMs = 120_000;

/** Sends the rows and returns how many. @throws SLUICE_CANCELLED between two requests, SLUICE_TARGET_… */
export async function writeRows(link: RqliteLink, table: string, sending: Sending): Promise<number> {
  const { rows, rowCount, writing, isSpent, signal } = sending;
  const width = rows.columns.length;
  const fitting = Math.floor(maxBodyBytes / (bytesPerRow + rows.dimensions * bytesPerNumber));
  const step = Math.max(1, Math.min(writing.rowsPerRequest, fitting, Math.floor(maxParameters / width), rows.batchRows));
  const tuple = `(${Array.from({ length: width }, () => '?').join(',')})`;
  const insert = `INSERT INTO ${table} VALUES`;
  let sent = 0;
  while (sent < rowCount && !isSpent()) {
    if (signal?.aborted === true) throw stopped();
    const count = Math.min(step, rowCount - sent);
    const encoder = createRowEncoder(rows.batch(sent, count), ['INTEGER', 'TEXT', 'BLOB'].slice(0, width));
    await sendRows(link, writing.form, { statements: writeStatements({ form: writing.form, insert, tuple, encoder, count }), signal });
    sent += count;
  }
  if (writing.form === 'queue') await drainQueue(link, signal);
  return sent;
}

interface Rows {
  readonly form: Writing['form'];
  readonly insert: string;
  readonly tuple: string;
  readonly encoder: RowEncoder;
  readonly count: number;
}

function writeStatements({ form, insert, tuple, encoder, count }: Rows): readonly string[] {
  const all = Array.from({ length: count }, (_, row) => encoder.writeValues(row));
  if (form !== 'multi-row') return all.map((values) => `[${JSON.stringify(`${insert}${tuple}`)},${values}]`);
  const sql = JSON.stringify(`${insert}${all.map(() => tuple).join(',')}`);
  return [`[${sql},${all.join(',')}]`];
}

interface Request {
  readonly statements: readonly string[];
  readonly signal: AbortSignal | undefined;
}

async function sendRows(link: RqliteLink, form: Writing['form'], { statements, signal }: Request): Promise<void> {
  if (form === 'queue') return sendQueued(link, ['queue', 'noparse'], { statements, signal });
  if (form === 'transaction' || form === 'multi-row') {
    const end = await runTransaction(link, statements, { skipsParsing: true, signal });
    if (end.kind !== 'committed') throw toStatementError(link, end.error);
    return;
  }
  const answer = await callData(link, { route: 'execute', parameters: ['noparse'], statements, isRead: false, signal });
  const error = answer.entries.find((entry) => entry.error !== undefined)?.error;
  if (answer.error !== undefined) throw toWholeError(link, answer.error, false);
  if (error !== undefined) throw toStatementError(link, error);
}

/** Everything that was queued before is applied when the answer to an empty request that waits comes. */
async function drainQueue(link: RqliteLink, signal: AbortSignal | undefined): Promise<void> {
  await sendQueued(link, ['queue', 'wait', `timeout=${String(queueTimeoutMs / 1_000)}s`], { statements: [], signal });
}

async function sendQueued(link: RqliteLink, parameters: readonly string[], { statements, signal }: Request): Promise<void> {
  const { status, text } = await sendRequest(link, {
    method: 'POST',
    path: '/db/execute',
    parameters,
    contentType: 'application/json',
    body: Buffer.from(`[${statements.join(',')}]`),
    isRead: false,
    timeoutMs: 2 * queueTimeoutMs,
    signal,
  });
  if (status === 200) return;
  throw new SluiceError(
    'SLUICE_TARGET_FAILED',
    `The queue of ${link.address.label} answered ${String(status)}: ${text.trim().slice(0, 200)}.`,
    {
      hint: 'Leave the queue out: --only requests,load.',
    },
  );
}

function stopped(): SluiceError {
  return new SluiceError('SLUICE_CANCELLED', 'The bench was stopped.', { hint: 'What it had made was dropped.' });
}
