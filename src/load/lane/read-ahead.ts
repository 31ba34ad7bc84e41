/**
 * Reading for a lane on another thread: rows are read and checked there while the lane commits. The thread holds no truth and takes no decision; a lane that stops
 * asking has it stop, and one that dies fails the lane's shard, which goes on from its last commit.
 */
import type { MessagePort } from 'node:worker_threads';
import { SluiceError } from '../../errors.ts';
import { measureReject, type Position } from '../../rows/batch.ts';
import { createBatchBuilder, type BatchBuilder } from '../../rows/builder.ts';
import type { CheckedRecords, Records, RowReader, Shard, Source } from '../../source/source.ts';
import { refuseFields } from './field-refusal.ts';
import { watchFields } from './field-watch.ts';
import { laneDied, packError, unpackError, type SentError } from './news.ts';
import type { RunPlan } from '../plan/run-plan.ts';
import { packRows, unpackRows, type SentRows } from './sent-rows.ts';

/** What a lane says to the thread that reads for it. Each reading of a shard has a number. */
type Question =
  | { readonly kind: 'read'; readonly reading: number; readonly shard: Shard; readonly from: Position }
  /** The lane has taken rows of so much memory: there is room for others. */
  | ({ readonly kind: 'took'; readonly reading: number } & Weight)
  | { readonly kind: 'stop'; readonly reading: number };

type Answer =
  /** `warnings` are about these rows: those that the lane never takes are nobody's concern. */
  | {
      readonly kind: 'rows';
      readonly reading: number;
      readonly sent: SentRows;
      readonly warnings: readonly string[];
      readonly checkMs: number;
    }
  /** After so many stretches. */
  | { readonly kind: 'end'; readonly reading: number; readonly sentCount: number }
  | { readonly kind: 'failed'; readonly reading: number; readonly error: SentError };

/** The source as a lane reads it where nobody reads for it: its fields are watched, or refused, on the way. */
export function openReader(source: Pick<Source, 'read'>, plan: RunPlan, warn: (message: string) => void): Pick<Source, 'read'> {
  return (plan.refusesNewFields === true ? refuseFields : watchFields)(source, plan, warn);
}

/** What becomes of what the thread tells beside the rows. */
export interface AheadListener {
  readonly warn: (message: string) => void;
  /** Rows were checked on the other thread, for so long. */
  readonly checked: (ms: number) => void;
}

/** What came of a reading and was not taken yet, and who waits for more. */
interface Reading {
  readonly come: Answer[];
  wake: () => void;
}

/** The lane's end of the port. @throws SLUICE_LANE_DIED while rows are asked for, when the other thread has ended */
export function readAhead(port: MessagePort, { checked, warn }: AheadListener): RowReader {
  const readings = new Map<number, Reading>();
  let isClosed = false;
  let count = 0;
  const ask = (question: Question): void => port.postMessage(question);
  port.on('message', (answer: Answer) => {
    const reading = readings.get(answer.reading);
    reading?.come.push(answer);
    reading?.wake();
  });
  const end = (): void => {
    isClosed = true;
    for (const { wake } of readings.values()) wake();
  };
  port.on('close', end);
  // Rows that could not be unpacked are gone: nothing behind them may be taken.
  port.on('messageerror', () => {
    for (const { come } of readings.values()) come.length = 0;
    end();
  });

  /** The next answer; undefined once none can come, or the lane wants none. */
  const wait = async (reading: Reading, signal: AbortSignal | undefined): Promise<Reading['come'][number] | undefined> => {
    while (reading.come.length === 0 && !isClosed && signal?.aborted !== true) {
      await new Promise<void>((resolve) => {
        reading.wake = resolve;
      });
    }
    return signal?.aborted === true ? undefined : reading.come.shift();
  };

  return {
    read: async function* (shard, from, { signal }): AsyncGenerator<CheckedRecords, void, undefined> {
      const number = count++;
      const reading: Reading = { come: [], wake: () => undefined };
      const interrupt = (): void => reading.wake();
      readings.set(number, reading);
      signal?.addEventListener('abort', interrupt);
      ask({ kind: 'read', reading: number, shard, from });
      let takenCount = 0;
      try {
        for (;;) {
          const answer = await wait(reading, signal);
          const next = signal?.aborted === true ? undefined : readRows(answer, takenCount);
          if (next === undefined) return;
          takenCount++;
          checked(next.checkMs);
          for (const message of next.warnings) warn(message);
          ask({ kind: 'took', reading: number, ...weigh(next.sent) });
          yield unpackRows(next.sent);
        }
      } finally {
        signal?.removeEventListener('abort', interrupt);
        readings.delete(number);
        ask({ kind: 'stop', reading: number });
      }
    },
  };
}

/** The rows of an answer; undefined at the end. */
function readRows(answer: Answer | undefined, takenCount: number): Extract<Answer, { kind: 'rows' }> | undefined {
  if (answer === undefined) throw laneDied('The thread that reads for a lane ended early.');
  if (answer.kind === 'failed') throw unpackError(answer.error);
  if (answer.kind === 'rows') return answer;
  if (answer.sentCount !== takenCount) throw lostRows(answer.sentCount - takenCount);
  return undefined;
}

function lostRows(count: number): SluiceError {
  return new SluiceError('SLUICE_INTERNAL', `${String(count)} stretches of rows were lost between two threads.`, {
    hint: 'Nothing of them was written. Resume the load, and report this with the format of its source.',
  });
}

/** What rows take while they wait for their lane. */
interface Weight {
  readonly memoryBytes: number;
  readonly textBytes: number;
}

function weigh({ memoryBytes, rejects, textBytes }: SentRows): Weight {
  return { memoryBytes: rejects.reduce((sum, reject) => sum + measureReject(reject), memoryBytes), textBytes };
}

/** Texts of rows that wait, at most: of rows with vectors in them the text is some times as large as the row. */
const maxTextBytes = 32 * 1024 * 1024;

type Send = (answer: Answer, transfer?: ArrayBuffer[]) => void;

/** One reading, as the thread sees it that does it. */
class Task {
  readonly signal: AbortSignal;
  private readonly stopping = new AbortController();
  private readonly reading: number;
  private readonly send: Send;
  /** Of rows that were sent and not taken. */
  private memoryBytes = 0;
  private sentCount = 0;
  private textBytes = 0;
  private wake: () => void = () => undefined;
  private readonly warnings: string[] = [];

  constructor(reading: number, send: Send) {
    this.reading = reading;
    this.send = send;
    this.signal = this.stopping.signal;
  }

  stop(): void {
    this.stopping.abort(new SluiceError('SLUICE_CANCELLED', 'The lane wants no more rows.'));
    this.wake();
  }

  /** The lane took rows. */
  free({ memoryBytes, textBytes }: Weight): void {
    this.memoryBytes -= memoryBytes;
    this.textBytes -= textBytes;
    this.wake();
  }

  /** Reads until the end, a failure or a stop, and tells the lane of the first two. Never rejects. */
  async run({ plan, source }: ReadWork, { from, shard }: { shard: Shard; from: Position }): Promise<void> {
    const { maxBatchBytes, table } = plan;
    const { reading, send, signal } = this;
    try {
      const builder = createBatchBuilder(table.columns);
      const reader = openReader(await source, plan, (message) => void this.warnings.push(message));
      for await (const records of reader.read(shard, from, { columns: table.columns, signal })) {
        this.sendRows(builder, records);
        await this.waitForRoom(maxBatchBytes);
        if (signal.aborted) return;
      }
      send({ kind: 'end', reading, sentCount: this.sentCount });
    } catch (error) {
      if (!signal.aborted) send({ kind: 'failed', reading, error: packError(error) });
    }
  }

  private async waitForRoom(maxBytes: number): Promise<void> {
    while ((this.memoryBytes >= maxBytes || this.textBytes >= maxTextBytes) && !this.signal.aborted) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  private sendRows(builder: BatchBuilder, records: Records): void {
    const startedMs = performance.now();
    const { sent, transfer } = packRows(builder, records);
    const { memoryBytes, textBytes } = weigh(sent);
    this.memoryBytes += memoryBytes;
    this.textBytes += textBytes;
    this.sentCount++;
    const warnings = this.warnings.splice(0);
    this.send({ kind: 'rows', reading: this.reading, sent, warnings, checkMs: performance.now() - startedMs }, transfer);
  }
}

/** What a thread reads for a lane. */
export interface ReadWork {
  /** When it can't be opened, every reading fails with why. */
  readonly source: Promise<Pick<Source, 'read'>>;
  readonly plan: RunPlan;
}

/** The reading thread's end of the port: reads what it is asked to, at most a batch ahead. `close` ends what it still reads. */
export function serveReads(port: MessagePort, work: ReadWork): { readonly close: () => Promise<void> } {
  const tasks = new Map<number, { readonly task: Task; readonly done: Promise<void> }>();
  const send: Send = (answer, transfer = []) => port.postMessage(answer, transfer);
  // Each reading hears of a failure; without any there is nobody to tell.
  work.source.catch(() => undefined);
  port.on('message', (question: Question) => {
    const { reading } = question;
    if (question.kind === 'read') {
      const task = new Task(reading, send);
      tasks.set(reading, { task, done: task.run(work, question).finally(() => tasks.delete(reading)) });
    } else if (question.kind === 'stop') tasks.get(reading)?.task.stop();
    else tasks.get(reading)?.task.free(question);
  });
  const stopAll = async (): Promise<void> => {
    const all = [...tasks.values()];
    for (const { task } of all) task.stop();
    await Promise.all(all.map(({ done }) => done));
  };
  // A lane that died asks for nothing more.
  port.on('close', () => void stopAll());
  return {
    close: async () => {
      await stopAll();
      port.close();
    },
  };
}
