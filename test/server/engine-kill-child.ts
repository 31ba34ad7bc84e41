/** Child of the crash test: replaces the database again and again, with writes between, until it is killed. */
import { copyFileSync } from 'node:fs';
import process from 'node:process';
import { openEngine } from '../../src/server/engine/open-engine.ts';
import { plainOptions } from './engine-database.ts';

const [file = '', first = '', second = ''] = process.argv.slice(2);
const engine = await openEngine({ file, isReadOnly: false, checksForeignKeys: false });
process.stdout.write('ready\n');
for (let round = 0; ; round++) {
  const copy = `${file}.upload`;
  copyFileSync(round % 2 === 0 ? first : second, copy);
  await engine.replaceFile(copy);
  const body = Buffer.from(JSON.stringify(['INSERT INTO done VALUES(hex(randomblob(5000)))', 'INSERT INTO also VALUES(1)']));
  await engine.handle({ route: 'execute', body, isPlainText: false, options: { ...plainOptions, isTransaction: true } });
}
