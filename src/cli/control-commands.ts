/** The commands about a load that runs elsewhere, or ran: pause, cancel, undo. */
import type { CommandSpec } from './command-spec.ts';
import { dataOutputGroup, ledgerGroup } from './option-list.ts';

const runningArgument = { argument: '[load]', usage: '[load]', argumentHelp: 'id or label of a load (default: the one that runs)' };
const yesOption = { flags: '--yes', description: 'delete the rows; without it they are only counted' };

export const controlCommands: readonly CommandSpec[] = [
  {
    name: 'pause',
    ...runningArgument,
    summary: 'let a load that runs elsewhere wait; sluice resume lets it go on',
    waiting: 'reading the ledger',
    groups: [ledgerGroup, dataOutputGroup],
    examples: [
      ['the load that runs', 'sluice pause --in sqlite:library.db'],
      ['and on it goes', 'sluice resume nightly --in sqlite:library.db'],
    ],
    open: async () => (await import('./control.ts')).runPause,
  },
  {
    name: 'cancel',
    ...runningArgument,
    summary: 'stop a load that runs elsewhere; it can be resumed',
    waiting: 'waiting for the batches in flight',
    groups: [ledgerGroup, dataOutputGroup],
    examples: [
      ['the load that runs', 'sluice cancel --in sqlite:library.db'],
      ['by its label', 'sluice cancel nightly --in postgres://localhost/app'],
    ],
    open: async () => (await import('./control.ts')).runCancel,
  },
  {
    name: 'undo',
    argument: '[load]',
    usage: '<load>',
    argumentHelp: 'id or label of the load',
    summary: 'take the rows of a load with --provenance out of its table again',
    waiting: 'counting the rows',
    groups: [{ ...ledgerGroup, options: [...ledgerGroup.options, yesOption] }, dataOutputGroup],
    examples: [
      ['how many rows would go', 'sluice undo nightly --in sqlite:library.db'],
      ['from a script', 'sluice undo nightly --in sqlite:library.db --yes'],
    ],
    open: async () => (await import('./undo.ts')).runUndo,
  },
];
