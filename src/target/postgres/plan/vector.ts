/** What vectors need of a server: the extension, a version without known faults, a type and an index that take their length. */
import type { Column } from '../../../rows/schema.ts';
import type { Decision } from '../../driver.ts';
import { maxIndexDimensions, maxStoredDimensions } from './index-cost.ts';
import { formatRows, vectorBytes, type Advice, type PlanContext } from './context.ts';

/** A row over about 2 kB is moved out of line in pieces unless its table says otherwise: 500 floats. */
const toastedBytes = 2000;

/** What a page takes in line; a larger row goes out of line whatever the table says. */
const largestInlineBytes = 8160;

export interface VectorPlan extends Advice {
  /** Statements before the table's own. */
  readonly ddl: readonly string[];
  /** Storage parameters of a table that the load makes. */
  readonly storage: string | undefined;
}

export function planVectors(context: PlanContext): VectorPlan {
  const vectors = context.request.columns.filter((column) => column.type === 'vector');
  if (vectors.length === 0) return { ddl: [], storage: undefined, decisions: [], problems: [] };
  const isMade = context.table === undefined || (context.request.changes ?? []).some(({ column }) => column.type === 'vector');
  const extension = isMade ? planExtension(context) : { ddl: [], decisions: [], problems: [] };
  const storage = planStorage(context, vectors);
  return {
    ddl: extension.ddl,
    storage: storage.parameter,
    decisions: [...extension.decisions, ...warnOfVersion(context), ...storage.decisions, ...explainPrecision(context)],
    problems: [...extension.problems, ...findLengthProblems(context, vectors), ...findTypeProblems(context, vectors)],
  };
}

interface Extension extends Advice {
  readonly ddl: readonly string[];
}

/** The extension of this database, or the one that its server could install. */
function planExtension({ link, state }: PlanContext): Extension {
  if (link.server.vectorVersion !== undefined) return { ddl: [], decisions: [], problems: [] };
  const available = state.vectorAvailable;
  if (available === null) {
    const problem = `The server has no pgvector, and the load has a vector column. Install it there (postgresql-NN-pgvector, or the extension list of the service), then: CREATE EXTENSION vector.`;
    return { ddl: [], decisions: [], problems: [problem] };
  }
  if (state.isSuperuser || (available.isTrusted && state.canCreateInDatabase)) {
    const decision = {
      what: 'extension',
      choice: `pgvector ${available.version} is made in ${state.database}`,
      why: 'the load has a vector column, and the database no type for it',
    };
    return { ddl: ['CREATE EXTENSION IF NOT EXISTS vector'], decisions: [decision], problems: [] };
  }
  const problem = `pgvector ${available.version} is on the server but not in the database ${state.database}, and the role ${state.role} may not make it. Ask an administrator to run there: CREATE EXTENSION vector.`;
  return { ddl: [], decisions: [], problems: [problem] };
}

/** Version of pgvector that the load will meet. */
function readVersion({ link, state }: PlanContext): string | undefined {
  return link.server.vectorVersion ?? state.vectorAvailable?.version;
}

/** Whether a version such as `0.8.1` is below another. */
export function isBelow(version: string, other: string): boolean {
  const [left, right] = [version, other].map((text) => text.split('.').map((part) => Number.parseInt(part, 10) || 0));
  for (let at = 0; at < 3; at++) {
    const difference = (left?.[at] ?? 0) - (right?.[at] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

/** Faults by the version that mends them. @see https://github.com/pgvector/pgvector/blob/master/CHANGELOG.md */
function warnOfVersion(context: PlanContext): readonly Decision[] {
  const version = readVersion(context);
  if (version === undefined) return [];
  const hasHnsw = context.request.index !== undefined || context.table?.indexes.some((index) => index.method === 'hnsw') === true;
  if (!hasHnsw || !isBelow(version, '0.8.4')) return [];
  const overflow =
    isBelow(version, '0.8.2') && !isBelow(version, '0.6.0')
      ? '; below 0.8.2 a parallel HNSW build may write past its memory, so it is built by one process'
      : '';
  return [
    {
      what: 'warning',
      choice: `pgvector ${version}`,
      why: `below 0.8.4 a vacuum may corrupt an HNSW index${overflow}. ALTER EXTENSION vector UPDATE, once the server has it`,
    },
  ];
}

function planStorage(
  context: PlanContext,
  vectors: readonly Column[],
): { readonly parameter: string | undefined; readonly decisions: readonly Decision[] } {
  const { table, family, wires } = context;
  const bytes = wires.reduce(
    (sum, { column, type }) => sum + (column.type === 'vector' ? vectorBytes(type.name, column.dimensions ?? 0) : 0),
    0,
  );
  if (!family.hasHeap || bytes <= toastedBytes || bytes >= largestInlineBytes) return { parameter: undefined, decisions: [] };
  const parameter = `toast_tuple_target = ${String(largestInlineBytes)}`;
  const names = vectors.map(({ name }) => name).join(', ');
  const cost = `vectors of ${formatRows(bytes)} bytes go out of line in pieces otherwise: in line they load 1.5 to 1.6 × as fast (measured); scans that skip ${names} read more`;
  if (table === undefined) return { parameter, decisions: [{ what: 'storage', choice: parameter, why: cost }] };
  if (table.options.some((option) => option.startsWith('toast_tuple_target='))) return { parameter: undefined, decisions: [] };
  const advice = {
    what: 'advice',
    choice: `ALTER TABLE ${table.name} SET (${parameter}) before the load; a table that is there is not altered unasked`,
    why: cost,
  };
  return { parameter: undefined, decisions: [advice] };
}

function explainPrecision({ options, table }: PlanContext): readonly Decision[] {
  if (options.vectorType !== 'halfvec' || table !== undefined) return [];
  return [
    {
      what: 'vectors',
      choice: 'halfvec: 16-bit floats',
      why: 'half the size, 1.7 × the load and 1.2 × the build (measured); numbers keep 3 digits, and beyond ± 65,504 a row is refused',
    },
  ];
}

function findLengthProblems({ request, wires }: PlanContext, vectors: readonly Column[]): readonly string[] {
  const tooLong = vectors.filter((column) => (column.dimensions ?? 0) > maxStoredDimensions);
  const problems = tooLong.map(
    (column) =>
      `The column ${column.name} has vectors of ${formatRows(column.dimensions ?? 0)} numbers; pgvector stores at most ${formatRows(maxStoredDimensions)}.`,
  );
  const indexed = wires.find(({ column }) => column.name === request.index?.column);
  const dimensions = indexed?.column.dimensions ?? 0;
  if (dimensions > maxIndexDimensions.halfvec) {
    problems.push(
      `pgvector indexes at most ${formatRows(maxIndexDimensions.halfvec)} numbers a vector (as halfvec; ${formatRows(maxIndexDimensions.vector)} as vector), and ${indexed?.column.name ?? ''} has ${formatRows(dimensions)}: load without --index, or with shorter vectors.`,
    );
  }
  return problems;
}

function findTypeProblems(context: PlanContext, vectors: readonly Column[]): readonly string[] {
  const version = readVersion(context);
  if (context.table !== undefined || context.options.vectorType !== 'halfvec' || version === undefined || !isBelow(version, '0.7.0'))
    return [];
  return [`pgvector ${version} has no halfvec (0.7.0 and later do), which is asked for ${vectors.map(({ name }) => name).join(', ')}.`];
}
