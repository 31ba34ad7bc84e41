/** A session's timeline as it is drawn: neighbours are merged until a curve says more of the load than of its batches. */
import { stageNames, type LoadReport, type StageName, type Timeline } from '../load/report/report-contract.ts';

/** More stretches than this are finer than a narrow screen shows. */
const maxStretches = 120;
/** Fewer make no curve; merging stops here. */
const minStretches = 16;
/** Where batches come once in several bins, rates jump between nothing and a multiple: stretches grow until few are empty. */
const maxEmptyShare = 0.1;

/** A timeline of which each stretch but the last, which ends with the session's last commit, has its full length. */
export interface ShownTimeline extends Timeline {
  readonly endMs: number;
}

function mergePairs(values: readonly number[]): readonly number[] {
  return Array.from({ length: Math.ceil(values.length / 2) }, (_, index) => (values[2 * index] ?? 0) + (values[2 * index + 1] ?? 0));
}

function mapTimeline(
  { binMs, rows, bytes, rejected, stageMs }: Timeline,
  change: (values: readonly number[]) => readonly number[],
): Timeline {
  return {
    binMs,
    rows: change(rows),
    bytes: change(bytes),
    rejected: change(rejected),
    stageMs: {
      read: change(stageMs.read),
      check: change(stageMs.check),
      embed: change(stageMs.embed),
      wait: change(stageMs.wait),
      commit: change(stageMs.commit),
    },
  };
}

function isRagged({ rows }: Timeline): boolean {
  const empty = rows.filter((count) => count === 0).length;
  return empty / rows.length > maxEmptyShare;
}

/** The timeline to draw; undefined where the session was too short for one, or has none. */
export function showTimeline({ timeline, session }: LoadReport): ShownTimeline | undefined {
  if (timeline === undefined || timeline.rows.length < 3) return undefined;
  let shown = timeline;
  while (shown.rows.length > maxStretches || (shown.rows.length >= 2 * minStretches && isRagged(shown)))
    shown = { ...mapTimeline(shown, mergePairs), binMs: shown.binMs * 2 };
  const { binMs } = shown;
  const lastMs = Math.min(session.loadMs, shown.rows.length * binMs) - (shown.rows.length - 1) * binMs;
  // The rate of a few milliseconds is an accident: they are counted with the stretch before them.
  if (lastMs < binMs / 2) shown = mapTimeline(shown, foldLast);
  const endMs = Math.max((shown.rows.length - 0.5) * binMs, Math.min(session.loadMs, timeline.rows.length * timeline.binMs));
  return { ...shown, endMs };
}

function foldLast(values: readonly number[]): readonly number[] {
  return [...values.slice(0, -2), (values.at(-2) ?? 0) + (values.at(-1) ?? 0)];
}

/** When a stretch ends; the last one may be up to half as long again as the others, or half as long. */
export function endStretch({ binMs, endMs, rows }: ShownTimeline, index: number): number {
  return index === rows.length - 1 ? endMs : (index + 1) * binMs;
}

/** What was counted in each stretch, as a rate per second. */
export function toRates(shown: ShownTimeline, values: readonly number[]): readonly number[] {
  return values.map((value, index) => (value * 1_000) / (endStretch(shown, index) - index * shown.binMs));
}

/** The share of the lanes' time that went into a stage, 0 to 1, for each stretch. */
export function toShares({ stageMs }: Timeline, stage: StageName): readonly number[] {
  return stageMs[stage].map((ms, index) => {
    const all = stageNames.reduce((sum, name) => sum + (stageMs[name][index] ?? 0), 0);
    return all > 0 ? ms / all : 0;
  });
}
