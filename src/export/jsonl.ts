/** Rows as JSON lines. Every digit is kept: integers and decimals stand as numbers however long they are, JSON stands as it is. */
import type { ColumnType, Scalar } from '../rows/schema.ts';
import type { ExportColumn, RowBlock, RowWriter } from './options.ts';
import { isJson, readValue, writeBytes, writeNumber, writeVector } from './value-text.ts';

const forms: Readonly<Record<ColumnType, string>> = {
  integer: 'number',
  real: 'number',
  decimal: 'number, every digit',
  boolean: 'true or false',
  text: 'text',
  bytes: 'base64',
  json: 'JSON as it is',
  timestamp: 'ISO 8601 text',
  date: 'ISO 8601 text',
  uuid: 'text',
  vector: 'array of numbers',
};

export function createJsonlWriter(columns: readonly ExportColumn[]): RowWriter {
  const names = columns.map(({ name }, index) => `${index === 0 ? '' : ','}${JSON.stringify(name)}:`);
  return {
    forms: columns.map(({ type }) => forms[type]),
    write: (block) => [Buffer.from(writeRows(columns, names, block))],
    end: () => [],
  };
}

function writeRows(columns: readonly ExportColumn[], names: readonly string[], { rowCount, values }: RowBlock): string {
  let text = '';
  for (let row = 0; row < rowCount; row++) {
    text += '{';
    for (let index = 0; index < columns.length; index++) {
      const column = columns[index]!;
      text += names[index]! + writeJson(readValue(values[index]!, row, column), column.type);
    }
    text += '}\n';
  }
  return text;
}

/** A numeral as JSON takes it: an exponent may follow, a point needs digits on both sides. */
const numeral = /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/u;

function writeJson(value: Scalar | Float32Array, type: ColumnType): string {
  if (value === null) return 'null';
  if (typeof value === 'string') return writeJsonText(value, type);
  if (typeof value === 'number') return Number.isFinite(value) ? writeNumber(value) : JSON.stringify(String(value));
  if (value instanceof Float32Array) return writeVector(value);
  return value instanceof Uint8Array ? `"${writeBytes(value)}"` : String(value);
}

/** JSON's own line breaks are white space between tokens; inside a line they become blanks. */
function writeJsonText(value: string, type: ColumnType): string {
  if (type === 'json' && isJson(value)) return value.replaceAll(/[\r\n]/gu, ' ');
  return type === 'decimal' && numeral.test(value) ? value : JSON.stringify(value);
}
