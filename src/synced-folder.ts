/** Makes the names in a folder durable: what was renamed or made there is there after a power cut. Windows can't open a folder, and keeps names durable on its own. */
import { open } from 'node:fs/promises';

export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
