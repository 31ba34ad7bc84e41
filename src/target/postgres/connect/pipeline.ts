/** Many statements in one round trip. What each came to is collected in their order, so that the first without a result is the one that an error is about. */
import { SluiceError } from '../../../errors.ts';
import { PgError, type PipelineOptions, type PipelineResult, type PipelineStep, type ResultField, type StepResult } from '../link.ts';
import type { ExchangeHandlers } from './exchange.ts';
import { repeatsStatement, writePipeline } from './pipeline-frames.ts';
import type { Session } from './session.ts';

/** Puts what comes back to the steps that it belongs to. */
export interface StepCollector {
  readonly results: StepResult[];
  addFields(fields: readonly ResultField[]): void;
  addRow(values: readonly (string | null)[]): void;
  /** undefined: suspended at its limit of rows. */
  end(tag: string | undefined): void;
}

export function createCollector(steps: readonly PipelineStep[]): StepCollector {
  const results: StepResult[] = [];
  let fields: readonly ResultField[] | undefined;
  let rows: (readonly (string | null)[])[] = [];
  return {
    results,
    addFields: (described) => {
      fields = described;
    },
    addRow: (values) => void rows.push(values),
    end: (tag) => {
      results.push({ tag: tag ?? '', fields, rows, isSuspended: tag === undefined });
      rows = [];
      const [step, next] = [steps[results.length - 1], steps[results.length]];
      // A repeated statement is not described again.
      if (next === undefined || !repeatsStatement(next, step)) fields = undefined;
    },
  };
}

/** @throws LinkLostError, SLUICE_CANCELLED */
export async function runPipeline(session: Session, steps: readonly PipelineStep[], options: PipelineOptions): Promise<PipelineResult> {
  const collector = createCollector(steps);
  const messages = writePipeline(steps);
  const handlers: ExchangeHandlers<void> = {
    isExtended: true,
    start: () => session.client.connection.stream.write(messages),
    mayHaveLanded: () => options.landed === 'unknown',
    onFields: (fields) => collector.addFields(fields),
    onRow: (values) => collector.addRow(values),
    onEnd: (tag) => collector.end(tag),
    // The messages behind a COPY FROM STDIN would be taken for its rows, and no answer could be told from another any more.
    onCopyIn: () => session.lose(new Error('the server asked for rows of a COPY that nobody sends')),
    finish: () => undefined,
  };
  try {
    await session.run(handlers, options).settled;
  } catch (error) {
    if (error instanceof PgError) return { results: collector.results, error };
    throw error;
  }
  if (collector.results.length !== steps.length) {
    throw new SluiceError('SLUICE_INTERNAL', `${session.place} answered ${collector.results.length} of ${steps.length} statements.`);
  }
  return { results: collector.results, error: undefined };
}
