/** The rivals on PostgreSQL as trials: the server itself, psql, psycopg, pgloader and Node's clients, on the same rows and counted the same way. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { makeVectorRows } from './data.ts';
import type { VectorRow } from './data.ts';
import { findPsql, sampleOf, timeProgram, useDatabase } from './postgres-database.ts';
import type { Database, Timing } from './postgres-database.ts';
import {
  declareTable,
  provideBinary,
  provideCsv,
  provideCsvHalf,
  provideFloats,
  provideSmallCsv,
  provideTexts,
  textInput,
  wideInput,
} from './postgres-data.ts';
import type { VectorInput } from './postgres-data.ts';
import { copyByPgvector, copyByStreams, insertByNodePostgres, insertByPostgresJs, provideClients } from './rivals/node-clients.ts';
import { providePython, runPython } from './rivals/python.ts';
import type { Trial } from './trials.ts';

type InputOf = (rows: number) => VectorInput;

export const smallTable = 'CREATE TABLE items (id bigint PRIMARY KEY, name text NOT NULL, age integer NOT NULL)';

/** `\copy` of one file by one psql. */
async function copyByPsql({ url }: Database, file: string, format: string): Promise<Timing> {
  return timeProgram(await findPsql(), [
    '-X',
    '-q',
    '-v',
    'ON_ERROR_STOP=1',
    url,
    '-c',
    `\\copy items from '${file}' with (format ${format})`,
  ]);
}

function psqlTrial(inputOf: InputOf, way: 'binary' | 'csv'): Trial {
  const provide = way === 'binary' ? provideBinary : provideCsv;
  return {
    provide: (rows) => void provide(inputOf(rows)),
    run: (rows) =>
      useDatabase(async (database) => {
        await database.run(declareTable(inputOf(rows)));
        const format = way === 'binary' ? 'binary' : 'csv, header true';
        return sampleOf(database, { rows }, () => copyByPsql(database, provide(inputOf(rows)), format));
      }),
  };
}

/** Two psql at once, each with half of the rows: the elapsed time of both. */
const twoPsql: Trial = {
  provide: (rows) => ([0, 1] as const).forEach((half) => provideCsvHalf(textInput(rows), half)),
  run: (rows) =>
    useDatabase(async (database) => {
      await database.run(declareTable(textInput(rows)));
      const psql = await findPsql();
      return sampleOf(database, { rows }, async () => {
        const ended = ([0, 1] as const).map(async (half) => {
          const command = `\\copy items from '${provideCsvHalf(textInput(rows), half)}' with (format csv, header true)`;
          const [code] = (await once(spawn(psql, ['-X', '-q', '-v', 'ON_ERROR_STOP=1', database.url, '-c', command]), 'exit')) as [number];
          if (code !== 0) throw new Error(`psql ended with ${code}`);
        });
        await Promise.all(ended);
      });
    }),
};

/** COPY FROM a file on the server: no client at all. */
const serverFile: Trial = {
  provide: (rows) => void provideBinary(wideInput(rows)),
  run: (rows) =>
    useDatabase(async (database) => {
      await database.run(declareTable(wideInput(rows)));
      const sql = `COPY items FROM '${provideBinary(wideInput(rows))}' WITH (FORMAT binary)`;
      return sampleOf(database, { rows }, () => database.run(sql));
    }),
};

function pythonTrial(way: 'copy' | 'executemany'): Trial {
  return {
    provide: (rows) => void [providePython(), provideFloats(textInput(rows)), provideTexts(textInput(rows))],
    run: (rows) =>
      useDatabase(async (database) => {
        const input = textInput(rows);
        await database.run(declareTable(input));
        const args = [way, database.url, String(rows), String(input.dimensions), provideFloats(input), provideTexts(input)];
        return sampleOf(database, { rows }, async () => runPython('psycopg-load.py', args));
      }),
  };
}

/** A client of Node with the rows in memory, in this process. */
function nodeTrial(load: (url: string, rows: readonly VectorRow[]) => Promise<void>): Trial {
  return {
    provide: provideClients,
    run: (rows) =>
      useDatabase(async (database) => {
        await database.run(declareTable(textInput(rows)));
        const input = [...makeVectorRows(rows)];
        return sampleOf(database, { rows }, () => load(database.url, input));
      }),
  };
}

const streamsTrial: Trial = {
  provide: (rows) => void [provideClients(), provideBinary(textInput(rows))],
  run: (rows) =>
    useDatabase(async (database) => {
      await database.run(declareTable(textInput(rows)));
      return sampleOf(database, { rows }, () => copyByStreams(database.url, provideBinary(textInput(rows))));
    }),
};

const smallPsql: Trial = {
  provide: (rows) => void provideSmallCsv(rows),
  run: (rows) =>
    useDatabase(async (database) => {
      await database.run(smallTable);
      return sampleOf(database, { rows }, () => copyByPsql(database, provideSmallCsv(rows), 'csv, header true'));
    }),
};

/** Why pgloader can't be measured; undefined where it can. */
export function explainPgloaderAbsence(): string | undefined {
  return spawnSync('pgloader', ['--version']).status === 0 ? undefined : 'pgloader is not on PATH (Debian: apt-get install pgloader)';
}

const pgloader: Trial = {
  provide: (rows) => void provideSmallCsv(rows),
  run: (rows, folder) =>
    useDatabase(async (database) => {
      await database.run(smallTable);
      const script = path.join(folder, 'items.load');
      const url = database.url.replace(/^postgres:/, 'postgresql:');
      const source = `LOAD CSV FROM '${provideSmallCsv(rows)}' (id, name, age) INTO ${url} TARGET TABLE items (id, name, age)`;
      writeFileSync(script, `${source}\nWITH skip header = 1, fields terminated by ',', fields optionally enclosed by '"';\n`);
      return sampleOf(database, { rows }, async () => timeProgram('pgloader', ['--no-ssl-cert-verification', script]));
    }),
};

/** The trials of the rivals, by name. */
export const postgresRivals: Readonly<Record<string, Trial>> = {
  'pg-wide-server-file': serverFile,
  'pg-wide-psql-binary': psqlTrial(wideInput, 'binary'),
  'pg-wide-psql-csv': psqlTrial(wideInput, 'csv'),
  'pg-384-psql-binary': psqlTrial(textInput, 'binary'),
  'pg-384-psql-csv': psqlTrial(textInput, 'csv'),
  'pg-384-two-psql-csv': twoPsql,
  'pg-384-psycopg-copy': pythonTrial('copy'),
  'pg-384-psycopg-executemany': pythonTrial('executemany'),
  'pg-384-pg-copy-streams': streamsTrial,
  'pg-384-pgvector-node': nodeTrial(copyByPgvector),
  'pg-384-node-postgres': nodeTrial(insertByNodePostgres),
  'pg-384-postgres-js': nodeTrial(insertByPostgresJs),
  'pg-small-psql-csv': smallPsql,
  'pg-small-pgloader': pgloader,
};
