/** The queue's files: torn ends, flipped bits, clocks that go back, full disks. What is whole is applied once, what is not is told and never applied. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cp, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';

import { isSluiceError } from '../../src/errors.ts';
import type { Engine, QueuedRequest } from '../../src/server/engine/contract.ts';
import type { QueueNotice } from '../../src/server/queue/contract.ts';
import { listSegments } from '../../src/server/queue/folder.ts';
import { openQueue } from '../../src/server/queue/open-queue.ts';
import { readPending, recover } from '../../src/server/queue/recovery.ts';
import { insertAll, intercept, makePlace, openTestEngine, type Place } from './queue-engine.ts';

const seed = Number(process.env['SLUICE_TEST_SEED'] ?? Date.now() % 1_000_000);

describe(`the queue's files (seed ${seed})`, () => {
  let place: Place;
  let engine: Engine;

  beforeEach(async () => {
    place = await makePlace();
    engine = await openTestEngine(place.file);
  });

  afterEach(async () => {
    await engine.close();
    await place.remove();
  });

  /** Leaves requests with these bodies in the files, none of them applied. */
  async function leave(bodies: readonly Uint8Array[], segmentBytes = 1_048_576): Promise<readonly bigint[]> {
    const idle = intercept(engine, () => Promise.reject(new Error('not now')));
    const queue = await openQueue({ file: place.file, timeoutMs: 0, flushTimeoutMs: 0, segmentBytes }, idle);
    const sequences: bigint[] = [];
    for (const body of bodies) sequences.push(await queue.add({ body, isStrict: false }));
    await queue.close();
    return sequences;
  }

  function readKeys(): unknown[] {
    return place.read('SELECT k FROM t ORDER BY id').map((row) => row['k']);
  }

  async function readOnlyFile(): Promise<string> {
    const segments = await listSegments(place.folder);
    assert.equal(segments.length, 1);
    return segments[0]?.path ?? '';
  }

  /** Reads what is to be applied from a changed copy of the folder. */
  async function reread(
    change: (path: string) => Promise<void>,
  ): Promise<{ readonly read: QueuedRequest[]; readonly notices: QueueNotice[]; readonly floor: bigint }> {
    const copy = `${place.folder}-copy`;
    await cp(place.folder, copy, { recursive: true });
    const notices: QueueNotice[] = [];
    const [segment] = await listSegments(copy);
    await change(segment?.path ?? '');
    const recovery = await recover(copy, 0n, (notice) => notices.push(notice));
    const read = await Array.fromAsync(readPending(recovery.segments, 0n));
    await rm(copy, { recursive: true });
    return { read, notices, floor: recovery.floor };
  }

  test('a file that was cut at any byte keeps every whole request, and the rest is cut off and told', async () => {
    const bodies = ['a', 'b'.repeat(50), 'c', 'd'.repeat(300)].map((value) => insertAll(value));
    const sequences = await leave(bodies);
    const { length } = await readFile(await readOnlyFile());
    const ends = bodies.map((_, index) => bodies.slice(0, index + 1).reduce((sum, body) => sum + 32 + body.byteLength, 32));
    assert.equal(ends.at(-1), length);
    const whole = fc.asyncProperty(fc.integer({ min: 0, max: length }), async (size) => {
      const { read, notices, floor } = await reread((path) => truncate(path, size));
      const kept = ends.filter((end) => end <= size).length;
      assert.deepEqual(
        read,
        sequences.slice(0, kept).map((sequence, index) => ({ sequence, isStrict: false, body: Uint8Array.from(bodies[index] ?? []) })),
      );
      assert.equal(notices.length, size === 32 || ends.includes(size) || size < 32 ? 0 : 1);
      assert.ok(floor >= (sequences[kept - 1] ?? 0n));
    });
    await fc.assert(whole, { numRuns: 120, seed });
  });

  test('a flipped bit anywhere takes one request at most, is told, and never changes what is applied', async () => {
    // The third body holds the head of a record, as a client that means harm might send it.
    const bodies = ['a', 'b'.repeat(80), 'SLQR'.repeat(20), 'd', 'e'.repeat(200)].map((value) => insertAll(value));
    const sequences = await leave(bodies);
    const { length } = await readFile(await readOnlyFile());
    const whole = fc.asyncProperty(fc.integer({ min: 0, max: length - 1 }), fc.integer({ min: 0, max: 7 }), async (at, bit) => {
      const { read, notices, floor } = await reread(async (path) => {
        const bytes = await readFile(path);
        bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
        await writeFile(path, bytes);
      });
      const missing = sequences.filter((sequence) => !read.some((request) => request.sequence === sequence));
      assert.ok(missing.length <= 1);
      for (const request of read) {
        const index = sequences.indexOf(request.sequence);
        assert.deepEqual(Buffer.from(request.body), Buffer.from(bodies[index] ?? []));
      }
      assert.deepEqual(
        read.map((request) => request.sequence),
        sequences.filter((sequence) => !missing.includes(sequence)),
      );
      assert.ok(notices.length === 1 && ['damaged', 'torn'].includes(notices[0]?.kind ?? ''), JSON.stringify(notices));
      assert.ok(floor >= (sequences.at(-1) ?? 0n), 'a number may be given out again');
    });
    await fc.assert(whole, { numRuns: 200, seed });
  });

  test('a file with a damaged request is kept when the others in it have been applied', async () => {
    await leave(['a', 'b', 'c'].map((value) => insertAll(value)));
    const path = await readOnlyFile();
    const bytes = await readFile(path);
    const at = bytes.indexOf('"b"');
    bytes[at + 1] = 0x7a;
    await writeFile(path, bytes);
    const notices: QueueNotice[] = [];
    const queue = await openQueue({ file: place.file, timeoutMs: 0, segmentBytes: 1, onNotice: (notice) => notices.push(notice) }, engine);
    assert.equal(queue.facts().damagedRecords, 1);
    assert.match(notices[0]?.message ?? '', /sequence number \d+ is damaged/);
    await queue.waitFor(await queue.add({ body: insertAll('d'), isStrict: false }), 10_000);
    await queue.close();
    assert.deepEqual(readKeys(), ['a', 'c', 'd']);
    assert.ok((await readdir(place.folder)).some((name) => name.endsWith('.damaged')));
  });

  test('requests in many files are applied once and in order, and the files go', async () => {
    const values = Array.from({ length: 50 }, (_, index) => index);
    await leave(
      values.map((value) => insertAll(value)),
      200,
    );
    assert.ok((await listSegments(place.folder)).length > 5);
    const queue = await openQueue({ file: place.file, batchSize: 7 }, engine);
    assert.deepEqual(readKeys(), values);
    assert.equal((await listSegments(place.folder)).length, 1);
    await queue.close();
    const again = await openQueue({ file: place.file }, engine);
    await again.close();
    assert.deepEqual(readKeys(), values);
  });

  test('numbers rise also when the clock goes back, and when neither requests nor database remember them', async () => {
    const now = 1_700_000_000_000_000_000n;
    const openAt = (clock: bigint): Promise<bigint> => addOne(clock, engine);
    const addOne = async (clock: bigint, over: Engine): Promise<bigint> => {
      const queue = await openQueue({ file: place.file, readClock: () => clock, timeoutMs: 0 }, over);
      const sequence = await queue.add({ body: insertAll('x'), isStrict: false });
      await queue.waitFor(sequence, 10_000);
      await queue.close();
      return sequence;
    };
    const first = await openAt(now);
    assert.equal(first, now);
    const second = await openAt(now - 10n ** 15n);
    assert.ok(second > first);
    // Another database was put in place, without a position.
    const forgetful: Engine = { ...intercept(engine, () => Promise.resolve([])), readQueuePosition: () => Promise.resolve(0n) };
    const queue = await openQueue({ file: place.file, readClock: () => 1n, timeoutMs: 0 }, engine);
    await queue.whileEmpty(() => Promise.resolve());
    await queue.close();
    assert.ok((await addOne(1n, forgetful)) > second);
  });

  test('files of a newer version are left alone, and the queue does not open', async () => {
    await leave([insertAll('a')]);
    const path = await readOnlyFile();
    const { writeSegmentHead } = await import('../../src/server/queue/record.ts');
    const { crc32 } = await import('node:zlib');
    const bytes = await readFile(path);
    const head = writeSegmentHead(5n, 7);
    head.writeUInt32LE(2, 8);
    head.writeUInt32LE(crc32(head.subarray(0, 28)), 28);
    head.copy(bytes);
    await writeFile(path, bytes);
    await assert.rejects(openQueue({ file: place.file }, engine), (error) => isSluiceError(error, 'SLUICE_LEDGER_VERSION'));
    assert.deepEqual(await readFile(path), bytes);
  });

  test('where no file can be made, requests are refused until it can, and those refused are not applied', async () => {
    const queue = await openQueue({ file: place.file, timeoutMs: 0, segmentBytes: 1 }, engine);
    await queue.add({ body: insertAll('a'), isStrict: false });
    await rename(place.folder, `${place.folder}-away`);
    await assert.rejects(queue.add({ body: insertAll('refused'), isStrict: false }), (error) => isSluiceError(error) && error.isTransient);
    await rename(`${place.folder}-away`, place.folder);
    await queue.waitFor(await queue.add({ body: insertAll('b'), isStrict: false }), 10_000);
    await queue.close();
    assert.deepEqual(readKeys(), ['a', 'b']);
  });

  test('when the disk is full in the middle of a write, what was refused is not there and what was acknowledged is', async (t) => {
    if (process.platform === 'win32') return t.skip('limits of file sizes are a matter of Unix');
    const child = fileURLToPath(new URL('./queue-full-process.ts', import.meta.url));
    const text = await runLimited(`ulimit -f 512; exec "$0" "$1" "$2"`, [process.execPath, child, place.file]);
    const [acknowledged = '', refused = ''] = text.trim().split('\n');
    assert.ok(acknowledged.split(' ').length > 5 && Number(refused) > 0, text);
    const queue = await openQueue({ file: place.file }, engine);
    assert.equal(queue.facts().damagedRecords, 0);
    await queue.close();
    assert.equal(
      place.read("SELECT group_concat(substr(k, 1, instr(k, ' ') - 1), ' ' ORDER BY id) AS keys FROM t")[0]?.['keys'],
      acknowledged,
    );
  });

  async function runLimited(script: string, values: readonly string[]): Promise<string> {
    const running = spawn('bash', ['-c', script, ...values], { stdio: ['ignore', 'pipe', 'inherit'] });
    const pieces = await Array.fromAsync(running.stdout);
    return Buffer.concat(pieces as Buffer[]).toString();
  }
});
