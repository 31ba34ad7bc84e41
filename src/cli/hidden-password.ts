/** URLs as they may be shown: what stands for a password is taken out, in front of the host and among the parameters. */

/** Any text that may be a URL; one without a password stays as it is. */
export function hidePassword(text: string): string {
  return text.replace(/(\/\/[^:/@\s]*):[^@/\s]*@/u, '$1:***@').replace(/([?&]password=)[^&]*/u, '$1***');
}
