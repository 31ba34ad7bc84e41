/** Runs a file that only reads on a target that sluice may not write to: without a ledger, which reads don't need, and never with a statement that may change something. */
import { isSluiceError, SluiceError } from '../errors.ts';
import { nameLoad } from '../load/plan/plan.ts';
import { isOverRejectLimit } from '../load/session/reject-limit.ts';
import { readShape } from '../sql/shape.ts';
import { hideSecrets } from '../secret-text.ts';
import { addAnswers, countRejected, noCounts } from './batch-note.ts';
import { writeBatchCommand } from './batch-report.ts';
import { countFault, describeUnit } from './batch.ts';
import { defaultMaxErrors, defaultUnit } from './file-options.ts';
import type { BatchCounts, BatchFailure, BatchFileOptions, BatchReport, FileAnswer } from './options.ts';
import type { StatementInput } from './statement-source.ts';
import { openStatusFile, writeStatusLine } from './status-file.ts';
import { cutUnits, type Unit } from './unit-cut.ts';
import { runUnit, type RunningConnection, type UnitLink } from './unit-run.ts';

export interface UnledgeredRequest {
  readonly options: BatchFileOptions;
  readonly input: StatementInput;
  readonly link: UnitLink & { readonly connection: RunningConnection };
  /** Why the ledger can't be written. */
  readonly refusal: SluiceError;
}

const maxFailuresKept = 10;

/** Whether an error says that this target may be read, at most. */
export function isReadOnlyRefusal(error: unknown): error is SluiceError {
  return isSluiceError(error, 'SLUICE_TARGET_READ_ONLY') || isSluiceError(error, 'SLUICE_TARGET_DENIED');
}

interface Reading {
  readonly request: UnledgeredRequest;
  readonly batch: string;
  readonly startedMs: number;
  readonly failures: BatchFailure[];
  readonly status: ReturnType<typeof openStatusFile>;
  counts: BatchCounts;
  units: number;
  statusBytes: number;
  offset: number;
}

/** @throws the refusal, with the line of the first statement that may change something; what `batchFile` throws */
export async function runUnledgered(request: UnledgeredRequest): Promise<BatchReport> {
  const status = openStatusFile(request.options.statusFile, undefined);
  const reading: Reading = {
    request,
    batch: nameLoad(),
    startedMs: performance.now(),
    failures: [],
    status,
    counts: noCounts,
    units: 0,
    statusBytes: 0,
    offset: 0,
  };
  try {
    return report(reading, await runUnits(reading));
  } finally {
    status?.file.close();
  }
}

async function runUnits(reading: Reading): Promise<'done' | 'error_limit' | 'cancelled'> {
  const { options, input, link } = reading.request;
  const isTransaction = options.transaction ?? false;
  const units = cutUnits({
    input,
    dialect: link.connection.capabilities.dialect ?? 'sqlite',
    from: { offset: 0, line: 0, crc: 0 },
    size: options.unit ?? (isTransaction ? undefined : defaultUnit),
    isTransaction,
    signal: options.signal,
  });
  tell(reading);
  try {
    for await (const unit of units) {
      if (isOverLimit(reading, false)) return 'error_limit';
      if (options.signal?.aborted === true) return 'cancelled';
      await runOne(reading, unit);
    }
  } catch (error) {
    if (options.signal?.aborted === true && isSluiceError(error, 'SLUICE_CANCELLED')) return 'cancelled';
    throw error;
  }
  return isOverLimit(reading, true) ? 'error_limit' : 'done';
}

function isOverLimit({ counts, request }: Reading, isWhole: boolean): boolean {
  return isOverRejectLimit(request.options.maxErrors ?? defaultMaxErrors, { rejected: countRejected(counts), read: counts.read, isWhole });
}

async function runOne(reading: Reading, unit: Unit): Promise<void> {
  const { request, counts } = reading;
  const { options, link } = request;
  checkReads(request, unit);
  const statements = unit.statements.map(({ statement }) => statement);
  const sent = { ...describeUnit(options, statements), isReadOnly: true };
  const { answers } =
    statements.length === 0 ? { answers: [] } : await runUnit(link, sent, { signal: options.signal, timeoutMs: options.timeoutMs });
  if (answers.length !== statements.length) throw countFault(answers.length, statements.length);
  const told = answers.map((answer, at): FileAnswer => ({
    index: counts.read + at,
    line: (unit.statements[at]?.start.line ?? 0) + 1,
    ...answer,
  }));
  if (reading.status !== undefined)
    reading.statusBytes = reading.status.file.write(reading.statusBytes, told.map((answer) => writeStatusLine(answer, answer)).join(''));
  for (const answer of told) {
    if (answer.status === 'error' && reading.failures.length < maxFailuresKept)
      reading.failures.push({ index: answer.index, line: answer.line, code: answer.error.code, message: answer.error.message });
  }
  reading.counts = addAnswers(counts, answers);
  if (answers.length > 0) reading.units++;
  reading.offset = unit.end.offset;
  await options.onAnswers?.(told);
  tell(reading);
}

/** Without a ledger a statement that changes something could be run twice. */
function checkReads({ link, refusal, input }: UnledgeredRequest, unit: Unit): void {
  const dialect = link.connection.capabilities.dialect ?? 'sqlite';
  const write = unit.statements.find(({ statement }) => !readShape(statement.sql, dialect).isRead);
  if (write === undefined) return;
  throw new SluiceError(refusal.code, refusal.message, {
    cause: refusal,
    problems: [`the statement on line ${String(write.start.line + 1)} of ${input.name} is not one that only reads`],
    hint: `${refusal.hint ?? ''} Without sluice's ledger only files that read are run.`.trim(),
  });
}

function tell({ request, batch, counts, startedMs, offset }: Reading): void {
  const { options, input } = request;
  const elapsedMs = performance.now() - startedMs;
  options.onProgress?.({
    batch,
    resume: writeBatchCommand(batch, { options, input }),
    counts,
    bytes: offset,
    totalBytes: input.byteCount,
    elapsedMs,
    statementsPerSecond: (counts.read * 1_000) / Math.max(1, elapsedMs),
  });
}

function report(
  { request, batch, counts, startedMs, failures, units, status }: Reading,
  state: 'done' | 'error_limit' | 'cancelled',
): BatchReport {
  const { options, input } = request;
  const elapsedMs = performance.now() - startedMs;
  return {
    schema: 1,
    batch,
    label: options.label,
    state,
    source: input.name,
    target: hideSecrets(options.to),
    transaction: options.transaction ?? false,
    unit: options.unit,
    counts,
    isBalanced: counts.read === counts.applied + counts.notApplied + countRejected(counts),
    session: { read: counts.read, units, elapsedMs, statementsPerSecond: (counts.read * 1_000) / Math.max(1, elapsedMs) },
    failures,
    statusFile: status?.file.path,
    guarantee: 'only reads, on a target that may not be written to: nothing can be done twice, and no ledger was kept',
    notes: [],
    next: writeBatchCommand(batch, { options, input }),
  };
}
