/** The options that say how rows are written and what may become of a table that exists, as data; see option-list.ts. */
import type { OptionGroup } from './option-list.ts';

/** What a target may be asked for; one that can't do it says so in the plan. */
export const writingGroup: OptionGroup = {
  title: 'How it is written:',
  options: [
    { flags: '--atomic', description: 'all rows become visible at once at the end, or none' },
    {
      flags: '--on-new-column <what>',
      description: 'a field without a column: ignore it, add a column, or refuse the load (default: ignore)',
    },
    {
      flags: '--on-type-change <what>',
      description: 'a value that its column can not hold: reject the row, or widen it (default: reject)',
    },
    { flags: '--indexes <way>', description: 'keep them, rebuild them after the rows, or auto: the faster (default: auto)' },
    { flags: '--vector-type <type>', description: 'PostgreSQL: vector, or halfvec at half the size, in a new table (default: vector)' },
    { flags: '--no-copy', description: 'PostgreSQL: write by INSERT instead of COPY' },
    { flags: '--unlogged', description: 'PostgreSQL: a new table without a log: faster, and empty after a crash of the server' },
    {
      flags: '--fast-session',
      description: 'PostgreSQL: commits need not wait for the disk; a crash may cost the last ones, which a resume writes again',
    },
    {
      flags: '--boot',
      description: 'rqlite: build an SQLite file here and put it in the place of the whole, empty database of a single node',
    },
  ],
};
