/** How many sessions a server has room for now: its cores where they can be known, and never a connection that others need. */
import { availableParallelism } from 'node:os';
import type { LaneAdvice } from '../../driver.ts';
import { readServerState, type ServerState } from '../catalog/server.ts';
import { recognizeFamily } from './family.ts';
import type { PgLink } from '../link.ts';

/** Past the server's cores sessions gain nothing (4 on 2 cores: no further gain), and more than this only stand in each other's way at the table's end. */
const maxLanes = 8;

/** Connections left free for others, and for the load's own: one that plans and finishes, one that watches an index. */
const spareConnections = 3;

/** Where the client can't know the server's cores: enough to keep one busy while another waits for its log. */
const remoteLanes = 4;

/** Lanes by cores and by the connections that are left. */
export async function adviseLanes(link: PgLink): Promise<LaneAdvice> {
  return adviseFor(link, await readServerState(link));
}

/** The same from a state that was read before. */
export function adviseFor(link: Pick<PgLink, 'place' | 'server'>, state: ServerState): LaneAdvice {
  const family = recognizeFamily(link.server, state);
  const byCores = adviseByCores(link, state);
  const free = countFree(state);
  const limits: readonly LaneAdvice[] = [
    byCores,
    { lanes: free.lanes, why: free.why },
    ...(family.maxLanes === undefined ? [] : [{ lanes: family.maxLanes, why: `${family.name} takes no more` }]),
  ];
  const least = limits.reduce((best, each) => (each.lanes < best.lanes ? each : best));
  return { lanes: Math.max(1, least.lanes), why: least.why };
}

/** Whether the server runs on this machine: an address of the loopback, a socket's folder, or in process. */
export function isLocal({ place }: Pick<PgLink, 'place'>): boolean {
  return /^(?:localhost|127\.\d+\.\d+\.\d+|\[?::1\]?)(?::|\/|$)/u.test(place) || /^[/.~]/u.test(place);
}

function adviseByCores(link: Pick<PgLink, 'place'>, state: ServerState): LaneAdvice {
  const own = availableParallelism();
  if (isLocal(link)) {
    const lanes = Math.min(own, maxLanes);
    return { lanes, why: `one per core of this machine (${String(own)}), where the server runs too` };
  }
  const hint = Math.min(state.parallelWorkers, state.workerProcesses);
  const lanes = Math.max(1, Math.min(hint, own, remoteLanes));
  return {
    lanes,
    why: `the server's cores can't be asked; it allows ${String(hint)} parallel workers, this machine has ${String(own)} cores, and ${String(remoteLanes)} sessions keep a server busy`,
  };
}

function countFree(state: ServerState): LaneAdvice {
  const reserved = state.isSuperuser ? 0 : state.reservedConnections;
  const places = [
    { name: 'max_connections', limit: state.maxConnections - reserved, used: state.usedConnections },
    ...(state.roleLimit < 0 ? [] : [{ name: `the connection limit of role ${state.role}`, limit: state.roleLimit, used: state.roleUsed }]),
    ...(state.databaseLimit < 0
      ? []
      : [{ name: `the connection limit of database ${state.database}`, limit: state.databaseLimit, used: state.databaseUsed }]),
  ];
  const tightest = places.reduce((best, each) => (each.limit - each.used < best.limit - best.used ? each : best));
  const free = Math.max(0, tightest.limit - tightest.used);
  return {
    lanes: Math.max(1, free - spareConnections),
    why: `${tightest.name} leaves ${String(free)} connections, of which ${String(spareConnections)} stay free`,
  };
}
