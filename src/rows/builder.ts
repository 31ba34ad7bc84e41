/** Turns records into batches column by column; a row with a value that does not fit is handed back and leaves no trace in any column. */
import type { CheckedRecords, Records, Stretch } from '../source/source.ts';
import type { Batch, ColumnValues, Places, Reject } from './batch.ts';
import type { ScalarFill } from './fill.ts';
import { setNull, slotBytes } from './fill.ts';
import type { PlaceList } from './place-list.ts';
import { fillFromColumn, fillVectorsFromColumn, openColumnField, type ColumnField } from './column-fill.ts';
import { appendPlaces, createPlaceList, takePlaces } from './place-list.ts';
import type { ScalarStore } from './scalar-store.ts';
import { addChunk, addScalars, compactChunk, createScalarStore, takeScalars } from './scalar-store.ts';
import type { Column, ScalarType } from './schema.ts';
import { fillFromText, fillVectorsFromText, openTextField } from './text-fill.ts';
import type { Unfit } from './unfit.ts';
import { fillFromValues, fillVectorsFromValues, openValueFields } from './value-fill.ts';
import type { VectorStore } from './vector.ts';
import { appendVectors, createVectorStore, dropVectors, reserveVectors, reuseVectors, setNullVector, takeVectors } from './vector.ts';

/** Collects records into a batch by column: every value is checked and coerced on the way in, and a row with a value that does not fit is handed back. */
export interface BatchBuilder {
  /** Rows in the batch so far. */
  readonly rowCount: number;
  /**
   * Estimated bytes that the batch so far holds: 24 a row for its places; 8 a number, boolean or null; 16 and the characters of a text (one byte each
   * from delimited text, two from objects); 4 a dimension of a vector. Text kept by the source for `places.raw` is not counted.
   */
  readonly byteCount: number;
  /** Adds the rows that fit their columns, in order, and returns a reject for each that doesn't, in order, naming its first column that is to blame. */
  add(records: Stretch): readonly Reject[];
  /** The batch so far; the builder is empty afterwards. The batch owns its arrays. */
  take(): Batch;
  /** Gives a batch back that nobody will read any more: its memory holds the vectors of a later one. */
  reuse(batch: Batch): void;
}

/** A column being built. An embedded one stays empty: the embedding stage fills it. */
type ColumnStore =
  | { readonly kind: 'scalar'; readonly column: Column; readonly type: ScalarType; readonly store: ScalarStore }
  | { readonly kind: 'vector'; readonly column: Column; readonly store: VectorStore }
  | { readonly kind: 'embedded'; readonly column: Column };

type FilledStore = Exclude<ColumnStore, { kind: 'embedded' }>;

/** Rows of the stretch at hand that don't fit: the first column to blame and why. */
type Misfits = Map<number, { readonly column: Column; readonly unfit: Unfit }>;

/** Fills one column from the stretch at hand, or from nothing where the stretch has no such field, and answers the estimated bytes. */
type Filler = (store: ColumnStore, misfits: Misfits) => number;

const placeBytes = 24;

/** Makes an empty builder for the columns; vector columns must have dimensions. */
export function createBatchBuilder(columns: readonly Column[]): BatchBuilder {
  const stores = columns.map(createStore);
  const places = createPlaceList();
  let byteCount = 0;
  return {
    get rowCount() {
      return places.rowCount;
    },
    get byteCount() {
      return byteCount;
    },
    add(records) {
      if (records.kind === 'checked') {
        takeChecked(stores, places, records);
        byteCount += records.memoryBytes;
        return [];
      }
      const misfits: Misfits = new Map();
      const fill = createFiller(records, columns);
      let added = records.rowCount * placeBytes;
      for (const store of stores) added += fill(store, misfits);
      const kept = keepFitting(stores, places, { records, misfits });
      byteCount += records.rowCount === 0 ? 0 : Math.round((added * kept) / records.rowCount);
      return makeRejects(keptPlaces(records), misfits);
    },
    take() {
      const rowCount = places.rowCount;
      const batch = { columns, values: stores.map(takeValues), rowCount, byteCount, places: takePlaces(places) };
      byteCount = 0;
      return batch;
    },
    reuse(batch) {
      batch.values.forEach((values, index) => {
        const store = stores[index];
        if (values.kind === 'vector' && store?.kind === 'vector') reuseVectors(store.store, values);
      });
    },
  };
}

/** Takes rows over that a builder for the same columns has checked. */
function takeChecked(stores: readonly ColumnStore[], places: PlaceList, { places: added, rowCount, values }: CheckedRecords): void {
  stores.forEach((store, index) => {
    const column = values[index];
    if (store.kind === 'vector' && column?.kind === 'vector') {
      reserveVectors(store.store, rowCount);
      appendVectors(store.store, column, rowCount);
    } else if (store.kind === 'scalar' && column?.kind === 'scalar') addScalars(store.store, [...column.values]);
  });
  appendPlaces(places, added, rowCount);
}

function createStore(column: Column): ColumnStore {
  if (column.isEmbedded === true) return { kind: 'embedded', column };
  if (column.type === 'vector') {
    return { kind: 'vector', column, store: createVectorStore(column.dimensions ?? 0, column.needsNorm === true) };
  }
  return { kind: 'scalar', column, type: column.type, store: createScalarStore() };
}

function createFiller(records: Records, columns: readonly Column[]): Filler {
  const { beside = [], rowCount } = records;
  const fillOwn = createOwnFiller(records, columns);
  if (beside.length === 0) return fillOwn;
  return (store, misfits) => {
    const found = store.kind === 'embedded' ? undefined : beside.find(({ field }) => field === store.column.field);
    return found === undefined ? fillOwn(store, misfits) : fillField(store, { values: found.values, type: 'vector', rowCount }, misfits);
  };
}

function createOwnFiller(records: Records, columns: readonly Column[]): Filler {
  if (records.kind === 'text') return createTextFiller(records);
  if (records.kind === 'columns') return createColumnFiller(records);
  return createValueFiller(records, columns);
}

function createColumnFiller(records: Extract<Records, { kind: 'columns' }>): Filler {
  return (store, misfits) => {
    if (store.kind === 'embedded') return 0;
    const field = openColumnField(records, store.column.field);
    if (field === undefined) return fillNulls(store, openFill(store, misfits, records.rowCount), records.rowCount);
    return fillField(store, field, misfits);
  };
}

function fillField(store: ColumnStore, field: ColumnField, misfits: Misfits): number {
  if (store.kind === 'embedded') return 0;
  const fill = openFill(store, misfits, field.rowCount);
  if (store.kind === 'scalar') return fillFromColumn(field, store.type, fill);
  fillVectorsFromColumn(field, store.store, fill);
  return field.rowCount * store.store.dimensions * 4;
}

function createTextFiller(records: Extract<Records, { kind: 'text' }>): Filler {
  return (store, misfits) => {
    if (store.kind === 'embedded') return 0;
    const fill = openFill(store, misfits, records.rowCount);
    const index = records.fields.indexOf(store.column.field);
    if (index === -1) return fillNulls(store, fill, records.rowCount);
    const field = openTextField(records, index);
    if (store.kind === 'scalar') return fillFromText(field, store.type, fill);
    fillVectorsFromText(field, store.store, fill);
    return records.rowCount * store.store.dimensions * 4;
  };
}

function createValueFiller(records: Extract<Records, { kind: 'values' }>, columns: readonly Column[]): Filler {
  const read = columns.filter((column) => column.isEmbedded !== true);
  const fields = new Map(openValueFields(records, read).map((field, index) => [read[index] as Column, field]));
  return (store, misfits) => {
    const field = fields.get(store.column);
    if (field === undefined || store.kind === 'embedded') return 0;
    const fill = openFill(store, misfits, records.rowCount);
    if (store.kind === 'scalar') return fillFromValues(field, store.type, fill);
    fillVectorsFromValues(field, store.store, fill);
    return records.rowCount * store.store.dimensions * 4;
  };
}

/** Makes room for the rows of a stretch. */
function openFill({ column, store, kind }: FilledStore, misfits: Misfits, rowCount: number): ScalarFill {
  if (kind === 'vector') reserveVectors(store, rowCount);
  return {
    values: kind === 'scalar' ? addChunk(store, rowCount) : [],
    isNullable: column.isNullable,
    isGuessed: column.isGuessed === true,
    refuse: (row, unfit) => {
      if (!misfits.has(row)) misfits.set(row, { column, unfit });
    },
  };
}

/** A field that the stretch does not have is null in every row. */
function fillNulls(store: FilledStore, fill: ScalarFill, rowCount: number): number {
  for (let row = 0; row < rowCount; row++) {
    if (store.kind === 'scalar') setNull(fill, row);
    else setNullVector(store.store, fill, row);
  }
  return rowCount * slotBytes;
}

/** Takes the misfits out of every column, notes the places of the other rows, and answers how many they are. Every column has the same length afterwards. */
function keepFitting(stores: readonly ColumnStore[], places: PlaceList, stretch: { records: Records; misfits: Misfits }): number {
  const { records, misfits } = stretch;
  if (misfits.size === 0) {
    appendPlaces(places, keptPlaces(records), records.rowCount);
    return records.rowCount;
  }
  const kept = new Int32Array(records.rowCount - misfits.size);
  for (let row = 0, to = 0; row < records.rowCount; row++) if (!misfits.has(row)) kept[to++] = row;
  const start = places.rowCount;
  const dropped = [...misfits.keys()].sort((a, b) => a - b).map((row) => start + row);
  for (const store of stores) {
    if (store.kind === 'vector') dropVectors(store.store, dropped);
    else if (store.kind === 'scalar') compactChunk(store.store, kept);
  }
  appendPlaces(places, keptPlaces(records), kept);
  return kept.length;
}

/** The places of a stretch, with the text that a refused row is kept as. */
function keptPlaces({ places, rawBeside: raw }: Records): Places {
  return raw === undefined ? places : { ...places, raw };
}

function makeRejects(places: Places, misfits: Misfits): Reject[] {
  const rows = [...misfits].sort(([a], [b]) => a - b);
  return rows.map(([index, { column, unfit }]) => ({
    code: unfit.code,
    message: unfit.message,
    column: column.name,
    row: places.rows[index] as number,
    offset: places.offsets[index] as number,
    line: places.lines[index] as number,
    raw: places.raw(index),
  }));
}

function takeValues(store: ColumnStore): ColumnValues {
  if (store.kind === 'vector') return takeVectors(store.store);
  if (store.kind === 'embedded') {
    return { kind: 'vector', dimensions: store.column.dimensions ?? 0, values: new Float32Array(0), nulls: undefined };
  }
  return { kind: 'scalar', values: takeScalars(store.store) };
}
