/** Finds a batch in the ledger or enters it: a file that was run is not run again, one that was begun goes on, and nobody guesses which it is. */
import { isSluiceError, SluiceError } from '../errors.ts';
import { findByFingerprint, findLoad, hasLedger, readLoads, readShards, type LedgerLoad } from '../ledger/reading.ts';
import { insertLoad, insertShard, reopenLoad } from '../ledger/statements.ts';
import { fingerprintLoad } from '../load/plan/fingerprint.ts';
import { nameLoad } from '../load/plan/plan.ts';
import type { Connection, TablePlan } from '../target/driver.ts';
import { parseNote, type BatchNote } from './batch-note.ts';
import { listWords } from './command-words.ts';
import type { BatchFileOptions } from './options.ts';
import type { StatementInput } from './statement-source.ts';

/** Of a batch the ledger's table is none, and nothing is made for it. */
const noTable: TablePlan = {
  table: '',
  writesTo: '',
  columns: [],
  key: [],
  mode: 'insert',
  isNew: false,
  ddl: [],
  deferredIndexes: [],
  decisions: [],
  problems: [],
  settings: { countsRows: false },
};

/** What the fingerprint of a batch has in the place of a table: no table has such a name. */
const tableOfBatches = '\0batch';

/** A batch as it stands in the ledger when a session of it begins, or why none does. */
export interface Entry {
  readonly kind: 'begins' | 'resumes' | 'nothing_to_do';
  readonly load: LedgerLoad;
  readonly note: BatchNote;
}

interface EntryRequest {
  readonly options: BatchFileOptions;
  readonly input: StatementInput;
  readonly connection: Connection;
}

/** How often the ledger is looked at again after another process entered the same batch in between. */
const maxLooks = 5;

/** @throws SLUICE_LABEL_TAKEN, SLUICE_LEDGER_VERSION */
export async function enterBatch(request: EntryRequest): Promise<Entry> {
  for (let looks = 1; ; looks++) {
    const { earlier, fingerprint, batch, count } = await findEarlier(request);
    if (earlier !== undefined && earlier.kind !== 'begins') {
      if (earlier.kind === 'resumes') await request.connection.prepare(earlier.load.load, noTable, [reopenLoad(earlier.load.load)]);
      return earlier;
    }
    try {
      return await beginBatch(request, { fingerprint, batch, count });
    } catch (error) {
      if (!isSluiceError(error, 'SLUICE_FENCED') || looks >= maxLooks) throw error;
    }
  }
}

interface Identity {
  readonly batch: string;
  readonly fingerprint: string;
  /** Batches with this fingerprint that the ledger holds. */
  readonly count: number;
}

async function findEarlier(request: EntryRequest): Promise<Identity & { readonly earlier: Entry | undefined }> {
  const { options, input, connection } = request;
  const batch = nameLoad();
  const descriptor = input.path === undefined ? undefined : { files: [input.path], options: {} };
  const named = { from: [], to: options.to, table: tableOfBatches, format: input.format, label: options.label };
  const fingerprint = await fingerprintLoad(named, descriptor, batch);
  if (!(await hasLedger(connection))) return { batch, fingerprint, count: 0, earlier: undefined };
  const same = await findByFingerprint(connection, fingerprint);
  const found =
    options.label === undefined ? (same[0] ?? (await findUnfinished(connection, input, options))) : await findLabelled(connection, options);
  const earlier = found === undefined ? undefined : await judgeEarlier(request, found);
  return { batch, fingerprint, count: same.length, earlier };
}

/** By its label, or by its id: so goes on what came from a stream. */
async function findLabelled(connection: Connection, { label = '', again }: BatchFileOptions): Promise<LedgerLoad | undefined> {
  const found = await findLoad(connection, label);
  if (found === undefined) return undefined;
  if (found.mode !== 'batch') throw labelTaken(label, `is that of load ${found.load} into ${found.table}`);
  if (again === true) throw labelTaken(label, `was run by batch ${found.load}, and a label never runs twice`);
  return found;
}

function labelTaken(label: string, what: string): SluiceError {
  return new SluiceError('SLUICE_LABEL_TAKEN', `The label ${label} ${what}.`, { hint: 'Choose another label, or leave it out.' });
}

/** An unfinished batch of the same path whose file was changed since: it goes on if what was run of it stands there yet, which reading it tells. */
async function findUnfinished(connection: Connection, input: StatementInput, { again }: BatchFileOptions): Promise<LedgerLoad | undefined> {
  if (input.path === undefined || again === true) return undefined;
  const loads = await readLoads(connection, noTable.table);
  return loads.findLast(
    (load) => load.mode === 'batch' && load.state !== 'done' && load.label === undefined && readPath(load) === input.path,
  );
}

function readPath(load: LedgerLoad): string | undefined {
  const { source } = JSON.parse(load.plan) as { readonly source?: { readonly files: readonly string[] } };
  return source?.files[0];
}

async function judgeEarlier({ options, connection }: EntryRequest, load: LedgerLoad): Promise<Entry> {
  const note = await readNote(connection, load.load);
  if (options.again === true && options.label === undefined) return { kind: 'begins', load, note };
  if (load.state !== 'done') return { kind: 'resumes', load, note };
  // What only reads is asked again for its answers, and what changed nothing may be tried again.
  return { kind: note.hasWrites || load.label !== undefined ? 'nothing_to_do' : 'begins', load, note };
}

/** Where the batch stands. */
export async function readNote(connection: Connection, batch: string): Promise<BatchNote> {
  const [shard] = await readShards(connection, batch, { limit: 1 });
  return parseNote(shard?.shard.tail ?? '', batch);
}

async function beginBatch({ options, input, connection }: EntryRequest, { batch, fingerprint, count }: Identity): Promise<Entry> {
  await connection.prepare(batch, noTable, [
    insertLoad({
      load: batch,
      label: options.label,
      fingerprint,
      source: input.name,
      table: noTable.table,
      mode: 'batch',
      plan: JSON.stringify(describePlan(batch, options, input)),
      parent: undefined,
      totalBytes: input.byteCount,
      baseRows: undefined,
      baseDigest: undefined,
      earlierCount: count,
    }),
    insertShard(batch, {
      ordinal: 0,
      file: 0,
      start: 0,
      ...(input.byteCount === undefined ? {} : { end: input.byteCount }),
      head: '',
      tail: '',
    }),
  ]);
  const load = await findLoad(connection, batch);
  if (load === undefined) throw new SluiceError('SLUICE_INTERNAL', `Batch ${batch} is not in the ledger after it was entered.`);
  return { kind: 'begins', load, note: parseNote('', batch) };
}

/** What the read verbs look for in a plan, and the command that goes on. */
function describePlan(batch: string, options: BatchFileOptions, input: StatementInput): unknown {
  return {
    schema: 1,
    sourceName: input.name,
    format: input.format,
    source: input.path === undefined ? undefined : { files: [input.path], options: {} },
    table: noTable,
    words: listWords(batch, options, input),
  };
}
