/** The thread of one `POST /loads`: rows come in pieces from the server's thread, so that no batch ever holds up other requests. */
import { parentPort, workerData } from 'node:worker_threads';
import { SluiceError } from '../../errors.ts';
import { ledgerDdl, ledgerViews } from '../../ledger/schema.ts';
import { packError } from '../../load/lane/news.ts';
import { load } from '../../load/load.ts';
import { connect } from '../../target/registry.ts';
import type { LoadCommand, LoadNews, LoadOrder } from './load-news.ts';

const port = parentPort;
if (port === null) throw new SluiceError('SLUICE_INTERNAL', 'http-load-thread.ts was imported outside a worker thread.');

const stopping = new AbortController();
const pieces: Uint8Array[] = [];
let isEnded = false;
let wake: (() => void) | undefined;

function tell(news: LoadNews): void {
  port?.postMessage(news);
}

port.on('message', (command: LoadCommand) => {
  if (command.kind === 'piece') pieces.push(command.bytes);
  else if (command.kind === 'end') isEnded = true;
  else stopping.abort();
  wake?.();
});

async function* readPieces(): AsyncGenerator<Uint8Array> {
  for (;;) {
    // A body that was cut off must not look like one that ended.
    if (stopping.signal.aborted) throw new SluiceError('SLUICE_CANCELLED', 'The rows stopped coming before their end.');
    const piece = pieces.shift();
    if (piece !== undefined) {
      yield piece;
      tell({ kind: 'taken', bytes: piece.length });
    } else if (isEnded) return;
    else await new Promise<void>((resolve) => (wake = resolve));
  }
}

/**
 * A load into a file without tables would take it out of WAL mode to write it faster, and wait for the server to let go of it. The ledger's tables, which it
 * makes first of all anyhow, are made before: then the file is one that others use, and stays as it is.
 */
async function makeLedger({ to }: LoadOrder): Promise<void> {
  const views = ledgerViews.map(({ name, query }) => `CREATE VIEW IF NOT EXISTS ${name} AS\n${query}`);
  const connection = await connect(to);
  try {
    const [table] = await connection.query({ sql: 'SELECT 1 FROM sqlite_schema LIMIT 1', parameters: [] });
    if (table === undefined) await connection.transact([...ledgerDdl, ...views].map((sql) => ({ sql, parameters: [] })));
  } finally {
    await connection.close();
  }
}

try {
  const order = workerData as LoadOrder;
  await makeLedger(order);
  const report = await load({
    ...order,
    from: readPieces(),
    signal: stopping.signal,
    onProgress: (progress) => tell({ kind: 'progress', progress }),
  });
  tell({ kind: 'done', report });
} catch (error) {
  tell({ kind: 'failed', error: packError(error) });
} finally {
  port.close();
}
