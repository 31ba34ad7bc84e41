/** The places of a batch's rows while it grows, and the way back from a row to its text in the stretch that it came from. */
import type { Places } from './batch.ts';

/** Rows of a batch that came from one stretch. `kept[i]` is the row's index in the stretch; undefined when all of them were kept. */
interface Origin {
  readonly start: number;
  readonly raw: Places['raw'];
  readonly kept: Int32Array | undefined;
}

/** Places so far, with room for more behind. */
export interface PlaceList {
  offsets: Float64Array<ArrayBuffer>;
  rows: Float64Array<ArrayBuffer>;
  lines: Float64Array<ArrayBuffer>;
  origins: Origin[];
  rowCount: number;
  /** Rows of the batch before: the room that is made at first. */
  lastRowCount: number;
}

export function createPlaceList(): PlaceList {
  return { offsets: new Float64Array(0), rows: new Float64Array(0), lines: new Float64Array(0), origins: [], rowCount: 0, lastRowCount: 0 };
}

/** Appends the first `rowCount` places of a stretch, or those at `kept`. They are copied: a stretch's own arrays may be used again. */
export function appendPlaces(list: PlaceList, places: Places, kept: number | Int32Array): void {
  const added = typeof kept === 'number' ? kept : kept.length;
  if (added === 0) return;
  const needed = list.rowCount + added;
  const capacity = needed <= list.rows.length ? list.rows.length : Math.max(needed, list.rows.length * 2, list.lastRowCount);
  list.offsets = grow(list.offsets, capacity);
  list.rows = grow(list.rows, capacity);
  list.lines = grow(list.lines, capacity);
  if (typeof kept === 'number') {
    list.offsets.set(places.offsets.subarray(0, kept), list.rowCount);
    list.rows.set(places.rows.subarray(0, kept), list.rowCount);
    list.lines.set(places.lines.subarray(0, kept), list.rowCount);
  } else {
    pick(places.offsets, kept, list.offsets.subarray(list.rowCount));
    pick(places.rows, kept, list.rows.subarray(list.rowCount));
    pick(places.lines, kept, list.lines.subarray(list.rowCount));
  }
  list.origins.push({ start: list.rowCount, raw: places.raw, kept: typeof kept === 'number' ? undefined : kept });
  list.rowCount = needed;
}

/** `transfer` frees the old buffer at once instead of leaving it to the garbage collector. */
function grow(array: Float64Array<ArrayBuffer>, capacity: number): Float64Array<ArrayBuffer> {
  return capacity === array.length ? array : new Float64Array(array.buffer.transfer(capacity * 8));
}

function pick(from: Float64Array, kept: Int32Array, to: Float64Array): void {
  for (let index = 0; index < kept.length; index++) to[index] = from[kept[index] as number] as number;
}

/** The places as a batch holds them, trimmed to their rows; the list is empty afterwards. */
export function takePlaces(list: PlaceList): Places {
  const { origins, rowCount } = list;
  const places: Places = {
    offsets: list.offsets.subarray(0, rowCount),
    rows: list.rows.subarray(0, rowCount),
    lines: list.lines.subarray(0, rowCount),
    raw: (index) => readRaw(origins, index),
  };
  Object.assign(list, createPlaceList(), { lastRowCount: rowCount });
  return places;
}

function readRaw(origins: readonly Origin[], index: number): string {
  let low = 0;
  let high = origins.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((origins[middle] as Origin).start <= index) low = middle;
    else high = middle - 1;
  }
  const origin = origins[low];
  if (origin === undefined) throw new RangeError(`no row ${index} in an empty batch`);
  const inStretch = index - origin.start;
  return origin.raw(origin.kept?.[inStretch] ?? inStretch);
}

/** The places of the rows at `kept`, in arrays of their own. */
export function pickPlaces(places: Places, kept: Int32Array): Places {
  const list = createPlaceList();
  appendPlaces(list, places, kept);
  return takePlaces(list);
}
