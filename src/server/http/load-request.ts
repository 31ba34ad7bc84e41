/** What a `POST /loads` asks for: its parameters as the options of a load, checked all at once. */
import { SluiceError } from '../../errors.ts';
import { parseColumnType, typeList } from '../../rows/column-type.ts';
import type { LoadMode } from '../../target/driver.ts';
import type { LoadOrder } from './load-news.ts';

/** Formats by content type; `?format=` goes before it. */
const formats: ReadonlyMap<string, string> = new Map([
  ['application/x-ndjson', 'jsonl'],
  ['application/ndjson', 'jsonl'],
  ['application/jsonl', 'jsonl'],
  ['application/x-jsonlines', 'jsonl'],
  ['application/jsonlines', 'jsonl'],
  ['text/csv', 'csv'],
  ['application/csv', 'csv'],
  ['text/tab-separated-values', 'tsv'],
]);
const streamed = ['jsonl', 'csv', 'tsv'];
const modes: readonly LoadMode[] = ['insert', 'upsert', 'skip', 'replace'];

/** @throws SLUICE_USAGE with everything that is wrong */
export function readLoadOrder(values: ReadonlyMap<string, string>, contentType: string | undefined, to: string): LoadOrder {
  const problems: string[] = [];
  const table = values.get('table') ?? '';
  if (table === '') problems.push('table: name the table, for example ?table=people');
  const format = values.get('format') ?? formats.get((contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '');
  if (format === undefined || !streamed.includes(format)) {
    problems.push('format: say jsonl, csv or tsv, or send the Content-Type application/x-ndjson or text/csv');
  }
  const mode = values.get('mode');
  if (mode !== undefined && !modes.some((known) => known === mode)) problems.push(`mode: ${modes.join(', ')}`);
  const order = {
    to,
    table,
    format,
    mode: mode as LoadMode | undefined,
    key: readNames(values.get('key')),
    columns: readNames(values.get('columns')),
    skipColumns: readNames(values.get('skip_columns')),
    types: readPairs({ text: values.get('types'), separator: ':', name: 'types', problems }),
    map: readPairs({ text: values.get('map'), separator: '=', name: 'map', problems }),
    delimiter: values.get('delimiter'),
    quote: values.get('quote'),
    nullText: values.get('null'),
    label: values.get('label'),
    maxRejects: readMaxRejects(values.get('max_rejects'), problems),
    again: values.has('again') || undefined,
    rejectsWithoutRows: values.has('rejects_without_rows') || undefined,
  };
  for (const [name, type] of Object.entries(order.types ?? {})) {
    if (parseColumnType(type) === undefined) problems.push(`types: ${name} has a type that is none of ${typeList}`);
  }
  if (problems.length > 0) {
    throw new SluiceError('SLUICE_USAGE', 'The load can not be run as asked.', {
      problems,
      hint: 'GET /openapi.json lists the parameters.',
    });
  }
  return Object.fromEntries(Object.entries(order).filter(([, value]) => value !== undefined)) as unknown as LoadOrder;
}

/** Names between commas. */
function readNames(text: string | undefined): readonly string[] | undefined {
  return text === undefined || text === '' ? undefined : text.split(',').map((name) => name.trim());
}

interface PairsText {
  readonly text: string | undefined;
  readonly separator: string;
  readonly name: string;
  readonly problems: string[];
}

/** `a:integer,b:vector(3)` or `a=x,b=y`; none of the types holds a comma. */
function readPairs({ text, separator, name, problems }: PairsText): Readonly<Record<string, string>> | undefined {
  if (text === undefined || text === '') return undefined;
  const pairs = text.split(',').map((pair) => [pair.slice(0, pair.indexOf(separator)), pair.slice(pair.indexOf(separator) + 1)] as const);
  if (text.split(',').some((pair) => pair.indexOf(separator) < 1))
    problems.push(`${name}: write name${separator}value, with commas between`);
  return Object.fromEntries(pairs);
}

function readMaxRejects(text: string | undefined, problems: string[]): LoadOrder['maxRejects'] {
  if (text === undefined) return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  if (/^\d+(?:\.\d+)?%$/.test(text)) return `${Number.parseFloat(text)}%`;
  problems.push('max_rejects: a number of rows such as 500, or a share such as 1%');
  return undefined;
}
