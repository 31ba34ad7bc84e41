/** The options of a deep verification, as data for help. Their values are read in deep-request.ts. */
import type { OptionGroup } from './option-list.ts';

export const deepGroup: OptionGroup = {
  title: 'Values:',
  options: [
    { flags: '--deep', description: 'compare every value with the source; reads the files of the loads again' },
    {
      flags: '--from <path>',
      description: "deep: the newest or named load's rows again, - for stdin (default: the files it was loaded from)",
    },
    { flags: '--show-values', description: "deep: print the source's values of rows that differ (default: places and columns only)" },
    { flags: '--lanes <count>', description: 'deep: readers side by side (default: the cores, at most 4)' },
    { flags: '--lock-timeout <duration>', description: 'how long a locked database is waited for (default: 30s)' },
  ],
};
