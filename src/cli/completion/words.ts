/** A command line that is being typed, cut into words as a shell cuts it. */

export interface TypedLine {
  /** The words before the one that is being typed, quotes taken away, the program's name first. */
  readonly before: readonly string[];
  /** The word at the cursor, so far. */
  readonly current: string;
}

/** Quotes and backslashes as in POSIX; a quote that is not closed yet reaches to the cursor. */
export function cutLine(line: string): TypedLine {
  const words: string[] = [];
  let word = '';
  let isOpen = false;
  let quote = '';
  for (let at = 0; at < line.length; at++) {
    const character = line.charAt(at);
    if (quote === "'") {
      if (character === "'") quote = '';
      else word += character;
    } else if (character === '\\' && at + 1 < line.length) word += line.charAt(++at);
    else if (quote === '"') {
      if (character === '"') quote = '';
      else word += character;
    } else if (character === '"' || character === "'") {
      quote = character;
      isOpen = true;
    } else if (/\s/u.test(character)) {
      if (word !== '' || isOpen) words.push(word);
      [word, isOpen] = ['', false];
    } else word += character;
  }
  return { before: words, current: word };
}
