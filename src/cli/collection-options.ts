/** The options of `index`, `stats`, `delete` and `export`: how they are written and explained. */
import type { OptionGroup, OptionSpec } from './option-list.ts';

const inOption: OptionSpec = { flags: '--in <url>', description: 'the database, e.g. sqlite:library.db' };
const lockOption: OptionSpec = {
  flags: '--lock-timeout <duration>',
  description: 'how long a locked database is waited for (default: 30s)',
};
const jsonOption: OptionSpec = { flags: '--json', description: 'print JSON on stdout, for programs' };
const whereOption: OptionSpec = { flags: '--where <condition>', description: `rows for which this SQL condition holds, e.g. "pos = 'n'"` };
const dataGroup: OptionGroup = { title: 'Output:', options: [jsonOption] };

export const indexGroups: readonly OptionGroup[] = [
  {
    title: 'Which one:',
    options: [
      inOption,
      { flags: '--table <name>', description: 'the table (list: all tables with vectors by default)' },
      { flags: '--column <name>', description: 'the vector column, when the table has several' },
      { flags: '--name <name>', description: 'what the index is called (default: by table, column and kind)' },
      lockOption,
    ],
  },
  {
    title: 'How it is made:',
    options: [
      { flags: '--metric <metric>', description: 'cosine, ip or l2 (default: as the column was loaded)' },
      { flags: '--backend <kind>', description: 'hnsw, exact (no index: every search scans) or, in PostgreSQL, ivfflat (default: hnsw)' },
      { flags: '--m <count>', description: 'hnsw: links of a node (default: 32; PostgreSQL 16)' },
      { flags: '--ef-construction <count>', description: 'hnsw: candidates while building (default: 128; PostgreSQL 64)' },
      { flags: '--ef-search <count>', description: 'hnsw in SQLite: candidates while searching (default: 320)' },
      { flags: '--lists <count>', description: 'ivfflat: how many lists (default: 100)' },
      {
        flags: '--storage <type>',
        description:
          'how the index holds a number: SQLite i8, bf16, f16, f32; PostgreSQL f32, f16 (default: i8 for cosine up to 768 numbers, else bf16; as the column)',
      },
      { flags: '--dimensions <count>', description: 'numbers in a vector, for a column of bytes that no load told about' },
      { flags: '--threads <count>', description: 'threads, 1 to 64 (default: all cores)' },
      { flags: '--block-writers', description: 'PostgreSQL: faster, but nobody can write into the table meanwhile' },
    ],
  },
  dataGroup,
];

export const statsGroups: readonly OptionGroup[] = [
  { title: 'Where:', options: [inOption, { flags: '--table <name>', description: 'the table' }, lockOption] },
  dataGroup,
];

export const deleteGroups: readonly OptionGroup[] = [
  {
    title: 'Which rows:',
    options: [
      inOption,
      { flags: '--table <name>', description: 'the table' },
      { flags: '--key <values...>', description: 'keys of rows; for a key of several columns a JSON array each, e.g. \'[1,"a"]\'' },
      { flags: '--keys-from <file>', description: 'a file that has the key columns: JSON lines, CSV …; - for stdin with --format' },
      whereOption,
    ],
  },
  {
    title: 'Safety (these and the ones above are never taken from the environment):',
    options: [
      { flags: '--dry-run', description: 'count the rows; nothing is deleted' },
      { flags: '--max <limit>', description: 'delete none when there are more than this many, or this share, e.g. 500 or 5%' },
      { flags: '--yes', description: 'every row of the table may go' },
      lockOption,
    ],
  },
  dataGroup,
];

export const exportGroups: readonly OptionGroup[] = [
  {
    title: 'What:',
    options: [
      inOption,
      { flags: '--table <name>', description: 'the table' },
      { flags: '--columns <names>', description: 'these columns, in this order (default: all but computed ones)' },
      whereOption,
      { flags: '--limit <count>', description: 'at most so many rows' },
      lockOption,
    ],
  },
  {
    title: 'Where to:',
    options: [
      { flags: '--out <file>', description: 'a file .jsonl, .csv, .tsv, .parquet or .npy, with .gz or .zst behind; - for stdout' },
      { flags: '--format <name>', description: 'jsonl, csv, tsv, parquet or npy (default: by the name of the file; stdout: jsonl)' },
      { flags: '--ids <file>', description: 'npy: a second file (.jsonl, .csv) with the key of each vector' },
      { flags: '--force', description: 'write over a file that is there' },
    ],
  },
  { title: 'Output:', options: [{ flags: '--json', description: 'print the account as JSON (on stderr with --out -)' }] },
];
