/** A load whose connection is cut at any byte, in either direction, ends with each row once, or is ended by the same call again. */
import assert from 'node:assert/strict';
import { createServer, connect as dial, type AddressInfo, type Socket } from 'node:net';
import { after, it } from 'node:test';
import { isSluiceError } from '../../src/errors.ts';
import { load } from '../../src/load/load.ts';
import { connect } from '../../src/target/registry.ts';
import { verify } from '../../src/verify/verify.ts';
import { shareServer } from './server.ts';

const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31);

/** `SLUICE_CUTS=200` for a campaign; its positions are other ones with each seed. */
const cutCount = Number(process.env['SLUICE_CUTS'] ?? 12);

const shared = shareServer();
after(() => shared.close());

const from = Array.from({ length: 400 }, (_, id) => ({ id: id % 20 === 19 ? id - 1 : id, name: `row ${String(id)} é'` }));
const expected = from.filter(({ id }, index) => index === 0 || from[index - 1]?.id !== id);

type Direction = 'up' | 'down';

interface Cut {
  readonly direction: Direction;
  readonly at: number;
}

interface Wire {
  readonly url: string;
  readonly passed: Record<Direction, number>;
  close(): Promise<void>;
}

/** Passes bytes on, and cuts once, behind that many in that direction. */
async function startWire(port: number, cut: Cut | undefined): Promise<Wire> {
  const passed = { up: 0, down: 0 };
  const sockets = new Set<Socket>();
  let isCut = cut === undefined;
  const pipe = (source: Socket, sink: Socket, direction: Direction): void => {
    source.on('data', (bytes: Buffer) => {
      const room = cut === undefined ? bytes.length : cut.at - passed[direction];
      passed[direction] += bytes.length;
      if (isCut || cut?.direction !== direction || bytes.length < room) {
        sink.write(bytes);
        return;
      }
      isCut = true;
      sink.end(bytes.subarray(0, room));
      source.destroy();
    });
    source.on('close', () => sink.destroySoon());
    source.on('error', () => sink.destroy());
  };
  const server = createServer((near) => {
    const far = dial(port, '127.0.0.1');
    sockets.add(near).add(far);
    pipe(near, far, 'up');
    pipe(far, near, 'down');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `rqlite://127.0.0.1:${String((server.address() as AddressInfo).port)}?answer_timeout=5`,
    passed,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function loadOver(cut: Cut | undefined): Promise<Readonly<Record<Direction, number>>> {
  const server = await shared.take();
  const wire = await startWire(server.port, cut);
  try {
    await checkLoad(wire.url, server.url);
    return wire.passed;
  } finally {
    await wire.close();
    await server.dispose();
  }
}

async function checkLoad(to: string, direct: string): Promise<void> {
  const options = { from, to, table: 'items', key: ['id'], maxBatchRows: 150, cache: false, label: 'cut' } as const;
  const report = await load(options).catch((error: unknown) => {
    assert.ok(isSluiceError(error) && error.isTransient, String(error));
    return load(options);
  });
  assert.deepEqual(report.counts, { read: from.length, written: expected.length, skipped: 0, rejected: from.length - expected.length });
  // A load whose very last answer was lost is done, and the second call has nothing to do.
  assert.equal((await verify({ in: direct, table: 'items' })).isOk, true);
  const connection = await connect(direct);
  assert.deepEqual(await connection.query({ sql: 'SELECT id, name FROM items ORDER BY rowid', parameters: [] }), expected);
  await connection.close();
}

it(`cuts at ${String(cutCount)} places cost no row and double none (seed ${String(seed)})`, async () => {
  const whole = await loadOver(undefined);
  let state = seed >>> 0;
  for (let count = 0; count < cutCount; count++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const direction = count % 2 === 0 ? 'up' : 'down';
    const at = 1 + Math.floor((state / 2 ** 32) * whole[direction]);
    await assert.doesNotReject(loadOver({ direction, at }), `cut ${direction} at byte ${String(at)}`);
  }
});
