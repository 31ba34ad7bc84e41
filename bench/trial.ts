/** Runs one trial in this process and prints its sample as one line of JSON: `node bench/trial.ts NAME ROWS`. */
import process from 'node:process';
import { findTrial } from './trial-list.ts';
import { useFolder } from './trials.ts';

const [name = '', rows = ''] = process.argv.slice(2);
const trial = await findTrial(name);
const sample = await useFolder((folder) => trial.run(Number(rows), folder));
process.stdout.write(`${JSON.stringify(sample)}\n`);
