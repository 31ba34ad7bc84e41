/** 16-bit floats: rounded to the nearest, ties to even, as pgvector does; what would become infinite is found before. */

/** The smallest magnitude that rounds beyond the largest half (65,504). */
const firstOverflow = 65_520;

/** Whether each of the floats from `start` to `end` (exclusive) has a finite half. */
export function fitsHalf(values: Float32Array, start: number, end: number): boolean {
  for (let index = start; index < end; index++) {
    const value = values[index] as number;
    if (value >= firstOverflow || value <= -firstOverflow) return false;
  }
  return true;
}

/** The halves of `values`, in the platform's byte order, into `halves` (as long). Node's own conversion: 2.2–2.5 GB/s of float32, encoding included. */
export function convertToHalf(values: Float32Array, halves: Float16Array): void {
  halves.set(values);
}
