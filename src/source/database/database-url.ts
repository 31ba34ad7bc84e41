/** URLs that name a database as a source: where it is, and which table or query is read. Passwords never get into a name or a kept URL. */
import { SluiceError } from '../../errors.ts';
import { dropSecrets } from '../../secret-text.ts';

/** What of a database is read. */
export type Selection = { readonly kind: 'table'; readonly table: string } | { readonly kind: 'query'; readonly query: string };

export interface DatabaseAddress {
  readonly scheme: 'sqlite' | 'postgres' | 'pglite' | 'rqlite';
  /** To connect with: nothing of the selection in it, passwords as given. */
  readonly url: string;
  /** The same without passwords. */
  readonly publicUrl: string;
  readonly selection: Selection;
  /** For messages, reports and the ledger. */
  readonly name: string;
}

const schemes: Readonly<Record<string, DatabaseAddress['scheme']>> = {
  sqlite: 'sqlite',
  postgres: 'postgres',
  postgresql: 'postgres',
  pglite: 'pglite',
  rqlite: 'rqlite',
  rqlites: 'rqlite',
};

export function isDatabaseUrl(text: string): boolean {
  return findScheme(text) !== undefined;
}

function findScheme(text: string): DatabaseAddress['scheme'] | undefined {
  const scheme = /^([a-z]+):/iu.exec(text)?.[1]?.toLowerCase() ?? '';
  return Object.hasOwn(schemes, scheme) ? schemes[scheme] : undefined;
}

/**
 * Reads `sqlite:file.db?table=docs`, `postgres://user@host/db?sslmode=require&query=select …`.
 * @throws SLUICE_USAGE when neither a table nor a query is named, or both are
 */
export function parseDatabaseUrl(text: string): DatabaseAddress {
  const scheme = findScheme(text);
  const mark = text.indexOf('?');
  const base = mark < 0 ? text : text.slice(0, mark);
  const { rest, selection } = takeSelection(mark < 0 ? '' : text.slice(mark + 1));
  const url = joinParameters(base, rest);
  const publicUrl = dropSecrets(url);
  if (scheme === undefined || selection === undefined) {
    throw new SluiceError('SLUICE_USAGE', `the source ${publicUrl} says neither which table nor which query is to be read`, {
      hint: `Add one of them, in quotes for the shell: '${publicUrl}${rest.length > 0 ? '&' : '?'}table=NAME' or '…query=select …'.`,
    });
  }
  return { scheme, url, publicUrl, selection, name: addSelection(publicUrl, selection) };
}

function joinParameters(base: string, parameters: readonly string[]): string {
  return parameters.length === 0 ? base : `${base}?${parameters.join('&')}`;
}

/** A query goes on to the end of the URL where it holds white space: `&` and `=` in it belong to it. */
function takeSelection(parameters: string): { readonly rest: readonly string[]; readonly selection: Selection | undefined } {
  const at = /(?:^|&)query=/iu.exec(parameters);
  const tail = at === null ? '' : parameters.slice(at.index + at[0].length);
  const isPlain = /\s/u.test(tail);
  const rest = (isPlain && at !== null ? parameters.slice(0, at.index) : parameters).split('&').filter((each) => each !== '');
  const tables = rest.filter((each) => /^table=./iu.test(each)).map((each) => decode(each.slice('table='.length)));
  const queries = isPlain
    ? [tail]
    : rest.filter((each) => /^query=./iu.test(each)).map((each) => decode(each.slice('query='.length).replaceAll('+', ' ')));
  if (tables.length + queries.length > 1) {
    throw new SluiceError('SLUICE_USAGE', 'a source is one table or one query', {
      hint: 'Load the others apart, or join them in the query.',
    });
  }
  const others = rest.filter((each) => !/^(?:table|query)=/iu.test(each));
  const [table] = tables;
  const [query] = queries;
  if (table !== undefined) return { rest: others, selection: { kind: 'table', table } };
  return { rest: others, selection: query === undefined ? undefined : { kind: 'query', query: query.replace(/;\s*$/u, '').trim() } };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A lone percent sign is one.
    return text;
  }
}

/** The URL with its selection, so that {@link parseDatabaseUrl} reads it again. */
export function addSelection(url: string, selection: Selection): string {
  const lead = `${url}${url.includes('?') ? '&' : '?'}`;
  if (selection.kind === 'table') return `${lead}table=${selection.table.replace(/[%&]/gu, encodeURIComponent)}`;
  const { query } = selection;
  return `${lead}query=${/\s/u.test(query) ? query : encodeURIComponent(query)}`;
}
