/** Commands that go on with a load, ready to be pasted into a shell; a password in the URL is left out. */
import type { LedgerLoad } from '../../ledger/reading.ts';
import { dropSecrets } from '../../secret-text.ts';

/** `sluice resume --in sqlite:library.db 4f2k9`. */
export function writeResumeCommand(target: string, load: string): string {
  return writeCommand('resume', target, load);
}

/** `sluice batch statements.sql --transaction --to sqlite:app.db`: a batch goes on by its own command. */
export function writeBatchWords(target: string, words: readonly string[]): string {
  return ['sluice', 'batch', ...words, '--to', dropSecrets(target)].map(quoteArgument).join(' ');
}

/** The command that goes on with a batch, by what its plan keeps of it. */
export function writeBatchResume({ plan }: Pick<LedgerLoad, 'plan'>, target: string): string {
  const { words = ['-'] } = JSON.parse(plan) as { readonly words?: readonly string[] };
  return writeBatchWords(target, words);
}

/** What to do next with a load: resume it, look at its rejects, or verify it. */
export function writeNextCommand(
  load: Pick<LedgerLoad, 'load' | 'state' | 'openRejects' | 'mode' | 'plan' | 'counts'>,
  target: string,
): string {
  if (load.state === 'undone') return '';
  // The same limit again would stop it at once: twice as many leaves room for what comes after.
  if (load.state === 'reject_limit' && load.mode !== 'batch')
    return `${writeResumeCommand(target, load.load)} --max-rejects ${String(2 * load.counts.rejected)}`;
  if (load.state !== 'done') return load.mode === 'batch' ? writeBatchResume(load, target) : writeResumeCommand(target, load.load);
  return load.openRejects > 0 ? `${writeCommand('rejects', target, load.load)} --summary` : writeCommand('verify', target, load.load);
}

/** A command about one load of a target. */
export function writeCommand(verb: string, target: string, load: string): string {
  return `sluice ${verb} --in ${quoteArgument(dropSecrets(target))} ${quoteArgument(load)}`;
}

/** Leaves a word as it is where no shell could misread it, else puts it in single quotes. */
function quoteArgument(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
