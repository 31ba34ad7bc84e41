/** Sets of options that belong together, by a name; each is a few, with the reason. Whatever is said besides wins over them. */
import type { OptionValue } from '../option-value.ts';

interface Preset {
  readonly why: string;
  /** By attribute name, as the command line would have them. */
  readonly values: Readonly<Record<string, OptionValue>>;
}

export const presets: Readonly<Record<string, Preset>> = {
  safe: {
    why: 'all rows become visible at once or none does, columns that the table lacks stop the load, and so does the first bad row in a hundred',
    values: { atomic: true, onNewColumn: 'refuse', maxRejects: '1%' },
  },
  fast: {
    why: 'commits need not wait for the disk where the target allows it, indexes are made after the rows, and no copy of rejected rows is kept',
    values: { fastSession: true, indexes: 'rebuild', rejectsWithoutRows: true },
  },
  'small-memory': {
    why: 'one lane and small batches: about 120 MB instead of 200',
    values: { lanes: '1', batchBytes: '1MiB' },
  },
};

export const presetNames: readonly string[] = Object.keys(presets);
