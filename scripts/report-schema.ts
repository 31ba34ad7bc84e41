/** The shape of a load's report, to check reports by, and what docs/reference/report.schema.json is made of. A member that is not in it is refused: reports don't grow unsaid. */
import * as z from 'zod';

const count = z.int().min(0);
const amount = z.number().min(0);
const counts = { read: count, written: count, skipped: count, rejected: count };
const stages = <T extends z.ZodType>(of: T): z.ZodObject<Record<'read' | 'check' | 'embed' | 'wait' | 'commit', T>> =>
  z.strictObject({ read: of, check: of, embed: of, wait: of, commit: of });
const rejectClass = z.enum(['unreadable', 'unfit', 'refused', 'unembeddable']);

const session = z
  .strictObject({ ...counts, bytes: count, elapsedMs: amount, loadMs: amount, rowsPerSecond: amount, bytesPerSecond: amount })
  .describe('This session alone. loadMs ends with the last commit, elapsedMs with the report; the rates are over loadMs.');

const commits = z.strictObject({
  count,
  p50Ms: amount,
  p95Ms: amount,
  p99Ms: amount,
  maxMs: amount,
  histogram: z
    .array(z.strictObject({ upToMs: amount.optional(), count }))
    .optional()
    .describe('Commits that took longer than the step before and no longer than upToMs; without it: longer than every step.'),
});

const timeline = z
  .strictObject({
    binMs: amount,
    rows: z.array(count).max(240),
    bytes: z.array(count).max(240),
    rejected: z.array(count).max(240),
    stageMs: stages(z.array(amount).max(240)),
  })
  .describe('What was committed in each stretch of binMs, from the beginning of the session.');

const environment = z.strictObject({
  sluice: z.string(),
  node: z.string(),
  platform: z.string(),
  cpu: z.string(),
  cores: count,
  memoryBytes: count,
  target: z.string(),
  targetVersion: z.string().optional(),
});

const check = z.strictObject({ name: z.string(), isOk: z.boolean(), expected: z.string(), found: z.string() });

/** A load's report, as `--report file.json` and the event `summary` of `--json` hold it. */
export const reportSchema: z.ZodType = z
  .strictObject({
    schema: z.literal(1),
    load: z.string(),
    label: z.string().optional(),
    state: z.enum(['done', 'nothing_to_do', 'limit', 'time_limit', 'reject_limit', 'cancelled', 'failed']),
    source: z.string(),
    target: z.string().describe('Password taken out.'),
    table: z.string(),
    mode: z.enum(['insert', 'upsert', 'skip', 'replace', 'sync']),
    counts: z.strictObject(counts).describe('Of the whole load, earlier sessions included: read = written + skipped + rejected.'),
    isBalanced: z.boolean(),
    session,
    embedding: z.strictObject({ texts: count, distinct: count, cached: count, embedded: count, embedder: z.string() }).optional(),
    sync: z.strictObject({ inserted: count, updated: count, unchanged: count, deleted: count }).optional(),
    rejectsByClass: z.strictObject({ unreadable: count, unfit: count, refused: count, unembeddable: count }),
    rejectsByCause: z.array(
      z.strictObject({ class: rejectClass, code: z.string(), column: z.string().optional(), message: z.string(), count }),
    ),
    stageMs: stages(amount).describe('Milliseconds of lane time per stage, summed over lanes.'),
    commits,
    timeline: timeline.optional(),
    environment: environment.optional(),
    index: z.strictObject({ kind: z.enum(['hnsw', 'none']), rows: count, buildMs: amount, why: z.string() }).optional(),
    lanes: count,
    shards: count,
    peakRssBytes: count,
    cpuMs: amount,
    rowsPerCpuSecond: amount,
    decisions: z.array(z.strictObject({ what: z.string(), choice: z.string(), why: z.string() })),
    guarantee: z.string(),
    verification: z.strictObject({ isOk: z.boolean(), checks: z.array(check) }).optional(),
    next: z.string().describe('The command to run next.'),
    failure: z.strictObject({ code: z.string(), message: z.string(), hint: z.string().optional() }).optional(),
    startedAt: z.iso.datetime(),
    endedAt: z.iso.datetime(),
  })
  .describe('The report of one session of a load by sluice.');

/** The same as JSON Schema (2020-12), as text. */
export function writeReportSchema(): string {
  const schema = z.toJSONSchema(reportSchema);
  return `${JSON.stringify({ title: 'sluice load report', ...schema }, null, 2)}\n`;
}
