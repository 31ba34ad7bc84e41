/** The kept rows of refused rows as a source: a retry reads them in the order of the input, and knows where each stood. */
import { Readable } from 'node:stream';
import { findLoad, type Reader } from '../../ledger/reading.ts';
import { readRejects } from '../../ledger/rejects.ts';
import { openSource } from '../../source/open.ts';
import type { Source, SourceInput } from '../../source/source.ts';
import { connect } from '../../target/registry.ts';
import { hasProvenance } from '../lane/row-origin.ts';
import { parseRunPlan, type RunPlan } from '../plan/run-plan.ts';

/** Where a row stood at first. */
interface RowOrigin {
  readonly file: string;
  readonly line: number | null;
}

export interface RejectSource {
  readonly parent: string;
  /** The load that adopted them: what it adopted stays the same, however often it is read again. */
  readonly child: string;
  readonly run: RunPlan;
  /** How their text is read. */
  readonly options: RunPlan['sourceOptions'];
}

/**
 * They are handed over as bytes, which are not looked at before they are read: when the source is opened for a new retry, that retry has not adopted its rows yet.
 */
export async function openRejects(target: string, request: RejectSource): Promise<Source> {
  const { options, parent, run } = request;
  // One entry a row, and there are no more rows than the reject limit let into the ledger.
  const origins: RowOrigin[] | undefined = hasProvenance(run.table.columns) ? [] : undefined;
  const input: SourceInput = Readable.from(streamRejects(target, request, origins), { objectMode: false });
  const source = await openSource(input, options);
  const name = `refused rows of ${parent}`;
  return origins === undefined ? { ...source, name } : { ...source, name, originOf: (row) => origins[row] };
}

async function* streamRejects(target: string, { parent, child }: RejectSource, origins: RowOrigin[] | undefined): AsyncGenerator<string> {
  const connection = await connect(target, { isReadOnly: true });
  try {
    const nameFile = origins === undefined ? undefined : await readFileNames(connection, parent);
    for await (const { file, isCut, line, raw } of readRejects(connection, parent, child)) {
      if (raw === null || isCut) continue;
      if (nameFile !== undefined) origins?.push({ file: nameFile(Number(file)), line });
      yield `${raw}\n`;
    }
  } finally {
    await connection.close();
  }
}

async function readFileNames(reader: Reader, load: string): Promise<(file: number) => string> {
  const found = await findLoad(reader, load);
  const run = found === undefined ? undefined : parseRunPlan(found.plan, load);
  return (file) => run?.source?.files[file] ?? run?.sourceName ?? '';
}
