/** What help and completion tell of a command, as data: its name, what it takes, what it is for. */
import type { OptionGroup } from './option-list.ts';

export interface CommandOutline {
  readonly name: string;
  /** As commander reads it. Required ones are checked with the options, so that everything missing is told at once. */
  readonly argument: string | undefined;
  /** The argument as help shows it. */
  readonly usage: string;
  readonly argumentHelp: string;
  readonly summary: string;
  readonly groups: readonly OptionGroup[];
  /** Not listed by help: for programs. */
  readonly isHidden?: boolean;
  /** What it does, and the command that does it. */
  readonly examples: readonly (readonly [what: string, command: string])[];
}
