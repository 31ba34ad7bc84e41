/** The commands about tables as collections: index, stats, delete, export. */
import { deleteGroups, exportGroups, indexGroups, statsGroups } from './collection-options.ts';
import type { CommandSpec } from './command-spec.ts';

const noArgument = { argument: undefined, usage: '', argumentHelp: '' };

export const collectionCommands: readonly CommandSpec[] = [
  {
    name: 'index',
    argument: '[action]',
    usage: '<create|rebuild|drop|list>',
    argumentHelp: 'create, rebuild, drop or list',
    summary: 'make, rebuild, drop or list vector indexes',
    waiting: 'opening the database',
    groups: indexGroups,
    examples: [
      ['what there is, and whether it is fresh', 'sluice index list --in sqlite:library.db'],
      ['an index, with more links than usual', 'sluice index create --in sqlite:library.db --table docs --column vector --m 48'],
      ['made anew, as it was', 'sluice index rebuild --in sqlite:library.db --table docs'],
      [
        'on a table that something else filled',
        'sluice index create --in postgres://localhost/app --table items --column embedding --metric l2',
      ],
    ],
    open: async () => (await import('./index-command.ts')).runIndex,
  },
  {
    name: 'stats',
    ...noArgument,
    summary: 'a table in numbers: rows, vectors, indexes, loads',
    waiting: 'counting',
    groups: statsGroups,
    examples: [
      ['one table', 'sluice stats --in sqlite:library.db --table docs'],
      ['the same for a program', 'sluice stats --in postgres://localhost/app --table items --json'],
    ],
    open: async () => (await import('./stats.ts')).runStats,
  },
  {
    name: 'delete',
    ...noArgument,
    summary: 'delete rows by key or condition, all or none, and keep the index right',
    waiting: 'counting',
    groups: deleteGroups,
    examples: [
      ['how many rows would go', `sluice delete --in sqlite:library.db --table docs --where "pos = 'n'" --dry-run`],
      ['rows by key', 'sluice delete --in sqlite:library.db --table docs --key 17 18'],
      ['by a file of keys, at most 5 % of the table', 'sluice delete --in sqlite:library.db --table docs --keys-from gone.csv --max 5%'],
    ],
    open: async () => (await import('./delete.ts')).runDelete,
  },
  {
    name: 'export',
    ...noArgument,
    summary: 'write a table into a file that can be loaded again, exactly',
    waiting: 'opening the database',
    groups: exportGroups,
    examples: [
      ['everything, packed', 'sluice export --in sqlite:library.db --table docs --out docs.jsonl.zst'],
      ['vectors for NumPy, with their keys', 'sluice export --in sqlite:library.db --table docs --out vectors.npy --ids ids.csv'],
      [
        'some rows, into another program',
        `sluice export --in sqlite:library.db --table docs --where "pos = 'n'" --format csv --out - | head`,
      ],
    ],
    open: async () => (await import('./export.ts')).runExport,
  },
];
