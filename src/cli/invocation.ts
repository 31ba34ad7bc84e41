/** One call of a command, as plain data: what was asked for and where each value came from, before any of it is checked. */
import type { CommandOutline } from './command-outline.ts';
import type { FileSource } from './config/layers.ts';
import type { OptionValue, Origin } from './option-value.ts';
import type { Terminal } from './terminal.ts';

export type { OptionValue };

export interface Invocation {
  readonly command: string;
  readonly arguments: readonly string[];
  /** By attribute name: `maxRejects` for `--max-rejects`. */
  readonly values: Readonly<Record<string, OptionValue>>;
  /** How the user wrote it, by attribute name: `--max-rejects` or `SLUICE_MAX_REJECTS`. */
  readonly labels: Readonly<Record<string, string>>;
  /** Attributes that came from the command line itself; the others came from the environment, a file or a preset. */
  readonly flagged: ReadonlySet<string>;
  /** Where each value came from. */
  readonly origins: Readonly<Record<string, Origin>>;
  /** Attributes whose values are not to be shown. */
  readonly secrets: ReadonlySet<string>;
  /** What a configuration file says is to be read. */
  readonly fileSource?: FileSource | undefined;
  /** All commands, for those that speak of them. */
  readonly commands: readonly CommandOutline[];
  readonly terminal: Terminal;
  /** Takes the waiting line away; called before the first output. */
  readonly ready: () => void;
}
