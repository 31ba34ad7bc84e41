/** The routes that move whole databases: `/db/backup`, `/db/load`, `/boot`. Bodies go on as they come, so that their size is the disk's matter and not the memory's. */
import { backup } from '../store/backup.ts';
import { boot } from '../store/boot.ts';
import { loadBody } from '../store/load.ts';
import { BodyError } from './body.ts';
import { refuseBody, refuseReadOnly } from './data-routes.ts';
import type { Exchange, Handler, Room } from './exchange.ts';
import type { Reply } from '../engine/contract.ts';

/** How a database file begins. */
const magic = Buffer.from('SQLite format 3\0', 'latin1');

export const backupDatabase: Handler = ({ parameters: { values } }, { engine, counters, limits }) => {
  counters.backups++;
  const tables = (values.get('tables') ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  return backup(engine, {
    format: values.get('fmt'),
    vacuum: values.has('vacuum'),
    compress: values.has('compress'),
    tables: tables.length > 0 ? tables : undefined,
    stallTimeoutMs: limits.writeTimeoutMs,
  });
};

/** A database file may be as large as the disk takes; an SQL text is a body like any other. */
export const loadDatabase: Handler = async (exchange, room) => {
  if (room.facts.isReadOnly) return refuseReadOnly();
  room.counters.loads++;
  const { engine, queue, limits } = room;
  const limitBytes = (first: Buffer): number => (isDatabase(first) ? limits.maxUploadBytes : limits.maxBodyBytes);
  const body = room.bodies.streamBody(exchange.request, exchange.response, limitBytes);
  const reply = await settleBody(() =>
    loadBody(engine, body, {
      data: exchange.parameters.writing,
      queue,
      maxBytes: limits.maxUploadBytes,
      maxScriptBytes: limits.maxBodyBytes,
    }),
  );
  exchange.isServed = reply?.status === 200;
  return reply;
};

export const bootDatabase: Handler = async (exchange, room) => {
  if (room.facts.isReadOnly) return refuseReadOnly();
  room.counters.boot++;
  return settleBody(() => boot(room.engine, streamWhole(exchange, room), { queue: room.queue, maxBytes: room.limits.maxUploadBytes }));
};

function streamWhole({ request, response }: Exchange, { bodies, limits }: Room): AsyncIterable<Buffer> {
  return bodies.streamBody(request, response, () => limits.maxUploadBytes);
}

async function settleBody(work: () => Promise<Reply>): Promise<Reply | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof BodyError) return refuseBody(error.failure);
    throw error;
  }
}

function isDatabase(first: Buffer): boolean {
  const length = Math.min(first.length, magic.length);
  return first.subarray(0, length).equals(magic.subarray(0, length));
}
