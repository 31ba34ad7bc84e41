/** `sluice completion SHELL` prints a script; `sluice complete` is what the script asks at each tab. It never writes, never fails aloud, and never keeps a shell waiting. */
import process from 'node:process';
import { SluiceError } from '../../errors.ts';
import { findNearest } from '../../nearest.ts';
import type { Invocation } from '../invocation.ts';
import { openLibrary } from '../library.ts';
import { writeAll } from '../terminal.ts';
import { listCandidates, type Candidates, type Names } from './candidates.ts';
import { completionScripts } from './scripts.ts';
import { cutLine } from './words.ts';

/** Whoever pressed a key waits: a database that does not answer by then offers nothing. */
const deadlineMs = 300;

export async function runCompletion({ arguments: [shell = ''], ready, terminal }: Invocation): Promise<number> {
  const script = Object.hasOwn(completionScripts, shell) ? completionScripts[shell] : undefined;
  if (script === undefined) {
    const shells = Object.keys(completionScripts);
    const nearest = findNearest(shell, shells);
    throw new SluiceError('SLUICE_USAGE', shell === '' ? 'name the shell' : `there is no completion for ${JSON.stringify(shell)}`, {
      hint: nearest === undefined ? `use one of: ${shells.join(', ')}` : `did you mean sluice completion ${nearest}?`,
    });
  }
  ready();
  await writeAll(terminal.stdout, [script]);
  return 0;
}

export async function runComplete({ commands, ready, terminal, values }: Invocation): Promise<number> {
  const { line } = values;
  ready();
  const found = await findWithin(typeof line === 'string' ? line : '', commands);
  const lines = found.words.map(({ description, word }) => `${word}\t${description.replaceAll(/\s+/gu, ' ')}\n`);
  await writeAll(terminal.stdout, [found.hasFiles ? 'files\n' : 'words\n', ...lines]);
  // A database may still be waiting for its answer.
  process.exit(0);
}

async function findWithin(line: string, commands: Invocation['commands']): Promise<Candidates> {
  const late = new Promise<Candidates>((resolve) => {
    setTimeout(resolve, deadlineMs, { hasFiles: false, words: [] } satisfies Candidates);
  });
  // A word at the cursor is no place for an error: whatever is wrong, nothing is offered.
  const found = listCandidates(cutLine(line), { commands, ask: askNames }).catch((): Candidates => ({ hasFiles: false, words: [] }));
  return Promise.race([found, late]);
}

async function askNames(url: string): Promise<Names> {
  const { listNames } = await openLibrary();
  return listNames(url, AbortSignal.timeout(deadlineMs));
}
