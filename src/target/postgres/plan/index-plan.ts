/** Decides which secondary indexes a load goes through and which are dropped and made again. What can't come back for certain is never dropped. */
import type { Decision, DeferredIndex } from '../../driver.ts';
import { quoteIdentifier } from '../../sql-text.ts';
import type { CatalogIndex } from '../catalog/table.ts';
import { estimateIndexCost, readIndexKind, type IndexCost, type IndexKind } from './index-cost.ts';
import { countComing, formatRows, formatSeconds, meanInputBytes, type PlanContext } from './context.ts';
import { quoteName } from '../qualified-name.ts';
import type { PostgresSettings } from '../settings.ts';

/** Below this many rows a B-tree or GIN is kept: dropping and making it takes locks, and saves under a second. */
const minRowsToDrop = 50_000;

/** A B-tree takes no value over 2,704 bytes. Where rows are larger than this on average, a text could be one, and its index would not come back. */
const maxRowBytesOfTexts = 1000;

export interface IndexPlan {
  readonly deferred: readonly DeferredIndex[];
  readonly decisions: readonly Decision[];
}

interface Weighed {
  readonly index: CatalogIndex;
  readonly kind: IndexKind;
  readonly cost: IndexCost | undefined;
  /** Why it can't be dropped; undefined where it can. */
  readonly obstacle: string | undefined;
}

/** Of a table that replaces another all but the unique ones are made at the end, without anything to decide. */
export function planIndexes(context: PlanContext, publish: PostgresSettings['publish'], processes: number): IndexPlan {
  const { table, options, asked } = context;
  if (publish === 'swap') return { deferred: [], decisions: [] };
  const secondary = table?.indexes.filter((index) => !index.isUnique && index.constraint === null) ?? [];
  if (secondary.length === 0) return { deferred: [], decisions: [] };
  if (options.indexes === 'keep') {
    return { deferred: [], decisions: [{ what: 'indexes', choice: `kept: ${listNames(secondary)}`, why: 'as asked for' }] };
  }
  if (asked === 'sync' && options.indexes !== 'rebuild') {
    const why = 'of a table that is mirrored only the rows that differ are written';
    return { deferred: [], decisions: [{ what: 'indexes', choice: `kept: ${listNames(secondary)}`, why }] };
  }
  if (publish === 'move') {
    const why = 'the rows come in one statement at the end, and readers keep their indexes until then';
    return { deferred: [], decisions: [{ what: 'indexes', choice: `kept: ${listNames(secondary)}`, why }] };
  }
  const weighed = secondary.map((index) => weigh(context, index, processes));
  const dropped = weighed.filter((each) => each.obstacle === undefined && (options.indexes === 'rebuild' || pays(context, each)));
  const kept = weighed.filter((each) => !dropped.includes(each));
  return {
    deferred: dropped.map(({ index }) => defer(context, index)),
    decisions: [...dropped.map((each) => explainDropped(context, each)), ...kept.map((each) => explainKept(context, each))],
  };
}

function weigh(context: PlanContext, index: CatalogIndex, processes: number): Weighed {
  const kind = readIndexKind(index.method);
  const addedRows = countComing(context);
  const cost =
    addedRows === undefined
      ? undefined
      : estimateIndexCost({
          kind,
          dimensions: readDimensions(context, index),
          existingRows: context.existingRows,
          addedRows,
          processes,
        });
  return { index, kind, cost, obstacle: findObstacle(context, index, kind) };
}

/** The length of the indexed vector: of its column, or of the cast in an expression such as `(v::halfvec(384))`. */
function readDimensions({ table }: PlanContext, index: CatalogIndex): number {
  const column = table?.columns.find(({ name }) => name === index.columns[0]);
  if (column !== undefined && column.typmod > 0) return column.typmod;
  return Number(/(?:vector|halfvec|bit)\((\d+)\)/u.exec(index.ddl)?.[1] ?? 0);
}

/** Why an index stays whatever it costs. */
function findObstacle(context: PlanContext, index: CatalogIndex, kind: IndexKind): string | undefined {
  const { table } = context;
  if (table === undefined || !table.isOwner) return `only the owner of the table (${table?.owner ?? ''}) may drop it`;
  if (table.kind === 'p' || index.isPartition)
    return 'it belongs to a partitioned table, whose indexes can only be made with a lock on all partitions';
  if (!index.isValid) return 'it is invalid, a leftover of CREATE INDEX CONCURRENTLY: drop it by hand, it only costs';
  if (index.isReplicaIdentity || index.isClustered) return 'it is the replica identity or the order of CLUSTER, a mark that would be lost';
  if (index.hasComment) return 'it has a comment, which would be lost';
  if (index.hasTablespace) return 'it is in a tablespace of its own';
  if (index.hasDependents) return 'other objects stand on it';
  if (kind === 'other') return `what a build of ${index.method} costs was not measured`;
  const isVector = kind === 'hnsw' || kind === 'ivfflat';
  if (index.isPartial || (!isVector && index.columns.includes(null))) {
    return 'its expression may refuse a row, and then it could not be made again';
  }
  if (kind === 'btree' && hasLongTexts(context, index)) return 'a long text would not fit into it, and then it could not be made again';
  return undefined;
}

function hasLongTexts(context: PlanContext, index: CatalogIndex): boolean {
  if (meanInputBytes(context) < maxRowBytesOfTexts) return false;
  const unlimited = ['text', 'varchar', 'bytea', 'json', 'jsonb', 'citext', 'numeric'];
  return (
    context.table?.columns.some(
      (column) => index.columns.includes(column.name) && unlimited.includes(column.baseName) && column.typmod < 0,
    ) ?? false
  );
}

function pays(context: PlanContext, { kind, cost }: Weighed): boolean {
  const coming = countComing(context) ?? 0;
  if (cost === undefined || cost.keepSeconds <= cost.rebuildSeconds) return false;
  return kind === 'hnsw' || coming >= minRowsToDrop;
}

function defer({ table }: PlanContext, index: CatalogIndex): DeferredIndex {
  const ddl = isInUse(table?.isLocked ?? false, index) ? index.ddl.replace(/^CREATE INDEX /u, 'CREATE INDEX CONCURRENTLY ') : index.ddl;
  return { name: index.name, ddl, drop: `DROP INDEX IF EXISTS ${quoteName(index)}` };
}

/** Others work with the table now, or a query has read this index within the last minutes: the build must not keep writers out. */
function isInUse(isLocked: boolean, index: CatalogIndex): boolean {
  return isLocked || index.isUsed;
}

function explainDropped(context: PlanContext, { index, kind, cost }: Weighed): Decision {
  const isBusy = isInUse(context.table?.isLocked ?? false, index);
  const how = isBusy ? 'made again CONCURRENTLY' : 'made again';
  const busy = isBusy ? '; the table is in use: queries go without it meanwhile, and the build keeps no writer out' : '';
  const asked = context.options.indexes === 'rebuild' ? 'as asked for; ' : '';
  const untrained = kind === 'ivfflat' && context.description?.isEmpty === true ? '; its lists are then trained on the rows that came' : '';
  return {
    what: 'index',
    choice: `${index.name} (${index.method}) dropped for the load, ${how}`,
    why: `${asked}${compare(context, cost)}${untrained}${busy}`,
  };
}

function explainKept(context: PlanContext, { index, cost, obstacle, kind }: Weighed): Decision {
  const coming = countComing(context);
  const isSmall = kind !== 'hnsw' && coming !== undefined && coming < minRowsToDrop;
  const reason = isSmall ? `under ${formatRows(minRowsToDrop)} rows come, which is soon done` : compare(context, cost);
  const why =
    obstacle === undefined
      ? reason
      : cost === undefined || cost.keepSeconds <= cost.rebuildSeconds
        ? obstacle
        : `${obstacle}; ${compare(context, cost)}`;
  return { what: 'index', choice: `${index.name} (${index.method}) kept`, why };
}

/** Both estimates, side by side. */
function compare(context: PlanContext, cost: IndexCost | undefined): string {
  if (cost === undefined) return 'how many rows come is not known';
  const rows = `${formatRows(countComing(context) ?? 0)} rows onto ${formatRows(context.existingRows)}`;
  return `${rows}: about ${formatSeconds(cost.keepSeconds)} through it, ${formatSeconds(cost.rebuildSeconds)} to build it over all of them`;
}

function listNames(indexes: readonly CatalogIndex[]): string {
  return indexes.map(({ name }) => quoteIdentifier(name)).join(', ');
}
