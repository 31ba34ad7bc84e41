/** Carries what is asked of a running load to its lanes, and what holds them back to its progress. */
import type { Flow } from '../lane/flow.ts';
import { watchControls } from '../control/control-watch.ts';
import type { ProgressMeter } from '../report/progress-meter.ts';
import type { Session } from './session.ts';

/** How often it is looked at what holds the lanes; they wait for the rate when they spent most of the time between on it. */
const lookMs = 500;
const minHeldShare = 0.5;

/** Listens to the ledger until the session ends. */
export function watchSession(session: Session): {
  readonly attach: (flow: Flow, meter: ProgressMeter) => () => void;
  close(): Promise<void>;
} {
  let isPaused = false;
  let flow: Flow | undefined;
  const watch = watchControls({
    target: session.target,
    load: session.load,
    tell: (command) => {
      isPaused = command === 'pause';
      flow?.pause(isPaused);
      if (command === 'cancel') session.stops.stop('cancelled', 'sluice cancel');
    },
  });
  return {
    /** Between this and the call of what it returns the lanes of `flow` obey. */
    attach: (attached, meter) => {
      flow = attached;
      flow.pause(isPaused);
      let before = 0;
      const timer = setInterval(() => {
        const held = attached.heldMs();
        const isSlow = held - before > minHeldShare * lookMs;
        before = held;
        const by = isPaused ? 'pause' : isSlow ? 'rate' : undefined;
        meter.observe({ kind: 'held', by }, performance.now());
      }, lookMs).unref();
      return () => {
        clearInterval(timer);
        flow = undefined;
        meter.observe({ kind: 'held', by: undefined }, performance.now());
      };
    },
    close: () => watch.close(),
  };
}
