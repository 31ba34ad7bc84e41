/** The commands of completion: the one that prints a script, and the one that the script asks. */
import type { CommandSpec } from '../command-spec.ts';

export const completionCommands: readonly CommandSpec[] = [
  {
    name: 'completion',
    argument: '[shell]',
    usage: 'bash|zsh|fish',
    argumentHelp: 'the shell to print a script for',
    summary: 'make a shell complete commands, options, tables and loads',
    waiting: 'writing',
    groups: [],
    examples: [
      ['for bash, in this shell or in ~/.bashrc', 'eval "$(sluice completion bash)"'],
      ['for fish', 'sluice completion fish | source'],
    ],
    open: async () => (await import('./command.ts')).runCompletion,
  },
  {
    name: 'complete',
    argument: undefined,
    usage: '',
    argumentHelp: '',
    summary: 'what may stand at the end of a line; asked by the scripts of sluice completion',
    waiting: '',
    isHidden: true,
    groups: [{ title: 'Line:', options: [{ flags: '--line <text>', description: 'the line up to the cursor' }] }],
    examples: [
      ['commands', 'sluice complete --line "sluice lo"'],
      ['tables', 'sluice complete --line "sluice load x --to sqlite:library.db --table "'],
    ],
    open: async () => (await import('./command.ts')).runComplete,
  },
];
