/** The SQL that turns rows into the lines of a dump: each value as the literal that reads back as the same value, bit for bit. */

/** Names of the functions that a dumping connection must have, for the values that SQLite's quote() does not bring back. */
export const textFunction = 'sluice_dump_text';
export const zeroFunction = 'sluice_dump_zero';

export interface TableToDump {
  readonly name: string;
  /** That INSERT without a column list takes: no generated ones. */
  readonly columns: readonly string[];
}

export interface LineOptions {
  /** In a database in UTF-16, bytes of a text are not those of the dump. */
  readonly isUtf8: boolean;
  /** Every text goes through the function: needed where one is not valid UTF-8. */
  readonly checksTexts: boolean;
}

/** A query with one value a row: the line `INSERT INTO "table" VALUES(…);` with its newline, as bytes in UTF-8 databases. */
export function writeLineQuery(table: TableToDump, options: LineOptions): string {
  const values = table.columns.map((column) => writeValue(quoteName(column), options));
  const head = quoteText(`INSERT INTO ${quoteName(table.name)} VALUES(`);
  const line = `${head}||${joinValues(values)}||${quoteText(');\n')}`;
  return `SELECT ${options.isUtf8 ? `CAST(${line} AS BLOB)` : line} FROM ${quoteName(table.name)}`;
}

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text as a literal. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** quote() ends a text at its first NUL and forgets the sign of -0.0. */
function writeValue(column: string, { isUtf8, checksTexts }: LineOptions): string {
  const call = `${textFunction}(${isUtf8 ? `CAST(${column} AS BLOB)` : column})`;
  const text = checksTexts ? call : `CASE WHEN instr(${column},char(0)) THEN ${call} ELSE quote(${column}) END`;
  const real = `CASE ${column} WHEN 0 THEN ${zeroFunction}(${column}) ELSE quote(${column}) END`;
  return `CASE typeof(${column}) WHEN 'text' THEN ${text} WHEN 'real' THEN ${real} ELSE quote(${column}) END`;
}

/** As a balanced tree: SQLite takes expressions 1,000 deep, and a chain of `||` is as deep as it is long. */
function joinValues(values: readonly string[]): string {
  if (values.length <= 1) return values[0] === undefined ? "''" : `(${values[0]})`;
  const middle = values.length >> 1;
  return `(${joinValues(values.slice(0, middle))}||','||${joinValues(values.slice(middle))})`;
}

/** What the function for texts answers: a literal for a text with NUL, or one that is not UTF-8. */
export function writeTextLiteral(value: Uint8Array | string, isValid: boolean): string {
  const bytes = typeof value === 'string' ? Buffer.from(value) : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (!isValid) return `CAST(X'${bytes.toString('hex').toUpperCase()}' AS TEXT)`;
  const text = bytes.toString();
  if (!text.includes('\0')) return quoteText(text);
  const stand = findStandIn(text);
  return `replace(${quoteText(text.replaceAll('\0', stand))},'${stand}',char(0))`;
}

/** A character that the text does not have, to stand for NUL: the private use area has 6,400 of them, and then there are numbers. */
function findStandIn(text: string): string {
  for (let code = 0xe000; code < 0xf900; code++) {
    const character = String.fromCharCode(code);
    if (!text.includes(character)) return character;
  }
  let stand = '\ue000';
  while (text.includes(stand)) stand += '\ue000';
  return stand;
}
