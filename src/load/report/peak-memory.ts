/** The most memory that this process ever held at once. */
import { readFileSync } from 'node:fs';

/** Bytes. Linux tells it of this process alone; `resourceUsage` may count what a parent held before it became this process. */
export function readPeakRss(): number {
  const status = process.platform === 'linux' ? readStatus() : '';
  const kibibytes = /^VmHWM:\s+(\d+) kB$/mu.exec(status)?.[1];
  return (kibibytes === undefined ? process.resourceUsage().maxRSS : Number(kibibytes)) * 1024;
}

function readStatus(): string {
  try {
    return readFileSync('/proc/self/status', 'utf8');
  } catch {
    // A container may hide /proc; the other figure is there everywhere.
    return '';
  }
}
