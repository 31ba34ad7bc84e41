/** The file that `--report` names: a page where its name ends in .html, else JSON. It is written for failed loads as well. */
import { accessSync, constants } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isSluiceError, SluiceError } from '../errors.ts';
import type { LoadReport, StoredReport } from '../load/options.ts';
import { toJsonText } from './json-line.ts';
import { openLibrary } from './library.ts';
import type { OutputOptions } from './request.ts';

/** A name that a browser opens as a page. */
export function isPagePath(path: string): boolean {
  return /\.html?$/iu.test(path);
}

/** Before the work: hours of it must not end with a file that can't be written. `option` is what named it. */
export function checkFilePath(path: string | undefined, option: string): void {
  if (path === undefined) return;
  try {
    accessSync(dirname(path), constants.W_OK);
  } catch (cause) {
    throw new SluiceError('SLUICE_USAGE', `${option}: the folder of ${path} can't be written to`, {
      cause,
      hint: 'name a file in a folder that exists',
    });
  }
}

/** Writes text to the file of an option. @throws SLUICE_USAGE with the hint */
export async function writeNamedFile(path: string, text: string, hint: string): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (cause) {
    throw new SluiceError('SLUICE_USAGE', `the report could not be written to ${path}`, { cause, hint });
  }
}

/** Writes the report of a load where `--report` says. */
export async function writeReportFile(report: LoadReport, output: OutputOptions, target: string): Promise<void> {
  const { report: path } = output;
  if (path === undefined) return;
  const text = isPagePath(path) ? await renderPage(report, output, target) : toJsonText(report);
  await writeNamedFile(path, text, `the load itself is ${report.state}; sluice report ${report.load} --in ${report.target} shows it`);
}

async function renderPage(report: LoadReport, output: OutputOptions, target: string): Promise<string> {
  const { renderReport } = await openLibrary();
  return renderReport(await readStored(report, output, target));
}

/** The ledger knows earlier sessions, the plan and samples of rejects. A target that is gone by now leaves this session's own report. */
async function readStored(report: LoadReport, output: OutputOptions, target: string): Promise<StoredReport> {
  const { report: readReport, toStoredReport } = await openLibrary();
  try {
    return await readReport({ in: target, load: report.load, rows: output.hasReportRows !== false });
  } catch (error) {
    if (!isSluiceError(error)) throw error;
    return toStoredReport({
      ...report,
      decisions: [...report.decisions, { what: 'warning', choice: 'the ledger could not be read for this page', why: error.message }],
    });
  }
}
