/** Notices that the database's file is no longer the one that was opened: what is written to a file without a name is lost with the process. */
import { statSync } from 'node:fs';
import { SluiceError } from '../../errors.ts';

function readIdentity(file: string): string | undefined {
  const stats = statSync(file, { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? undefined : `${String(stats.dev)}:${String(stats.ino)}`;
}

/** Remembers the file; what it answers throws SLUICE_TARGET_FAILED once another one, or none, stands in its place. A call takes some 3 µs. */
export function rememberFile(file: string): () => void {
  const opened = readIdentity(file);
  return () => {
    if (readIdentity(file) === opened) return;
    throw new SluiceError('SLUICE_TARGET_FAILED', `The database file ${file} was deleted, moved or replaced while it was served.`, {
      hint: 'What was written since then is not in the file at that place. Stop the server, put the right file there, and start it again; /boot and /db/load replace a database that is served.',
    });
  };
}
