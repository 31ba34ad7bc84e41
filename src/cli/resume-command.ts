/** The command that goes on with a load, ready to be pasted into a shell; a password in the URL is left out. */

/** `sluice resume --in sqlite:library.db 4f2k9`. */
export function writeResumeCommand(target: string, load: string): string {
  return `sluice resume --in ${quoteArgument(hidePassword(target))} ${quoteArgument(load)}`;
}

/** Leaves a word as it is where no shell could misread it, else puts it in single quotes. */
function quoteArgument(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** `postgres://me:secret@host/db` becomes `postgres://me@host/db`. A password may hold anything but the last `@` before the host. */
export function hidePassword(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/[^:@/]*):[^/]*@/i, '$1@');
}
