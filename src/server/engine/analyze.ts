/** `/db/sql`: shows what each statement would be rewritten to. */
import { createIndenter } from './answer-format.ts';
import { readBody } from './body.ts';
import type { DataRequest, Reply } from './contract.ts';
import { printReply } from './engine-reply.ts';
import { printText } from './json-value.ts';
import { rewriteText } from './rewrite.ts';
import { printStatement } from './sql-print.ts';

/** The answer of `/db/sql`. */
export function analyzeBody(request: DataRequest): Reply {
  const body = readBody(request.body, { isPlainText: request.isPlainText, keepsBlobText: true });
  if (body.error !== undefined) return printReply(400, `${body.error}\n`);
  const entries = body.statements.map((statement) => {
    const printed = printStatement(rewriteText(statement.sql, request.options));
    const rest = 'error' in printed ? `"error":${printText(printed.error)}` : `"rewritten":${printText(printed.text)}`;
    return `{"original":${printText(statement.sql)},${rest}}`;
  });
  const text = `{"results":[${entries.join(',')}]}`;
  return printReply(200, request.options.isPretty ? createIndenter()(text) : text);
}
