/** What the ledger knows of loads with the same input: it may be done already, unfinished, or in the way. */
import { findByFingerprint, findLoad, readLoads, type LedgerLoad } from '../../ledger/reading.ts';
import { isSluiceError } from '../../errors.ts';
import type { Source } from '../../source/source.ts';
import type { Connection } from '../../target/driver.ts';
import { isOver } from '../../ledger/load-state.ts';
import { writeResumeCommand } from '../control/command-text.ts';
import type { LoadOptions } from '../options.ts';
import { checkUnchanged } from './source-change.ts';
import { findSyncAtWork } from '../session/sync.ts';

/** What an earlier load in the ledger means for this one. */
export interface Earlier {
  readonly load: LedgerLoad;
  readonly what: 'nothing_to_do' | 'resumes' | 'refused';
  readonly why: string;
}

interface EarlierRequest {
  readonly options: LoadOptions;
  readonly source: Source;
  readonly connection: Connection;
  readonly fingerprint: string;
}

/** Looks for the load in the ledger, by its label or its fingerprint; `count` is how many have the same fingerprint. */
export async function findEarlier(request: EarlierRequest): Promise<{ readonly earlier: Earlier | undefined; readonly count: number }> {
  const { options, connection, fingerprint } = request;
  if (options.mode === 'sync') return findEarlierSync(request);
  const same =
    options.label === undefined ? await findByFingerprint(connection, fingerprint) : await findByLabel(connection, options.label);
  const count = (await findByFingerprint(connection, fingerprint)).length;
  // What was undone is not there any more: the same input is a new load.
  const newest = same.find((load) => load.state !== 'undone');
  if (newest !== undefined) return { earlier: judgeSame(newest, options), count };
  return { earlier: await findUnfinished(request), count };
}

/** A table is looked at anew by every sync: a finished one never stands in the way, and an unfinished one only while its source is what it was. */
async function findEarlierSync(request: EarlierRequest): Promise<{ readonly earlier: Earlier | undefined; readonly count: number }> {
  const { options, connection, fingerprint } = request;
  const count = (await findByFingerprint(connection, fingerprint)).length;
  const labelled = options.label === undefined ? undefined : (await findByLabel(connection, options.label))[0];
  if (labelled !== undefined && (labelled.table !== options.table || labelled.mode !== 'sync'))
    return { earlier: judgeSame(labelled, options), count };
  const open = (await readLoads(connection, options.table)).findLast((load) => load.mode === 'sync');
  if (open === undefined || open.state === 'done' || open.state === 'undone') return { earlier: undefined, count };
  if (options.again !== true && open.fingerprint === fingerprint && (await isUnchanged(request, open)))
    return { earlier: { load: open, what: 'resumes', why: `load ${open.load} is unfinished` }, count };
  const why = await findSyncAtWork(connection, open);
  return { earlier: why === undefined ? undefined : { load: open, what: 'refused', why }, count };
}

async function isUnchanged({ source, connection }: EarlierRequest, open: LedgerLoad): Promise<boolean> {
  try {
    await checkUnchanged(connection, source, open);
    return true;
  } catch (error) {
    if (isSluiceError(error, 'SLUICE_SOURCE_CHANGED')) return false;
    throw error;
  }
}

async function findByLabel(connection: Connection, label: string): Promise<readonly LedgerLoad[]> {
  const found = await findLoad(connection, label);
  return found === undefined || found.label !== label ? [] : [found];
}

function judgeSame(load: LedgerLoad, options: LoadOptions): Earlier | undefined {
  if (options.label !== undefined && (load.table !== options.table || load.mode !== (options.mode ?? 'insert'))) {
    return {
      load,
      what: 'refused',
      why: `The label ${options.label} belongs to load ${load.load} into ${load.table} (mode ${load.mode}); choose another label.`,
    };
  }
  if (options.again === true) {
    return options.label === undefined
      ? undefined
      : {
          load,
          what: 'refused',
          why: `The label ${options.label} was loaded by ${load.load}, and a label never loads twice; leave the label out or choose another one.`,
        };
  }
  return load.state === 'done'
    ? { load, what: 'nothing_to_do', why: `load ${load.load} did it` }
    : { load, what: 'resumes', why: `load ${load.load} is unfinished` };
}

/** An unfinished load of the same file into the same table: it goes on if the file is what it was, else somebody has to decide. */
async function findUnfinished({ options, source, connection }: EarlierRequest): Promise<Earlier | undefined> {
  if (source.descriptor === undefined || options.again === true) return undefined;
  const loads = await readLoads(connection, options.table);
  const open = loads.filter((load) => !isOver(load.state) && load.source === source.name && load.label === options.label).at(-1);
  if (open === undefined) return undefined;
  return {
    load: open,
    what: 'refused',
    why: `Load ${open.load} of ${source.name} into ${options.table} is unfinished, and the file or the options differ from then: finish it with "${writeResumeCommand(options.to, open.load)}", or begin anew with --again.`,
  };
}
