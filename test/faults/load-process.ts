/** The script of a child process: loads or resumes by the options given as JSON, and prints the report, or the error's code, as one line. */
import { isSluiceError } from '../../src/errors.ts';
import { load } from '../../src/load/load.ts';
import { resume, retry } from '../../src/load/resume.ts';
import type { LoadOptions, LoadReport } from '../../src/load/options.ts';
import type { RetryOptions } from '../../src/load/resume.ts';

/** What the child is to do. Options are plain data here. */
export type Task =
  | { readonly verb: 'load'; readonly options: LoadOptions }
  | { readonly verb: 'resume'; readonly options: RetryOptions }
  | { readonly verb: 'retry'; readonly options: RetryOptions };

/** What it prints at its end. */
export type Answer =
  { readonly report: LoadReport } | { readonly code: string; readonly message: string; readonly hint: string | undefined };

function runTask(task: Task): Promise<LoadReport> {
  if (task.verb === 'load') return load(task.options);
  return task.verb === 'resume' ? resume(task.options) : retry(task.options);
}

async function answer(task: Task): Promise<Answer> {
  try {
    return { report: await runTask(task) };
  } catch (error) {
    if (!isSluiceError(error)) throw error;
    return { code: error.code, message: error.message, hint: error.hint };
  }
}

console.log(JSON.stringify(await answer(JSON.parse(process.argv[2] ?? '') as Task)));
