/** Whether a load goes by way of a file: built on this machine, it takes the place of the server's whole database (`/boot`). Only when asked for, and only on one empty node. */
import { isSluiceError, SluiceError } from '../../errors.ts';
import type { Decision, TableRequest } from '../driver.ts';
import { writeStatement } from './answer.ts';
import { readJson, type JsonValue } from './json.ts';
import { sendRequest, type RqliteLink } from './link.ts';
import type { Shadow } from './shadow.ts';
import { runTransaction } from './transaction.ts';

/** What was decided about booting. */
export interface BootChoice {
  readonly isChosen: boolean;
  readonly decisions: readonly Decision[];
  readonly problems: readonly string[];
}

/** From this size on the plan names the way by file: at 1 kB a row rqlited's 234k rows/s make it about a minute. */
const worthBytes = 10_000_000_000;

/** Decides, and says why; a plan that could boot and was not told to says so where it is worth it. */
export async function planBoot(link: RqliteLink, shadow: Shadow, request: TableRequest): Promise<BootChoice> {
  const isAsked = request.options?.isBoot === true;
  const isLarge = (request.expectedBytes ?? 0) >= worthBytes;
  if (!isAsked && !isLarge) return { isChosen: false, decisions: [], problems: [] };
  if (!isAsked) {
    const obstacles = await findObstacles(link, shadow).catch(readDenial);
    const decision = {
      what: 'boot',
      choice: 'not used',
      why: 'the input is large and the node empty: --boot builds an SQLite file here and puts it in the place of the whole database',
    };
    return { isChosen: false, decisions: obstacles.length === 0 ? [decision] : [], problems: [] };
  }
  const obstacles = [...(await findObstacles(link, shadow)), ...(await findRefusals(link))];
  if (obstacles.length > 0) return { isChosen: false, decisions: [], problems: obstacles };
  return {
    isChosen: true,
    decisions: [
      {
        what: 'boot',
        choice: 'an SQLite file built on this machine, then POST /boot',
        why: '--boot was given, the node is alone and its database is empty: the file takes the place of the whole database, at the speed of its disk',
      },
    ],
    problems: [],
  };
}

/** Whoever may not ask for the nodes may load all the same, and is not told of a way that is closed to them. */
function readDenial(error: unknown): readonly string[] {
  if (isSluiceError(error, 'SLUICE_TARGET_DENIED')) return [error.message];
  throw error;
}

/**
 * Whether the server would take a file at all: hours of building are no way to find out. A GET of `/boot` asks for the permission and does nothing; a
 * transaction that fails at its end tells of a server that takes no writes.
 * @throws SLUICE_TARGET_DENIED without the permission `load`
 */
async function findRefusals(link: RqliteLink): Promise<readonly string[]> {
  await sendRequest(link, { method: 'GET', path: '/boot', isRead: true });
  const end = await runTransaction(link, [writeStatement('CREATE TABLE sluice_probe (x)', []), writeStatement('sluice_stop', [])]);
  const isWritable = end.kind === 'failed' && end.index === 1;
  return isWritable
    ? []
    : [`${link.address.label} takes no writes: ${end.kind === 'committed' ? 'a transaction that must fail did not' : end.error}.`];
}

/** Why the database may not be replaced. */
export async function findObstacles(link: RqliteLink, { file, unknownTables }: Shadow): Promise<readonly string[]> {
  const obstacles: string[] = [];
  const tables = file.db.prepare(`SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') ORDER BY name`).all();
  const names = [...tables.map((row) => String(row['name'])), ...unknownTables];
  if (names.length > 0) {
    obstacles.push(
      `--boot replaces the whole database, and ${link.address.label} has tables in it (${names.slice(0, 5).join(', ')}): load without it.`,
    );
  }
  const nodes = await readNodes(link);
  if (nodes > 1) obstacles.push(`--boot needs a node that is alone, and this cluster has ${String(nodes)}: load without it.`);
  return obstacles;
}

/** How many nodes the cluster has, those that read only among them. */
async function readNodes(link: RqliteLink): Promise<number> {
  const answer = await sendRequest(link, { method: 'GET', path: '/nodes', parameters: ['ver=2', 'nonvoters'], isRead: true });
  let json: JsonValue = null;
  if (answer.status === 200) {
    try {
      json = readJson(answer.text);
    } catch (error) {
      throw new SluiceError('SLUICE_TARGET_FAILED', `${link.address.label} gave no readable list of its nodes.`, { cause: error });
    }
  }
  const nodes = typeof json === 'object' && json !== null && 'nodes' in json ? json['nodes'] : undefined;
  if (Array.isArray(nodes)) return nodes.length;
  throw new SluiceError(
    'SLUICE_TARGET_FAILED',
    `${link.address.label} did not say which nodes it has (GET /nodes answered ${String(answer.status)}).`,
    {
      hint: 'Load without --boot.',
    },
  );
}
