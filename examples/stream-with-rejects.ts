/** CSV from a stream; a row that does not fit is refused and its neighbours are written: node examples/stream-with-rejects.ts */
import { Readable } from 'node:stream';
import { load, rejects, retry } from 'sluice';

const csv = ['id,name,age', '1,Ann,34', '2,Bob,about forty', '3,"Chen, Li",51', '4,"Dana,29'].join('\n');

const to = 'sqlite:people.db';
const report = await load({
  from: Readable.from([csv]),
  format: 'csv',
  to,
  table: 'people',
  key: ['id'],
  types: { age: 'integer' },
});
const { read, written, rejected } = report.counts;
console.log(`${read} read = ${written} written + ${rejected} rejected`);

for await (const { line, code, column, raw } of rejects({ in: to, load: report.load })) console.log(line, code, column ?? '-', raw);

const again = await retry({ in: to, load: report.load });
console.log(`tried again: ${again.counts.rejected} still do not fit`);
