/** The options that hold a load back, as data for help: how many rows, how long, how fast. Their values are read in hold-options.ts. */
import type { OptionGroup } from './option-list.ts';

const limitOptions: OptionGroup['options'] = [
  { flags: '--limit <count>', description: 'stop, resumable, after so many rows in all: the first ones of the input' },
  { flags: '--max-duration <duration>', description: 'stop, resumable, after so long, e.g. 30m (exit code 5)' },
  {
    flags: '--rate <rate>',
    description: 'at most so many rows or bytes a second, e.g. 5000rows or 20MB; both by repeating',
    isRepeatable: true,
  },
];

/** For `resume` and `retry`. */
export const holdGroup: OptionGroup = { title: 'Limits:', options: limitOptions };

/** For `load` and `plan`, which also make tables. */
export const loadHoldGroup: OptionGroup = {
  title: 'Limits and traces:',
  options: [
    ...limitOptions,
    { flags: '--provenance', description: 'columns sluice_load, sluice_file, sluice_line say where a row came from; for sluice undo' },
  ],
};
