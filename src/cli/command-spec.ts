/** What a command is, as data: its outline, and the module that is loaded when it runs. */
import type { CommandOutline } from './command-outline.ts';
import type { Invocation } from './invocation.ts';

/** Runs a command and answers with the exit code. */
export type CommandRunner = (invocation: Invocation) => Promise<number>;

export interface CommandSpec extends CommandOutline {
  /** Shown on a terminal until there is something to show. */
  readonly waiting: string;
  readonly open: () => Promise<CommandRunner>;
}
