/** `sluice status`: the loads of a database and how far they came. */
import type { LoadStatus } from '../load/options.ts';
import type { Invocation } from './invocation.ts';
import { toJsonLine } from './json-line.ts';
import { openLibrary } from './library.ts';
import { formatBytes, formatCount, formatShare } from './quantity.ts';
import { readSwitchRequest } from './switch-request.ts';
import { layoutTable } from './table.ts';
import { writeAll } from './terminal.ts';

/** Runs the command. @throws SLUICE_USAGE for options that can't be used, and what the ledger throws. */
export async function runStatus(invocation: Invocation): Promise<number> {
  const { stdout } = invocation.terminal;
  const { selection, isJson, isWatching } = readSwitchRequest(invocation);
  if (isWatching) return (await import('./status-watch.ts')).runStatusWatch(invocation, { selection, isJson });
  const { status } = await openLibrary();
  const loads = await status(selection);
  invocation.ready();
  if (isJson) await writeAll(stdout, [toJsonLine({ schema: 1, loads })]);
  else
    await writeAll(
      stdout,
      layoutLoads(loads, stdout.width(), stdout.colors.dim).map((line) => `${line}\n`),
    );
  return 0;
}

/** `open` are rejects that no retry has taken yet. */
const titles = ['load', 'state', 'table', 'mode', 'source', 'read', 'written', 'skipped', 'rejected', 'open', 'shards', 'bytes', 'updated'];
const numbers: ReadonlySet<string> = new Set(['read', 'written', 'skipped', 'rejected', 'open', 'shards', 'bytes']);

/** The table of loads, then the next step of each that is not done. */
export function layoutLoads(loads: readonly LoadStatus[], width: number | undefined, dim: (text: string) => string): readonly string[] {
  if (loads.length === 0) return ['no loads yet'];
  const table = layoutTable({
    columns: titles.map((title) => ({ title, align: numbers.has(title) ? 'right' : 'left' })),
    rows: loads.map(describeLoad),
    width,
    styleTitle: dim,
  });
  const unfinished = loads.filter((load) => load.state !== 'done' && load.next);
  return [...table, ...unfinished.map((load) => `→ ${load.next}`)];
}

function describeLoad(load: LoadStatus): readonly string[] {
  const { read, written, skipped, rejected } = load.counts;
  const share = load.totalBytes ? ` (${formatShare(load.bytes / load.totalBytes)})` : '';
  return [
    load.label === undefined ? load.load : `${load.load} ${load.label}`,
    load.state.replace('_', ' '),
    // Statements have no table.
    load.mode === 'batch' ? '-' : load.table,
    load.mode,
    load.source,
    ...[read, written, skipped, rejected, load.openRejects].map(formatCount),
    `${formatCount(load.shards.done)}/${formatCount(load.shards.total)}`,
    `${formatBytes(load.bytes)}${share}`,
    load.updatedAt,
  ];
}
