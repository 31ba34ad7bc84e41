/** Says where and why a text is not JSON, in words that hold nothing of the text: JSON.parse's own messages quote the row. */

type Expectation = 'value' | 'value_or_end' | 'key' | 'key_or_end' | 'colon' | 'comma' | 'nothing';

const expectations: Readonly<Record<Expectation, string>> = {
  value: 'a value is expected',
  value_or_end: "a value or ']' is expected",
  key: 'a key in double quotes is expected',
  key_or_end: "a key in double quotes or '}' is expected",
  colon: "':' is expected",
  comma: "',' or the closing bracket is expected",
  nothing: 'nothing more is expected',
};

interface Walk {
  readonly text: string;
  at: number;
  expected: Expectation;
  /** Closing brackets of what is open. A list, not recursion: a line may nest as deep as it is long. */
  readonly open: string[];
}

/** Describes the first fault of a text that JSON.parse refused; columns count characters from 1. */
export function describeJsonFault(text: string): string {
  const walk: Walk = { text, at: 0, expected: 'value', open: [] };
  for (;;) {
    walk.at = skipPattern(walk, /[ \t\n\r]*/y);
    const column = walk.at + 1;
    if (walk.at >= text.length) {
      return walk.expected === 'nothing'
        ? 'invalid JSON'
        : `invalid JSON: the row ends early, at column ${column}; ${expectations[walk.expected]}`;
    }
    const fault = step(walk);
    if (fault !== undefined) return `invalid JSON at column ${fault.column}: ${fault.reason}`;
  }
}

interface Fault {
  readonly column: number;
  readonly reason: string;
}

/** Takes one token; returns the fault if it is not one that may stand here. */
function step(walk: Walk): Fault | undefined {
  const character = walk.text.charAt(walk.at);
  const { expected } = walk;
  if (expected === 'colon' && character === ':') return move(walk, 'value');
  if (expected === 'comma' && character === ',') return move(walk, walk.open.at(-1) === '}' ? 'key' : 'value');
  const mayClose = expected === 'comma' || expected === 'value_or_end' || expected === 'key_or_end';
  if (mayClose && character === walk.open.at(-1)) {
    walk.open.pop();
    return move(walk, walk.open.length === 0 ? 'nothing' : 'comma');
  }
  if (expected === 'key' || expected === 'key_or_end') return character === '"' ? stepString(walk, 'colon') : fail(walk);
  if (expected !== 'value' && expected !== 'value_or_end') return fail(walk);
  return stepValue(walk, character);
}

/** Takes the token that begins a value. */
function stepValue(walk: Walk, character: string): Fault | undefined {
  if (character === '{' || character === '[') {
    walk.open.push(character === '{' ? '}' : ']');
    return move(walk, character === '{' ? 'key_or_end' : 'value_or_end');
  }
  const after: Expectation = walk.open.length === 0 ? 'nothing' : 'comma';
  if (character === '"') return stepString(walk, after);
  const end = skipPattern(walk, /true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y);
  if (end === walk.at) return fail(walk);
  walk.at = end;
  walk.expected = after;
  return undefined;
}

/** A loop over characters: a pattern for a whole string would run out of stack on one of many megabytes. */
function stepString(walk: Walk, after: Expectation): Fault | undefined {
  const { text } = walk;
  const start = walk.at++;
  while (walk.at < text.length && text[walk.at] !== '"') {
    if (text.charCodeAt(walk.at) < 32) return { column: walk.at + 1, reason: 'a control character in a string has to be escaped' };
    const end = text[walk.at] === '\\' ? skipPattern(walk, /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y) : walk.at + 1;
    if (end === walk.at) return { column: walk.at + 1, reason: 'not an escape that JSON knows' };
    walk.at = end;
  }
  if (walk.at === text.length) return { column: start + 1, reason: 'the string that begins here is not closed' };
  return move(walk, after);
}

/** Where a sticky pattern ends that begins here; here if it does not match. */
function skipPattern(walk: Walk, pattern: RegExp): number {
  pattern.lastIndex = walk.at;
  return pattern.test(walk.text) ? pattern.lastIndex : walk.at;
}

function move(walk: Walk, expected: Expectation): undefined {
  walk.at++;
  walk.expected = expected;
  return undefined;
}

function fail(walk: Walk): Fault {
  return { column: walk.at + 1, reason: expectations[walk.expected] };
}
