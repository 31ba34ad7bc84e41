/** Signs and words whose order decides where strings, comments, names and parameters end; made into texts by fast-check. */
import fc, { type Arbitrary } from 'fast-check';

/** Blanks stand between the pieces here, so those that are blanks are added. */
const blanks = ['\n', '\r', ' ', '\t', '\v', '\f', '\ufeff'];

/** Of SQLite. */
export const sqliteShards: readonly string[] = [
  ...String.raw`' " ${'`'} [ ] /* */ / * -- - ; ; '' "" x' X'ab' x e 1 1e5 0x1f 1. .5 $ $a :a @a # ? ?12 :: : ( ) (b;c) ->> -> || < = ! ~ % \ é 𝄞 _ a$b`.split(
    ' ',
  ),
  'END',
  'BEGIN',
  'CASE',
  'CREATE TRIGGER',
  'CREATE VIRTUAL TABLE',
  'SELECT',
  ...blanks,
];

/** Of PostgreSQL. */
export const postgresShards: readonly string[] = [
  ...String.raw`' " /* */ /* */ / * -- - ; ; '' "" E' e' \' \ b' x'1' N' U&' u&" u & e 1 1e5 0x1f 1. .. $ $$ $$ $t$ $t$ $1 $12 a$b :: : := ( ) [ ]`.split(
    ' ',
  ),
  ...'->> ? ?| @> || < = ! + % é 𝄞 _'.split(' '),
  'END',
  'BEGIN',
  'ATOMIC',
  'CASE',
  'CREATE FUNCTION',
  'CREATE RULE',
  'SELECT',
  ...blanks,
];

/** A text of such pieces. */
export function shardTexts(shards: readonly string[], maxLength: number): Arbitrary<string> {
  return fc.array(fc.constantFrom(...shards), { maxLength }).map((list) => list.join(''));
}
