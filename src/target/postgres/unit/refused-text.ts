/**
 * What is refused by its text before it is sent: statements that end the unit's transaction, that leave something in a session which others get, that reach the
 * server's files, or that change sluice's own tables. What a function, a DO block, a rule or SQL inside a string does can't be seen here: for that the role's rights are
 * the limit (no superuser, no pg_read_server_files, pg_write_server_files or pg_execute_server_program, no rights on sluice_… tables).
 */
import type { StatementShape } from '../../../sql/shape-contract.ts';
import type { Token } from '../../../sql/tokens.ts';

/** Functions of the server that read, write or list its files. */
const fileFunctions =
  /^(?:pg_read_(?:binary_)?file(?:_all|_off_len)?(?:_missing)?|pg_read_file_old|pg_ls_\w+|pg_stat_file(?:_1arg)?|pg_current_logfile|pg_file_(?:write|sync|rename|unlink|read|length)|pg_logdir_ls|(?:be_)?lo_(?:import|export)(?:_with_oid)?)$/u;

/** sluice's own tables, of today and later. */
const ownTable = /^sluice_/u;

const inSession = 'would leave something in the session, which other users of a pool get';
const controls = 'starts, parts or ends a transaction, and the unit has one of its own';
const inFiles = "reaches the server's files or programs";

/** By first keyword. */
const refusedVerbs: Readonly<Record<string, string>> = {
  BEGIN: controls,
  START: controls,
  COMMIT: controls,
  END: controls,
  ROLLBACK: controls,
  ABORT: controls,
  SAVEPOINT: controls,
  RELEASE: controls,
  PREPARE: `${inSession}, or ends the transaction`,
  EXECUTE: 'runs what a session has prepared, and nothing is prepared in it',
  DEALLOCATE: inSession,
  DISCARD: inSession,
  RESET: inSession,
  LISTEN: inSession,
  UNLISTEN: inSession,
  DECLARE: 'opens a cursor; give the query itself',
  FETCH: 'reads from a cursor; give the query itself',
  MOVE: 'reads from a cursor; give the query itself',
  CLOSE: 'closes a cursor, and none can be open',
  COPY: `${inFiles}, or speaks another protocol than statements do; use sluice load`,
  LOAD: inFiles,
};

/** What of SET and the like holds for this transaction alone. */
const transactionVerbs: Readonly<Record<string, RegExp>> = { SET: /^(?:LOCAL|TRANSACTION|CONSTRAINTS)$/u, LOCK: /^/u };

interface ReadWords {
  /** In upper case; names in quotes are left out. */
  readonly words: readonly string[];
  /** As the server knows them: in lower case unless they are in quotes. */
  readonly names: readonly string[];
}

function readWords(tokens: readonly Token[]): ReadWords {
  const plain = tokens.filter(({ kind }) => kind === 'word').map(({ text }) => text);
  const quoted = tokens.filter(({ kind }) => kind === 'quoted').map(({ text }) => text.slice(1, -1).replaceAll('""', '"'));
  return { words: plain.map((text) => text.toUpperCase()), names: [...plain.map((text) => text.toLowerCase()), ...quoted] };
}

function findFileAccess(tokens: readonly Token[], { words, names }: ReadWords): boolean {
  if (names.some((name) => fileFunctions.test(name))) return true;
  const [first = '', second = ''] = words;
  if (first === 'ALTER' && second === 'SYSTEM') return true;
  if (first !== 'CREATE' && first !== 'ALTER') return false;
  if (second === 'TABLESPACE') return true;
  if (words.includes('FOREIGN') && words.includes('OPTIONS') && names.some((name) => name === 'filename' || name === 'program'))
    return true;
  const language = tokens.findIndex(({ kind, text }) => kind === 'word' && text.toUpperCase() === 'LANGUAGE');
  return language >= 0 && /^["']?(?:c|internal)["']?$/iu.test(tokens[language + 1]?.text ?? '');
}

/** Whether it may change a table of sluice. Reading them is free, also to write elsewhere, where the text tells for certain that this is all it does. */
function changesOwnTable({ words, names }: ReadWords, shape: StatementShape): boolean {
  if (shape.isRead || !names.some((name) => ownTable.test(name))) return false;
  if (shape.verb !== 'INSERT' || shape.table === undefined || shape.withClause !== undefined) return true;
  const { text, isQuoted } = shape.table.name;
  return ownTable.test(isQuoted ? text : text.toLowerCase()) || words.filter((word) => word === 'INSERT').length > 1;
}

/** Whether a statement ends before the text does. A function's body in BEGIN ATOMIC … END holds whole statements; there the server tells. */
function holdsSeveral(tokens: readonly Token[], { words }: ReadWords): boolean {
  const end = tokens.findIndex(({ text }) => text === ';');
  return end >= 0 && tokens.slice(end).some(({ text }) => text !== ';') && !words.includes('ATOMIC');
}

export interface RefusalRequest {
  readonly tokens: readonly Token[];
  readonly shape: StatementShape;
  readonly isTransaction: boolean;
}

/** Why the statement is refused; undefined for one that may be sent. */
export function findRefusal({ tokens, shape, isTransaction }: RefusalRequest): string | undefined {
  const read = readWords(tokens);
  const [first = '', second = ''] = read.words;
  if (holdsSeveral(tokens, read)) return 'The text holds several statements: give each one on its own.';
  if (tokens.some(({ kind, text }) => kind === 'quoted' && /^u&/iu.test(text))) return 'Names in U&"…" are refused: write the name itself.';
  const isFirst = tokens[0]?.kind === 'word';
  const why = isFirst && Object.hasOwn(refusedVerbs, first) ? refusedVerbs[first] : undefined;
  if (why !== undefined) return `${first} is refused: it ${why}.`;
  const inTransaction = isFirst && Object.hasOwn(transactionVerbs, first) ? transactionVerbs[first] : undefined;
  if (inTransaction !== undefined && !inTransaction.test(second))
    return `${first} is refused: it ${inSession}. SET LOCAL is for a transaction.`;
  if (inTransaction !== undefined && !isTransaction) return `${first} ${second} is refused: it does nothing outside of a transaction.`;
  if (findFileAccess(tokens, read)) return `The statement is refused: it ${inFiles}.`;
  return changesOwnTable(read, shape) ? "The statement is refused: it changes sluice's own tables." : undefined;
}
