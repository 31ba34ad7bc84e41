/** Objects in memory become a searchable table: node examples/load-and-search.ts */
import { load, search } from 'sluice';

const rows = [
  { id: 1, text: 'a sudden blockage of blood flow to the heart', topic: 'medicine' },
  { id: 2, text: 'an attack of bees on a passer-by', topic: 'nature' },
  { id: 3, text: 'the river rose after the storm', topic: 'nature' },
];

const to = 'sqlite:notes.db';
const report = await load({
  from: rows,
  to,
  table: 'notes',
  key: ['id'],
  embed: { column: 'text', with: 'hash' },
  label: 'notes, first edition',
});
console.log(`${report.state}: ${report.counts.written} of ${report.counts.read} rows written`);

const { hits } = await search({ in: to, table: 'notes', query: 'blood in the heart', k: 1 });
for (const { key, score, columns } of hits) console.log(key['id'], score.toFixed(2), columns['text']);

const wild = await search({ in: to, table: 'notes', query: 'blood in the heart', k: 1, where: "topic = 'nature'" });
console.log(wild.hits[0]?.columns['topic']);
