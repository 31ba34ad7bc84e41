/** Rows as delimited text with a header line, so that sluice's own reader gets the same values: null is an empty field, empty text is `""`. */
import { SluiceError } from '../errors.ts';
import type { ColumnType } from '../rows/schema.ts';
import type { ExportColumn, RowBlock, RowWriter } from './options.ts';
import { readValue, writePlain } from './value-text.ts';

const forms: Readonly<Record<ColumnType, string>> = {
  integer: 'digits',
  real: 'digits',
  decimal: 'every digit',
  boolean: 'true or false',
  text: 'text',
  bytes: 'base64',
  json: 'JSON as it is',
  timestamp: 'ISO 8601',
  date: 'ISO 8601',
  uuid: 'text',
  vector: 'JSON array',
};

export function createCsvWriter(columns: readonly ExportColumn[], delimiter: ',' | '\t'): RowWriter {
  // Spaces at the ends are quoted as well: other readers trim them.
  const needsQuotes = delimiter === ',' ? /[",\r\n]|^\s|\s$/u : /["\t\r\n]|^\s|\s$/u;
  const quote = (text: string): string => (text === '' || needsQuotes.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  let header = `${columns.map(({ name }) => quote(name)).join(delimiter)}\n`;
  const writeRows = ({ rowCount, values }: RowBlock): string => {
    let text = header;
    header = '';
    for (let row = 0; row < rowCount; row++) {
      for (let index = 0; index < columns.length; index++) {
        const value = readValue(values[index]!, row, columns[index]!);
        if (index > 0) text += delimiter;
        if (value !== null) text += quote(writePlain(value));
        else if (columns.length === 1) throw blankLine(columns[0]!.name);
      }
      text += '\n';
    }
    return text;
  };
  return {
    forms: columns.map(({ type }) => forms[type]),
    write: (block) => [Buffer.from(writeRows(block))],
    end: () => (header === '' ? [] : [Buffer.from(header)]),
  };
}

/** A line without any text is passed over as blank by every reader: the row would be lost in silence. */
function blankLine(name: string): SluiceError {
  return new SluiceError(
    'SLUICE_SOURCE_INVALID',
    `The column ${name} holds a null, which delimited text of one column has no way to say.`,
    {
      hint: `Export another column beside it, choose .jsonl, or leave such rows out: --where '"${name}" IS NOT NULL'.`,
    },
  );
}
