/** The commands as data: what each takes, its help with examples, and the module that is loaded only when it runs. */
import {
  againGroup,
  batchGroup,
  batchOutputGroup,
  benchGroup,
  columnGroup,
  configGroup,
  dataOutputGroup,
  embedGroup,
  ledgerGroup,
  loadOutputGroup,
  safetyGroup,
  searchGroup,
  searchOutputGroup,
  serveGroup,
  serveLimitGroup,
  serveOutputGroup,
  serveQueueGroup,
  sourceGroup,
  speedGroup,
  targetGroup,
} from './option-list.ts';
import { writingGroup } from './writing-options.ts';
import { holdGroup, loadHoldGroup } from './hold-list.ts';
import { checkGroup, previewGroup, writeGroup } from './check-list.ts';
import type { CommandSpec } from './command-spec.ts';
import { deepGroup } from './deep-list.ts';
import { collectionCommands } from './collection-commands.ts';
import { completionCommands } from './completion/commands.ts';
import { controlCommands } from './control-commands.ts';

export type { CommandRunner, CommandSpec } from './command-spec.ts';

/** `plan` takes all that `load` takes, so that one becomes the other by changing a word. */
const loadGroups = [configGroup, targetGroup, sourceGroup, columnGroup, embedGroup, writingGroup, speedGroup, safetyGroup, loadHoldGroup];
const loadArgument = { argument: '[load]', usage: '[load]', argumentHelp: 'id or label of a load (default: the newest that fits)' };
const fromArgument = {
  argument: '[from...]',
  usage: '<from...>',
  argumentHelp:
    'files, folders, patterns ("data/**/*.csv") or http(s) URLs to read, - for stdin, or a database such as sqlite:library.db?table=docs',
};
const streamOption = { flags: '--from <path>', description: 'the rows of a stream again, from the start; - for stdin' };
const mendedOption = { flags: '--from <path>', description: 'mended rows (JSON lines or CSV, by name), not those that were kept' };
const watchOption = { flags: '--watch', description: 'show the loads that run, each second, until none does' };

export const commands: readonly CommandSpec[] = [
  {
    name: 'load',
    ...fromArgument,
    summary: 'load rows into a table, each exactly once, and account for every one',
    waiting: 'planning',
    groups: [...loadGroups, loadOutputGroup],
    examples: [
      [
        'texts with vectors, ready to search',
        'sluice load docs.jsonl --to sqlite:library.db --table docs --key id --embed text --with hash',
      ],
      ['rows from another program', 'cat rows.csv | sluice load - --format csv --to sqlite:library.db --table people'],
      ['into PostgreSQL, by COPY', 'sluice load items.jsonl --to postgres://localhost/app --table items --key id'],
      ['new rows in, known keys updated', 'sluice load people.csv --to sqlite:library.db --table people --key id --mode upsert'],
    ],
    open: async () => (await import('./load.ts')).runLoad,
  },
  {
    name: 'plan',
    ...fromArgument,
    summary: 'show what a load would do and what is wrong with it; nothing is written',
    waiting: 'planning',
    groups: [checkGroup, writeGroup, ...loadGroups, dataOutputGroup],
    examples: [
      ['what would be loaded, and how', 'sluice plan docs.jsonl --to sqlite:library.db --table docs --key id'],
      [
        'every bad row of the whole input, and every key that comes twice',
        'sluice plan people.csv --to sqlite:library.db --table people --key id --check',
      ],
      ['the input alone, with the types that a new table would have', 'sluice plan people.csv --check'],
      ['the load as a file to edit', 'sluice plan people.csv --to sqlite:library.db --table people --write load.yaml'],
      ['the same for a program', 'sluice plan people.csv --to sqlite:library.db --table people --json'],
    ],
    open: async () => (await import('./plan.ts')).runPlan,
  },
  {
    name: 'preview',
    ...fromArgument,
    summary: 'show the first rows as they would land, with every value that changes on the way; nothing is written',
    waiting: 'reading',
    groups: [previewGroup, ...loadGroups, dataOutputGroup],
    examples: [
      ['the first ten rows, as a new table would have them', 'sluice preview people.csv'],
      ['as a table that is there would have them', 'sluice preview people.csv --to sqlite:library.db --table people --key id'],
      ['with another type for a column', 'sluice preview people.csv --to sqlite:library.db --table people --column zip:text -n 5'],
    ],
    open: async () => (await import('./preview.ts')).runPreview,
  },
  {
    name: 'batch',
    argument: '[from...]',
    usage: '<from>',
    argumentHelp: 'a file of statements (.sql, .json or .jsonl), or - for stdin',
    summary: 'run many statements, each with an answer of its own, exactly once',
    waiting: 'opening the database',
    groups: [batchGroup, batchOutputGroup],
    examples: [
      ['all or nothing', 'sluice batch statements.json --to sqlite:app.db --transaction'],
      [
        'a large script in units, resumable, with a line on each statement',
        'sluice batch changes.sql --to postgres://localhost/app --status-file changes.status.jsonl',
      ],
      ['from another program, answers as JSON lines', 'cat statements.jsonl | sluice batch - --format jsonl --to sqlite:app.db --json'],
      [
        'known keys are left as they are, and shown',
        'sluice batch new.sql --to sqlite:app.db --on-conflict not-applied --status-rows --json',
      ],
    ],
    open: async () => (await import('./batch.ts')).runBatch,
  },
  {
    name: 'search',
    argument: '[query]',
    usage: '<query>',
    argumentHelp: 'a text, or a vector as a JSON array',
    summary: 'find the rows nearest to a text',
    waiting: 'searching',
    groups: [searchGroup, searchOutputGroup],
    examples: [
      ['the five nearest rows', 'sluice search "heart attack" --in sqlite:library.db --table docs -k 5'],
      [
        'nouns only, and how they were found',
        `sluice search "heart attack" --in sqlite:library.db --table docs --where "pos = 'n'" --explain`,
      ],
    ],
    open: async () => (await import('./search.ts')).runSearch,
  },
  {
    name: 'status',
    ...loadArgument,
    argumentHelp: 'id or label of a load (default: all of them)',
    summary: 'list the loads of a database and how far they came',
    waiting: 'reading the ledger',
    groups: [{ ...ledgerGroup, options: [...ledgerGroup.options, watchOption] }, dataOutputGroup],
    examples: [
      ['all loads', 'sluice status --in sqlite:library.db'],
      ['what runs now, redrawn each second', 'sluice status --in sqlite:library.db --watch'],
      ['one load, for a program', 'sluice status nightly --in sqlite:library.db --json'],
    ],
    open: async () => (await import('./status.ts')).runStatus,
  },
  {
    name: 'verify',
    ...loadArgument,
    argumentHelp: 'id or label of a load, whose table is verified (default: the newest)',
    summary: 'check that the table holds what the ledger says (exit code 7 when not)',
    waiting: 'verifying',
    groups: [
      { ...ledgerGroup, options: [...ledgerGroup.options, { flags: '--table <name>', description: 'only loads into this table' }] },
      deepGroup,
      dataOutputGroup,
    ],
    examples: [
      ['all that was loaded into the table of the newest load', 'sluice verify --in sqlite:library.db'],
      ['one table', 'sluice verify --in sqlite:library.db --table docs'],
      ['every value against the files', 'sluice verify --deep --in sqlite:library.db --table docs'],
    ],
    open: async () => (await import('./verify.ts')).runVerify,
  },
  {
    name: 'resume',
    ...loadArgument,
    summary: 'go on with a load that was interrupted',
    waiting: 'reading the ledger',
    groups: [{ ...ledgerGroup, options: [...ledgerGroup.options, streamOption] }, againGroup, holdGroup, loadOutputGroup],
    examples: [
      ['the newest unfinished load', 'sluice resume --in sqlite:library.db'],
      ['a load that came from a pipe', 'cat rows.csv | sluice resume nightly --in sqlite:library.db --from -'],
    ],
    open: async () => (await import('./resume.ts')).runResume,
  },
  ...controlCommands,
  {
    name: 'retry',
    ...loadArgument,
    summary: 'load rejected rows again',
    waiting: 'reading the ledger',
    groups: [{ ...ledgerGroup, options: [...ledgerGroup.options, mendedOption] }, againGroup, holdGroup, loadOutputGroup],
    examples: [
      ['after the table was mended', 'sluice retry --in sqlite:library.db'],
      ['after the rows were mended', 'sluice retry --in sqlite:library.db --from mended.jsonl'],
    ],
    open: async () => (await import('./retry.ts')).runRetry,
  },
  {
    name: 'rejects',
    ...loadArgument,
    summary: 'print rejected rows as JSON lines, or their causes',
    waiting: 'reading the ledger',
    groups: [
      ledgerGroup,
      { title: 'Output:', options: [{ flags: '--summary', description: 'group by cause' }, ...dataOutputGroup.options] },
    ],
    examples: [
      ['why rows were rejected', 'sluice rejects --in sqlite:library.db --summary'],
      ['the rows, to be mended', 'sluice rejects --in sqlite:library.db > rejects.jsonl'],
    ],
    open: async () => (await import('./rejects.ts')).runRejects,
  },
  {
    name: 'report',
    ...loadArgument,
    argumentHelp: 'id or label of a load (default: the newest)',
    summary: 'show the report of a load that ran before, or write it as a page',
    waiting: 'reading the ledger',
    groups: [
      ledgerGroup,
      {
        title: 'Output:',
        options: [
          { flags: '--html <file>', description: 'write a page that opens offline: charts, rejects, plan, environment' },
          { flags: '--no-rows', description: 'leave the text of rejected rows out' },
          ...dataOutputGroup.options,
        ],
      },
    ],
    examples: [
      ['the newest load, on the terminal', 'sluice report --in sqlite:library.db'],
      ['a page to look at and to pass on', 'sluice report nightly --in sqlite:library.db --html nightly.html --no-rows'],
    ],
    open: async () => (await import('./report.ts')).runReport,
  },
  ...collectionCommands,
  {
    name: 'serve',
    argument: '[database]',
    usage: '<database>',
    argumentHelp: 'the database to serve, e.g. sqlite:app.db; it is made when it is missing',
    summary: 'serve an SQLite database over HTTP, as rqlite does',
    waiting: 'starting',
    groups: [serveGroup, serveQueueGroup, serveLimitGroup, serveOutputGroup],
    examples: [
      ['for programs on this machine', 'sluice serve sqlite:app.db --listen 127.0.0.1:4001'],
      ['for a network', 'sluice serve sqlite:app.db --listen 0.0.0.0:4001 --auth users.json --cert cert.pem --key key.pem'],
    ],
    open: async () => (await import('./serve.ts')).runServe,
  },
  {
    name: 'config',
    argument: '[action] [from...]',
    usage: 'show|schema [from...]',
    argumentHelp: 'show: the options as they take effect, with where each comes from; schema: the JSON Schema of configuration files',
    summary: 'show what flags, environment, file and preset come to',
    waiting: 'reading',
    groups: [...loadGroups, loadOutputGroup],
    examples: [
      ['where every option comes from', 'sluice config show -c load.yaml --lanes 2'],
      ['the JSON Schema of such a file', 'sluice config schema > load.schema.json'],
    ],
    open: async () => (await import('./config-command.ts')).runConfig,
  },
  ...completionCommands,
  {
    name: 'bench',
    argument: undefined,
    usage: '',
    argumentHelp: '',
    summary: 'measure the ways of writing rows side by side on your own database',
    waiting: 'preparing the rows',
    groups: [benchGroup, dataOutputGroup],
    examples: [
      ['every way, on a PostgreSQL server', 'sluice bench --to postgres://user@host/db'],
      ['a page with bars to look at', 'sluice bench --to sqlite:library.db --rows 20000 --html bench.html'],
      ['fewer and wider rows, for a program', 'sluice bench --to sqlite:library.db --rows 20000 --dims 1536 --json'],
    ],
    open: async () => (await import('./bench.ts')).runBench,
  },
];
