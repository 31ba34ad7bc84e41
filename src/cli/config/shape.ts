/**
 * What a configuration file may hold, as data: each key stands for an option of the command line, which checks its value and explains it. The JSON Schema is made
 * from the same tree.
 */

/** How a value is written in the file, and becomes the text that the option takes. */
export type Kind =
  | { readonly kind: 'text' | 'count' | 'size' | 'duration' | 'path' | 'paths' | 'url' }
  | { readonly kind: 'limit'; readonly share: boolean }
  | { readonly kind: 'switch'; /** The option that the opposite is: `copy: false` is `--no-copy`. */ readonly isNegated?: boolean }
  | { readonly kind: 'choice'; readonly choices: readonly string[] }
  /** A list, or one text with commas. */
  | { readonly kind: 'names' | 'texts' }
  | { readonly kind: 'columns' };

/** A key. `option` is the long name of the option, without dashes. */
export type Leaf = Kind & { readonly option: string; readonly description?: string };

export interface Branch {
  readonly description: string;
  readonly keys: Shape;
}

export type Shape = Readonly<Record<string, Leaf | Branch>>;

export function isBranch(entry: Leaf | Branch): entry is Branch {
  return 'keys' in entry;
}

const text = (option: string): Leaf => ({ kind: 'text', option });
const count = (option: string): Leaf => ({ kind: 'count', option });
const size = (option: string): Leaf => ({ kind: 'size', option });
const duration = (option: string): Leaf => ({ kind: 'duration', option });
const path = (option: string): Leaf => ({ kind: 'path', option });
const names = (option: string): Leaf => ({ kind: 'names', option });
const flag = (option: string): Leaf => ({ kind: 'switch', option });
const limit = (option: string, share: boolean): Leaf => ({ kind: 'limit', share, option });
const choice = (option: string, ...choices: readonly string[]): Leaf => ({ kind: 'choice', option, choices });

export const loadShape: Shape = {
  from: {
    kind: 'paths',
    option: 'from',
    description: 'what to read: a file, a pattern, a folder, an http(s) URL, a database, or a list of them',
  },
  to: { kind: 'url', option: 'to' },
  password: {
    kind: 'text',
    option: 'password',
    description: 'the password of the database, as env:NAME or file:PATH rather than in the clear',
  },
  table: text('table'),
  key: names('key'),
  mode: choice('mode', 'insert', 'upsert', 'skip', 'replace', 'sync'),
  label: text('label'),
  again: flag('again'),
  preset: { kind: 'choice', option: 'preset', choices: ['safe', 'fast', 'small-memory'] },
  source: {
    description: 'what the input looks like, where its name and content do not say',
    keys: {
      format: text('format'),
      compression: choice('compression', 'none', 'gzip', 'zstd', 'brotli'),
      fields: { ...names('columns'), description: 'CSV: names of the fields, when there is no header line' },
      delimiter: text('delimiter'),
      quote: text('quote'),
      null: text('null'),
      'max-row-bytes': size('max-row-bytes'),
      zip: path('zip'),
      'vector-field': text('vector-field'),
    },
  },
  columns: {
    kind: 'columns',
    option: 'column',
    description: 'by column: its type, or { type, from } with the field that fills it; columns that are not named keep what sluice finds',
  },
  skip: { ...names('skip-column'), kind: 'texts' },
  embed: {
    description: 'texts to turn into vectors',
    keys: {
      column: { kind: 'texts', option: 'embed' },
      with: text('with'),
      dimensions: count('dimensions'),
      seed: count('seed'),
      into: text('into'),
      'empty-text': choice('empty-text', 'reject', 'null'),
      'document-prefix': text('document-prefix'),
      'query-prefix': text('query-prefix'),
      cache: { kind: 'path', option: 'cache', description: 'where vectors are kept between loads; false for nowhere' },
      'cache-max-bytes': size('cache-max-bytes'),
    },
  },
  index: text('index'),
  metric: choice('metric', 'cosine', 'ip', 'l2'),
  target: {
    description: 'how the table is made and written',
    keys: {
      atomic: flag('atomic'),
      indexes: choice('indexes', 'auto', 'keep', 'rebuild'),
      'vector-type': choice('vector-type', 'vector', 'halfvec'),
      copy: { kind: 'switch', option: 'copy', isNegated: true, description: 'false: written by INSERT instead of COPY' },
      unlogged: flag('unlogged'),
      'fast-session': flag('fast-session'),
      boot: flag('boot'),
      'on-new-column': choice('on-new-column', 'add', 'refuse', 'ignore'),
      'on-type-change': choice('on-type-change', 'widen', 'reject'),
      provenance: flag('provenance'),
    },
  },
  speed: {
    description: 'how many at once, and how much',
    keys: {
      lanes: count('lanes'),
      'batch-bytes': size('batch-bytes'),
      'batch-rows': count('batch-rows'),
      'lock-timeout': duration('lock-timeout'),
      rate: { kind: 'texts', option: 'rate' },
    },
  },
  limits: {
    description: 'when a load stops',
    keys: {
      'max-rejects': limit('max-rejects', true),
      'max-deletes': limit('max-deletes', true),
      'rejects-without-rows': flag('rejects-without-rows'),
      limit: limit('limit', false),
      'max-duration': duration('max-duration'),
    },
  },
  output: {
    description: 'what is told, and where',
    keys: {
      report: path('report'),
      'report-rows': {
        kind: 'switch',
        option: 'report-rows',
        isNegated: true,
        description: 'false: the page holds no text of rejected rows',
      },
      progress: choice('progress', 'auto', 'tty', 'plain', 'json', 'none'),
      log: path('log'),
      'log-level': choice('log-level', 'debug', 'info', 'warn', 'error'),
      json: flag('json'),
    },
  },
};
