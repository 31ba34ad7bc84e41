/** Ends the process while a thread of it is held by code that can't be interrupted; `process.exit` would wait for that thread for ever (Node 24 and 26). */

/** Ends with the exit code, at once. Where a process can't be replaced (Windows) it is killed, with the exit code that the system gives to that. */
export function endAtOnce(exitCode: number): void {
  // The thread, its files and their locks go with the process's old image; what takes its place does nothing but tell the exit code.
  if (process.platform !== 'win32') process.execve?.('/bin/sh', ['sh', '-c', `exit ${String(exitCode)}`], {});
  process.kill(process.pid, 'SIGKILL');
}
