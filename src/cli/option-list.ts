/** The options of every command as data: how they are written, grouped and explained. Their values are checked in one place, see option-schema.ts. */

/** Descriptions name the library's defaults for the reader's sake; nothing is filled in from them. */
export interface OptionSpec {
  /** As commander reads it: `--to <url>`, `-k <count>`, `--no-cache`. */
  readonly flags: string;
  readonly description: string;
  /** May be given several times; an environment variable then holds a list with commas. */
  readonly isRepeatable?: boolean;
}

export interface OptionGroup {
  readonly title: string;
  readonly options: readonly OptionSpec[];
}

const lockTimeoutOption: OptionSpec = {
  flags: '--lock-timeout <duration>',
  description: 'how long a locked database is waited for (default: 30s)',
};

export const targetGroup: OptionGroup = {
  title: 'Where to:',
  options: [
    { flags: '--to <url>', description: 'the database, e.g. sqlite:library.db' },
    { flags: '--table <name>', description: 'the table; it is made when it is missing' },
    { flags: '--key <names>', description: 'key columns, e.g. id or a,b: the primary key of a new table' },
    {
      flags: '--mode <mode>',
      description:
        'insert, upsert, skip (existing keys stay), replace, or sync: the table becomes the mirror of the source (default: insert)',
    },
  ],
};

/** Everything else may come from a file. */
export const configGroup: OptionGroup = {
  title: 'Configuration:',
  options: [
    { flags: '-c, --config <file>', description: 'a load described in a YAML or JSON file; flags and the environment win over it' },
    { flags: '--preset <name>', description: 'options that belong together: safe, fast or small-memory; all else wins over it' },
  ],
};

export const sourceGroup: OptionGroup = {
  title: 'What the input looks like:',
  options: [
    {
      flags: '--format <name>',
      description: 'jsonl, json, csv, tsv, parquet, arrow, npy or fvecs (default: by the name, else by the content)',
    },
    { flags: '--compression <name>', description: 'gzip, zstd, brotli or none (default: by the name, else by the content)' },
    { flags: '--columns <names>', description: 'CSV: names of the fields, when there is no header line' },
    { flags: '--delimiter <character>', description: 'CSV: between fields; "tab" for a tab (default: ,)' },
    { flags: '--quote <character>', description: 'CSV: around fields; "" for none (default: ")' },
    { flags: '--null <text>', description: 'CSV: the unquoted text that means null (default: empty text)' },
    { flags: '--max-row-bytes <size>', description: 'a longer row is rejected (default: 16MiB)' },
    { flags: '--zip <file>', description: 'vectors beside the rows: row n gets vector n of this .npy or .fvecs file' },
    { flags: '--vector-field <name>', description: 'what the vectors of such a file are called (default: vector)' },
  ],
};

export const columnGroup: OptionGroup = {
  title: 'Columns:',
  options: [
    { flags: '--column <name:type>', description: 'the type of a column, e.g. age:integer or v:vector(384)', isRepeatable: true },
    { flags: '--map <target=source>', description: 'fill a column from a field with another name', isRepeatable: true },
    { flags: '--skip-column <field>', description: 'leave out a field of the input', isRepeatable: true },
  ],
};

/** Also for `resume` and `retry`, which may run where the cache of the first run is not. */
const cacheOptions: readonly OptionSpec[] = [
  { flags: '--cache <path>', description: 'where vectors are kept between loads (default: in the cache folder of the user)' },
  { flags: '--no-cache', description: 'keep no vectors between loads' },
  { flags: '--cache-max-bytes <size>', description: 'the least recently used vectors are dropped above this (default: 4GiB)' },
];

export const embedGroup: OptionGroup = {
  title: 'Embedding and index:',
  options: [
    {
      flags: '--embed <column>',
      description: 'the text column to turn into vectors; needs --with; COLUMN:INTO names where they go, and several may be given',
      isRepeatable: true,
    },
    { flags: '--with <embedder>', description: 'hash or mock' },
    { flags: '--dimensions <count>', description: 'numbers in a vector (default: 384 for hash)' },
    { flags: '--seed <number>', description: 'mock: another seed, other vectors' },
    { flags: '--into <column>', description: 'the column for the vectors (default: vector)' },
    { flags: '--empty-text <policy>', description: 'a row without text: reject or null (default: reject)' },
    { flags: '--document-prefix <text>', description: 'put before each text that is stored' },
    { flags: '--query-prefix <text>', description: 'put before each text that is searched for' },
    ...cacheOptions,
    { flags: '--metric <metric>', description: 'how vectors are compared: cosine, ip or l2 (default: cosine)' },
    { flags: '--index <what>', description: 'the vector index: hnsw, hnsw:l2 …, auto (by size), always or none (default: auto)' },
  ],
};

const lanesOption: OptionSpec = { flags: '--lanes <count>', description: 'threads, 1 to 64 (default: by cores and target)' };
const maxRejectsOption: OptionSpec = {
  flags: '--max-rejects <limit>',
  description: 'stop above this many rejected rows, e.g. 500 or 1% (default: 100,000)',
};
const maxDeletesOption: OptionSpec = {
  flags: '--max-deletes <limit>',
  description: 'mode sync: above this many rows to delete none is, e.g. 500 or 25% of the table (default: 10%, or 5 rows)',
};
/** On every command: what a person can read, a program can too. */
const jsonOption: OptionSpec = { flags: '--json', description: 'print JSON on stdout, for programs' };

export const speedGroup: OptionGroup = {
  title: 'Speed and memory:',
  options: [
    lanesOption,
    { flags: '--batch-bytes <size>', description: 'a batch is written above this size (default: 6MiB; PostgreSQL 16MiB)' },
    { flags: '--batch-rows <count>', description: 'or above this many rows (default: 20,000; PostgreSQL 50,000)' },
    lockTimeoutOption,
  ],
};

/** What keeps a load from doing harm: too many rejects, copies of private rows, the same rows twice. */
export const safetyGroup: OptionGroup = {
  title: 'Rejects and identity:',
  options: [
    maxRejectsOption,
    maxDeletesOption,
    { flags: '--rejects-without-rows', description: 'keep no copy of rejected rows' },
    { flags: '--label <name>', description: 'a name of your own: the same label never loads twice' },
    { flags: '--again', description: 'load again what was loaded before' },
  ],
};

export const loadOutputGroup: OptionGroup = {
  title: 'Output:',
  options: [
    { flags: '--progress <way>', description: 'auto, tty, plain, json or none (default: auto)' },
    { flags: '--json', description: 'print events and the summary on stdout, one JSON object a line' },
    { flags: '--report <file>', description: 'write a report: a page with charts for .html, else the summary as JSON' },
    { flags: '--no-report-rows', description: 'leave the text of rejected rows out of the page' },
    { flags: '--log <file>', description: 'write what happens as JSON lines, - for stderr' },
    { flags: '--log-level <level>', description: 'debug, info, warn or error (default: info)' },
  ],
};

export const dataOutputGroup: OptionGroup = { title: 'Output:', options: [jsonOption] };

export const batchGroup: OptionGroup = {
  title: 'Where to and how:',
  options: [
    { flags: '--to <url>', description: 'the database, e.g. sqlite:app.db' },
    { flags: '--format <name>', description: 'sql, json (an array) or jsonl (a statement a line) (default: by the name of the file)' },
    { flags: '--transaction', description: 'all or nothing: the whole file, or each unit with --unit' },
    {
      flags: '--unit <count>',
      description: 'statements that are one request and one commit (default: 1,000; with --transaction the file)',
    },
    { flags: '--on-conflict <answer>', description: 'an INSERT that meets its key: error or not-applied (default: error)' },
    { flags: '--status-rows', description: 'answers that are not_applied bring the row that is in the way' },
    {
      flags: '--max-errors <limit>',
      description: 'stop above this many statements that failed or were undone, e.g. 500 or 1% (default: 100,000)',
    },
    { flags: '--timeout <duration>', description: 'how long a unit may take; a statement that goes on is cut off (default: 5m)' },
    { flags: '--label <name>', description: 'a name of your own: the same label never runs twice' },
    { flags: '--again', description: 'run again what was run before' },
    lockTimeoutOption,
  ],
};

export const batchOutputGroup: OptionGroup = {
  title: 'Output:',
  options: [
    { flags: '--json', description: 'print the answers on stdout, a JSON object a line; the summary on stderr' },
    { flags: '--status-file <file>', description: 'write a JSON line for each statement; complete also after a crash and its resume' },
  ],
};

export const benchGroup: OptionGroup = {
  title: 'Where and how much:',
  options: [
    { flags: '--to <url>', description: 'the database; what the bench makes there is dropped again' },
    { flags: '--rows <count>', description: 'rows per way; slow ways take a sample (default: 100,000)' },
    { flags: '--dims <count>', description: 'numbers in a vector, 0 for rows without one (default: 384)' },
    { flags: '--html <file>', description: 'write a page with bars and tables as well' },
    { flags: '--only <texts>', description: 'only ways with one of these texts in name or group, e.g. copy,load' },
  ],
};

export const ledgerGroup: OptionGroup = {
  title: 'Where:',
  options: [{ flags: '--in <url>', description: 'the database with the load, e.g. sqlite:library.db' }],
};

/** What `resume` and `retry` take besides the load: everything else comes from the ledger. */
export const againGroup: OptionGroup = {
  title: 'Running it:',
  options: [lanesOption, maxRejectsOption, maxDeletesOption, lockTimeoutOption, ...cacheOptions],
};

export const searchGroup: OptionGroup = {
  title: 'Where and what:',
  options: [
    { flags: '--in <url>', description: 'the database, e.g. sqlite:library.db' },
    { flags: '--table <name>', description: 'the table to search' },
    { flags: '-k <count>', description: 'how many rows to find (default: 10)' },
    { flags: '--where <condition>', description: `only rows for which this SQL condition holds, e.g. "pos = 'n'"` },
    { flags: '--columns <names>', description: 'columns to show (default: all but vectors)' },
    { flags: '--column <name>', description: 'the vector column, when the table has several' },
    { flags: '--metric <metric>', description: 'cosine, ip or l2 (default: as the table was loaded)' },
    { flags: '--exact', description: 'compare with every row, whatever the size of the table' },
    { flags: '--ef-search <count>', description: 'candidates that an HNSW index is searched for: more finds more, and takes longer' },
    { flags: '--with <embedder>', description: 'how the query is embedded (default: as the table was loaded)' },
    { flags: '--dimensions <count>', description: 'numbers in a vector, with --with' },
    lockTimeoutOption,
  ],
};

export const serveGroup: OptionGroup = {
  title: 'Where and for whom:',
  options: [
    { flags: '--listen <address>', description: 'host and port; port 0 takes any free one (default: localhost:4001)' },
    { flags: '--auth <file>', description: "rqlite's users file: a JSON array of username, password, perms" },
    { flags: '--cert <file>', description: 'certificate for TLS, PEM; needs --key' },
    { flags: '--key <file>', description: 'its private key, PEM' },
    { flags: '--allow-origin <origin>', description: 'web pages of this origin may send requests' },
    { flags: '--read-only', description: 'nothing is written' },
    { flags: '--foreign-keys', description: 'check foreign keys (default: off, as rqlite)' },
    { flags: '--readers <count>', description: 'threads that read (default: 1)' },
  ],
};

export const serveQueueGroup: OptionGroup = {
  title: 'Queued writes:',
  options: [
    { flags: '--queue-transaction', description: 'requests that are applied together stand or fall together' },
    { flags: '--queue-capacity <count>', description: 'requests that may wait (default: 1,024)' },
    { flags: '--queue-batch-size <count>', description: 'requests that are applied together (default: 128)' },
    { flags: '--queue-timeout <duration>', description: 'how long the first of them waits for others (default: 50ms)' },
  ],
};

export const serveLimitGroup: OptionGroup = {
  title: 'Limits:',
  options: [
    { flags: '--max-body <size>', description: 'a larger body is answered with 413 (default: 256MiB)' },
    { flags: '--max-upload <size>', description: 'the same for database files and loads (default: 1TiB)' },
    { flags: '--header-timeout <duration>', description: 'how long the headers of a request may take (default: 10s)' },
    { flags: '--body-timeout <duration>', description: 'how long a body may take, and 1s for each 4KiB (default: 30s)' },
    { flags: '--idle-timeout <duration>', description: 'how long a connection may lie idle (default: 75s)' },
    { flags: '--write-timeout <duration>', description: 'how long a client may leave an answer unread (default: 60s)' },
    { flags: '--stop-timeout <duration>', description: 'how long requests in flight may take at the end (default: 30s)' },
    {
      flags: '--transaction-timeout <duration>',
      description: 'a BEGIN that no client ends is rolled back after this (default: 60s)',
    },
    { flags: '--max-connections <count>', description: 'further ones are closed at once (default: 4,096)' },
  ],
};

export const serveOutputGroup: OptionGroup = {
  title: 'Output:',
  options: [
    { flags: '--log-format <format>', description: 'json or text, on stderr (default: text)' },
    { flags: '--log-level <level>', description: 'debug (every request), info, warn or error (default: warn)' },
    jsonOption,
  ],
};

export const searchOutputGroup: OptionGroup = {
  title: 'Output:',
  options: [
    { flags: '--explain', description: 'say which way was taken, and why' },
    { flags: '--recall', description: 'measure the share of the true nearest rows that was found' },
    jsonOption,
  ],
};
