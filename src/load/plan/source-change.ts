/** Whether a source is still what it was when a load of it began; what differs is named. */
import { SluiceError } from '../../errors.ts';
import { readShards, type LedgerLoad } from '../../ledger/reading.ts';
import { readJoined } from '../../rows/joined-place.ts';
import type { Shard, Source } from '../../source/source.ts';
import type { Connection } from '../../target/driver.ts';

/** The shards that were planned must still have their first and last bytes; the first that does not is named. @throws SLUICE_SOURCE_CHANGED */
export async function checkUnchanged(connection: Connection, source: Source, found: LedgerLoad): Promise<void> {
  if (!source.isSeekable) return;
  const shards: Shard[] = (await readShards(connection, found.load)).map((shard) => shard.shard);
  // The size of a database is an estimate; what of it may not change, its shards say themselves.
  const isMeasured = source.descriptor?.identity === undefined;
  if (isMeasured && found.totalBytes !== undefined && source.byteCount !== undefined && source.byteCount !== found.totalBytes) {
    throw changed(source, found, `it has ${String(source.byteCount)} bytes, and had ${String(found.totalBytes)}`);
  }
  const different = await source.changed(shards);
  const first = different[0];
  if (first === undefined) return;
  throw changed(
    source,
    found,
    `${nameShard(source, first)} differs${different.length > 1 ? `, and ${String(different.length - 1)} more` : ''}`,
  );
}

function nameShard({ descriptor }: Source, shard: Shard): string {
  const { end, file, ordinal, start } = shard;
  const name = `shard ${String(ordinal)}`;
  const count = readJoined(shard)?.length;
  if (count !== undefined) return `${name} (${String(count)} files from ${descriptor?.files[file] ?? `file ${String(file)}`} on)`;
  return descriptor?.identity === undefined ? `${name} (bytes ${String(start)} to ${String(end ?? 'the end')})` : name;
}

function changed(source: Source, found: LedgerLoad, what: string): SluiceError {
  return new SluiceError('SLUICE_SOURCE_CHANGED', `${source.name} has changed since load ${found.load} began: ${what}.`, {
    hint: 'Put the file back as it was and resume, or load the new one as a load of its own with --again.',
  });
}
