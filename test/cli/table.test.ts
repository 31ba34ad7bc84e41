/** Tables and widths: nothing is wider than the terminal, nothing from the data can take it over. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { flowPieces, layoutTable } from '../../src/cli/table.ts';
import { cutText, flattenText, measureWidth, padText } from '../../src/cli/text-width.ts';

test('cells are counted as a terminal shows them', () => {
  const cases: readonly (readonly [string, number])[] = [
    ['abc', 3],
    ['日本語', 6],
    ['é', 1],
    ['e\u0301', 1],
    ['👩‍👩‍👧', 2],
    ['🇫🇷', 2],
    ['\x1b[31mred\x1b[39m', 3],
    ['a\u200bb', 2],
    ['한글', 4],
  ];
  for (const [text, width] of cases) assert.equal(measureWidth(text), width, JSON.stringify(text));
});

test('a cut text fits, ends in an ellipsis, and is the beginning of the whole', () => {
  assert.deepEqual(
    [cutText('abcdef', 3), cutText('日本語', 4), cutText('日本語', 6), cutText('abc', 0), cutText('abc', 3)],
    ['ab…', '日…', '日本語', '', 'abc'],
  );
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 40 }), (text, width) => {
      const cut = cutText(text, width);
      assert.ok(measureWidth(cut) <= width);
      assert.ok(cut === text || (cut.endsWith('…') && text.startsWith(cut.slice(0, -1))));
    }),
    { verbose: 1 },
  );
});

test('data can neither move the cursor nor break a line', () => {
  assert.equal(flattenText('a\n\x1b[2Jb\tc\x07\u202ed'), 'a b c d');
  const [, line] = layoutTable({ columns: [{ title: 'x' }], rows: [['one\r\ntwo\x1b]0;title\x07']], width: undefined });
  assert.doesNotMatch(line!, /[\p{Control}]/u);
});

test('on a terminal every line fits, whatever the cells hold', () => {
  const cell = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 60 }), fc.constant('x'.repeat(300)), fc.constant(''));
  const input = fc
    .integer({ min: 1, max: 9 })
    .chain((count) =>
      fc.tuple(
        fc.constant(count),
        fc.array(fc.array(cell, { minLength: count, maxLength: count }), { maxLength: 6 }),
        fc.integer({ min: 10, max: 120 }),
      ),
    );
  fc.assert(
    fc.property(input, ([count, rows, width]) => {
      const columns = Array.from({ length: count }, (_, index) => ({
        title: `column ${index}`,
        align: index % 2 ? ('right' as const) : ('left' as const),
      }));
      const lines = layoutTable({ columns, rows, width });
      assert.equal(lines.length, rows.length + 1);
      for (const line of lines) assert.ok(measureWidth(line) <= width, line);
    }),
    { verbose: 1 },
  );
});

test('short columns stay whole while a long one can give', () => {
  const lines = layoutTable({
    columns: [{ title: 'key' }, { title: 'count', align: 'right' }, { title: 'text' }],
    rows: [
      ['first', '1,000', 'a text that is much too long for this'],
      ['b', '7', 'short'],
    ],
    width: 30,
  });
  assert.deepEqual(lines, ['key    count  text', 'first  1,000  a text that is…', 'b          7  short']);
});

test('in a pipe nothing is cut, and one long cell does not push the others out', () => {
  const long = 'x'.repeat(500);
  const lines = layoutTable({
    columns: [{ title: 'a' }, { title: 'b' }],
    rows: [
      [long, '1'],
      ['y', '2'],
    ],
    width: undefined,
  });
  assert.equal(lines[1], `${long}  1`);
  assert.equal(lines[2], `${padText('y', 40)}  2`);
});

test('pieces flow onto as few lines as the width allows', () => {
  assert.deepEqual(flowPieces(['aaaa', 'bbbb', 'cccc', 'd'.repeat(30)], 14), ['aaaa   bbbb', 'cccc', `${'d'.repeat(13)}…`]);
});
