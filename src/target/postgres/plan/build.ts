/** Forecasts the index builds at the end of a load: memory, processes, time and disk, and the settings that the build is run with. */
import { availableParallelism } from 'node:os';
import type { Decision, DeferredIndex } from '../../driver.ts';
import { isLocal } from './advice.ts';
import { estimateHnswSeconds, forecastHnswDisk, forecastHnswMemory, maxIndexDimensions, spillFactor } from './index-cost.ts';
import { countComing, formatRows, formatSeconds, formatSize, type PlanContext } from './context.ts';
import { isBelow } from './vector.ts';
import type { PostgresSettings } from '../settings.ts';

interface BuildPlan {
  readonly decisions: readonly Decision[];
  readonly settings: { readonly buildMemoryKb?: number; readonly buildWorkers?: number };
}

/** The forecast is a mean over users' reports; a tenth more keeps a build from spilling in its last rows. */
const memoryMargin = 1.1;

/** What a container has of /dev/shm unless it is told otherwise. */
const containerShmBytes = 64 * 1024 * 1024;

/** An HNSW index that will be built: dropped for the load, or asked for. */
interface ComingIndex {
  readonly name: string;
  readonly rows: number;
  readonly dimensions: number;
  readonly isHalf: boolean;
}

/** Processes of a build, the leader included: the server's setting, on this machine its cores. */
export function countProcesses(context: PlanContext): number {
  return 1 + (chooseWorkers(context) ?? context.state.maintenanceWorkers);
}

/** undefined: as the server is set. More processes than cores only take memory. */
function chooseWorkers({ link, state, family }: PlanContext): number | undefined {
  if (family.hasOneSession === true) return 0;
  const version = link.server.vectorVersion ?? state.vectorAvailable?.version;
  // The leader alone: below 0.8.2 a parallel build may write past its memory.
  if (version !== undefined && isBelow(version, '0.8.2')) return 0;
  if (!isLocal(link)) return undefined;
  return Math.max(0, Math.min(availableParallelism() - 1, state.parallelWorkers, state.workerProcesses));
}

export function planBuild(context: PlanContext, publish: PostgresSettings['publish'], deferred: readonly DeferredIndex[]): BuildPlan {
  const isRemade = (name: string): boolean => publish === 'swap' || deferred.some((each) => each.name === name);
  const coming = [...listRemade(context, isRemade), ...listWanted(context)];
  if (coming.length === 0) return { decisions: [], settings: {} };
  const { state } = context;
  const largest = coming.reduce((best, each) => (forecast(each) > forecast(best) ? each : best));
  const neededKb = Math.ceil((forecast(largest) * memoryMargin) / 1024);
  // A server is given about a quarter of its memory as shared_buffers, so as much again can be lent to one build.
  const allowedKb = Math.max(state.maintenanceWorkMemKb, state.sharedBuffersKb);
  const raises = neededKb > state.maintenanceWorkMemKb && neededKb <= allowedKb;
  const workers = chooseWorkers(context);
  return {
    settings: { ...(raises ? { buildMemoryKb: neededKb } : {}), ...(workers === undefined ? {} : { buildWorkers: workers }) },
    decisions: coming.map((each) => explainBuild(context, each)),
  };
}

function forecast({ rows, dimensions, isHalf }: ComingIndex): number {
  return forecastHnswMemory(rows, dimensions, isHalf);
}

function countFinal(context: PlanContext): number | undefined {
  const coming = countComing(context);
  if (coming === undefined) return undefined;
  return coming + (context.request.mode === 'replace' ? 0 : context.existingRows);
}

function listRemade(context: PlanContext, isRemade: (name: string) => boolean): readonly ComingIndex[] {
  const rows = countFinal(context);
  if (rows === undefined) return [];
  const remade = context.table?.indexes.filter((index) => index.method === 'hnsw' && isRemade(index.name)) ?? [];
  return remade.map((index) => describeIndex(context, { name: index.name, column: index.columns[0] ?? '', rows }));
}

function listWanted(context: PlanContext): readonly ComingIndex[] {
  const { index } = context.request;
  const rows = countFinal(context);
  if (index === undefined || rows === undefined) return [];
  const standing = context.table?.indexes.some((each) => each.method === 'hnsw' && each.columns[0] === index.column) === true;
  return standing ? [] : [describeIndex(context, { name: `of ${index.column}`, column: index.column, rows })];
}

function describeIndex(
  { wires }: PlanContext,
  { name, column, rows }: { readonly name: string; readonly column: string; readonly rows: number },
): ComingIndex {
  const wire = wires.find((each) => each.column.name === column);
  const dimensions = wire?.column.dimensions ?? Math.max(0, wire?.type.typmod ?? 0);
  // Longer vectors are indexed as 16-bit floats.
  return { name, rows, dimensions, isHalf: wire?.type.name === 'halfvec' || dimensions > maxIndexDimensions.vector };
}

function explainBuild(context: PlanContext, coming: ComingIndex): Decision {
  const { state, family } = context;
  const { rows, dimensions, isHalf, name } = coming;
  const processes = countProcesses(context);
  const memory = forecast(coming);
  const neededKb = Math.ceil((memory * memoryMargin) / 1024);
  const allowedKb = Math.max(state.maintenanceWorkMemKb, state.sharedBuffersKb);
  const spills = neededKb > allowedKb;
  const seconds = estimateHnswSeconds(rows, dimensions, processes) * (spills ? spillFactor : 1) * (family.buildFactor ?? 1);
  const half = isHalf && dimensions > maxIndexDimensions.vector ? ', as halfvec (vectors are indexed up to 2,000 numbers)' : '';
  const size = `${formatRows(rows)} × ${formatRows(dimensions)}: the graph takes about ${formatSize(memory)}, maintenance_work_mem is ${formatSize(state.maintenanceWorkMemKb * 1024)}`;
  const fit = spills
    ? `it spills, ${String(spillFactor)} × slower: SET maintenance_work_mem to ${formatSize(neededKb * 1024)} for the role if the server has it free`
    : neededKb > state.maintenanceWorkMemKb
      ? `raised to ${formatSize(neededKb * 1024)} for the build, or it would spill and take ${String(spillFactor)} × as long`
      : 'it fits';
  const shared =
    processes > 1 && state.sharedMemoryType === 'posix' && memory > containerShmBytes
      ? '; a parallel build needs as much of /dev/shm (docker: --shm-size)'
      : '';
  return {
    what: 'index build',
    choice: `HNSW ${name}: about ${formatSeconds(seconds)}, ${String(processes)} ${processes === 1 ? 'process' : 'processes'}, ${formatSize(forecastHnswDisk(rows, dimensions, isHalf))} of disk${half}`,
    why: `${size}; ${fit}${shared}`,
  };
}
