/** The queue's options with their defaults, each where its number comes from. */
import { SluiceError } from '../../errors.ts';
import type { QueueNotice, QueueOptions } from './contract.ts';

export interface QueueSettings {
  readonly file: string;
  readonly capacity: number;
  readonly batchSize: number;
  readonly timeoutMs: number;
  readonly isTransaction: boolean;
  readonly capacityBytes: number;
  readonly batchBytes: number;
  readonly fullTimeoutMs: number;
  readonly flushTimeoutMs: number;
  readonly replayTimeoutMs: number;
  readonly segmentBytes: number;
  readonly outcomeCapacity: number;
  readonly outcomeBytes: number;
  readonly onNotice: (notice: QueueNotice) => void;
  readonly readClock: () => bigint;
}

const mebibyte = 1_048_576;

/** @throws SLUICE_USAGE a number is not positive */
export function resolveSettings(options: QueueOptions): QueueSettings {
  const settings: QueueSettings = {
    file: options.file,
    // The first four are rqlite's: -write-queue-capacity, -write-queue-batch-size, -write-queue-timeout, -write-queue-tx.
    capacity: options.capacity ?? 1_024,
    batchSize: options.batchSize ?? 128,
    timeoutMs: options.timeoutMs ?? 50,
    isTransaction: options.isTransaction ?? false,
    // As much again may wait in line, and the engine's copies come on top: 16 MiB and 2 MiB kept the process at 221 MiB under requests of 1,000
    // statements, 32 and 8 MiB at 368, and neither was slower (340,000 statements/s).
    capacityBytes: options.capacityBytes ?? 16 * mebibyte,
    batchBytes: options.batchBytes ?? 2 * mebibyte,
    fullTimeoutMs: options.fullTimeoutMs ?? 10_000,
    flushTimeoutMs: options.flushTimeoutMs ?? 30_000,
    replayTimeoutMs: options.replayTimeoutMs ?? 60_000,
    segmentBytes: options.segmentBytes ?? 16 * mebibyte,
    outcomeCapacity: options.outcomeCapacity ?? 16_384,
    outcomeBytes: options.outcomeBytes ?? 8 * mebibyte,
    onNotice: options.onNotice ?? (() => undefined),
    readClock: options.readClock ?? (() => BigInt(Date.now()) * 1_000_000n),
  };
  for (const name of ['capacity', 'batchSize', 'capacityBytes', 'batchBytes', 'segmentBytes', 'outcomeCapacity', 'outcomeBytes'] as const) {
    if (!Number.isSafeInteger(settings[name]) || settings[name] < 1)
      throw new SluiceError('SLUICE_USAGE', `${name} of the queue must be a whole number above 0`);
  }
  for (const name of ['timeoutMs', 'fullTimeoutMs', 'flushTimeoutMs', 'replayTimeoutMs'] as const) {
    // Node's timers wrap around at 2^31 ms, and would fire at once.
    if (!(settings[name] >= 0 && settings[name] < 2 ** 31))
      throw new SluiceError('SLUICE_USAGE', `${name} of the queue must be between 0 and 2,147,483,647`);
  }
  return settings;
}
