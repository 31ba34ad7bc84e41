/** Which statement of a transaction left a deferred constraint unmet: found by halving, in a transaction that is always undone. */
import type { PgError, PipelineStep } from '../link.ts';
import { savepoint, writeOpening } from './opening.ts';
import { toFrameStep, type UnitRun } from './unit-run.ts';

/** Steps of one round trip. */
const stepsPerTrip = 1000;

const frame = {
  check: toFrameStep('SET CONSTRAINTS ALL IMMEDIATE'),
  undo: toFrameStep(`ROLLBACK TO SAVEPOINT ${savepoint}`),
};

/** Statements of the unit that changed something, with their places in it. */
interface Applied {
  readonly index: number;
  readonly step: PipelineStep;
}

/**
 * The statement behind which the constraint that COMMIT named does not hold any more, while it does in front of it; undefined where it can't be told: another session
 * changed what it depends on, or COMMIT was refused for something else.
 */
export async function findGuilty(run: UnitRun, refused: PgError): Promise<number | undefined> {
  if (!refused.sqlState.startsWith('23')) return undefined;
  const applied = run.answers.flatMap(({ status }, index): readonly Applied[] => {
    const step = run.statements[index]?.ready?.step;
    return status === 'applied' && step !== undefined ? [{ index, step }] : [];
  });
  const { link, options } = run;
  const opening = await writeOpening(link, {
    timeoutMs: options.timeoutMs ?? probeTimeoutMs,
    lockTimeoutMs: undefined,
    isTransaction: true,
    usesSavepoints: true,
  });
  const { error } = await link.pipeline(opening.map(toFrameStep), options);
  try {
    return error === undefined ? await halve(run, applied, refused) : undefined;
  } finally {
    if (!link.isBroken) await link.script('ROLLBACK', { timeoutMs: options.timeoutMs });
  }
}

/** Of the search, as the server counts it; the unit's own deadline comes first. */
const probeTimeoutMs = 300_000;

async function halve(run: UnitRun, applied: readonly Applied[], refused: PgError): Promise<number | undefined> {
  let [good, bad] = [0, applied.length];
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    if (await holdsAfter(run, applied.slice(0, middle), refused)) good = middle;
    else bad = middle;
  }
  // The whole is looked at too: without it nothing is proved.
  return (await holdsAfter(run, applied.slice(0, bad), refused)) ? undefined : applied[bad - 1]?.index;
}

/** Whether the constraint holds when these have been run. Another error than the one looked for says nothing against it. */
async function holdsAfter({ link, options }: UnitRun, applied: readonly Applied[], refused: PgError): Promise<boolean> {
  const steps = [frame.undo, ...applied.map(({ step }) => step), frame.check];
  for (let at = 0; at < steps.length; at += stepsPerTrip) {
    const { error } = await link.pipeline(steps.slice(at, at + stepsPerTrip), options);
    if (error !== undefined) return error.sqlState !== refused.sqlState || error.fields.constraint !== refused.fields.constraint;
  }
  return true;
}
