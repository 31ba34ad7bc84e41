/** Addresses as they may be shown, kept or pasted: passwords and parameters that permit something are hidden or left out. One meaning of "secret" for targets, sources, commands, pages and logs. */

/** Names of parameters whose values nobody else should read. */
const secretName = /password|passwd|^pwd$|secret|token|signature|^sig$|credential|api[-_]?key|access[-_]?key|^key$|^auth(?:orization)?$/iu;

export function isSecretName(name: string): boolean {
  return secretName.test(name);
}

/** Where a path stands instead of a host: an `@` in it is a letter like others. */
const fileScheme = /^(?:sqlite|pglite):(?!\/\/[^/])/iu;

/** `scheme://` or `//`; without slashes only what looks like `user:password@host`. */
const lead = /^(?:[a-z][a-z0-9+.-]*:)?\/\//iu;
const bareScheme = /^(?:postgres(?:ql)?|rqlites?|https?):(?!\d)/iu;
const bareLogin = /^[\w.+-]*:\S*@[\w.,:[\]-]+(?:[/?]|$)/iu;

/** A port, or none, as it follows a host that has no user before it. */
const port = /^\d{0,5}(?![\w%])/u;
const portAlone = /^\d{0,5}(?:[,/?#]|$)/u;

interface Span {
  readonly from: number;
  readonly to: number;
}

/**
 * Where the password is. It may hold what should have been an escape: it goes up to the last `@` before the parameters. One that has no `@` behind it (the host was
 * forgotten, or a question mark is in it) is told from a port by not being a number.
 */
function findPassword(address: string): Span | undefined {
  if (fileScheme.test(address)) return undefined;
  const start = findLogin(address);
  const colon = start === undefined ? -1 : address.indexOf(':', start);
  if (start === undefined || colon < 0 || /[/?#[\]]/u.test(address.slice(start, colon))) return undefined;
  const from = colon + 1;
  const mark = address.slice(from).search(/\?(?=[\w.~-]+=)/u);
  const end = mark < 0 ? address.length : from + mark;
  const at = address.lastIndexOf('@', end - 1);
  // A user may hold an @ (`me@server`); so may a path behind a user, a host and its port.
  const hasUser = address.slice(start, colon).includes('@');
  if (hasUser && (at < from || portAlone.test(address.slice(from)))) return undefined;
  if (at >= from) return { from, to: at };
  if (port.test(address.slice(from))) return undefined;
  const later = address.lastIndexOf('@');
  return { from, to: later >= from ? later : end };
}

/** Where a user would begin; undefined for what is no address. */
function findLogin(address: string): number | undefined {
  const slashes = lead.exec(address);
  if (slashes !== null) return slashes[0].length;
  const scheme = bareScheme.exec(address)?.[0].length ?? 0;
  return bareLogin.test(address.slice(scheme)) ? scheme : undefined;
}

const parameter = /([?&])([^=&?\s'"]+)=([^&\s'"]*)/gu;

/** An address with `***` for what is secret; other text as it is. */
export function hideSecrets(address: string): string {
  const found = findPassword(address);
  const shown = found === undefined ? address : `${address.slice(0, found.from)}***${address.slice(found.to)}`;
  return hideParameters(shown);
}

function hideParameters(text: string): string {
  return text.replaceAll(parameter, (whole, mark: string, name: string) => (isSecretName(name) ? `${mark}${name}=***` : whole));
}

/** An address that names the same place without what is secret: who uses it gives the password in another way. */
export function dropSecrets(address: string): string {
  const found = findPassword(address);
  const rest = found === undefined ? address : `${address.slice(0, found.from - 1)}${address.slice(found.to)}`;
  const [base = '', parameters = ''] = rest.split(/\?(?=[\w.~-]+=)(.*)/su);
  const kept = parameters.split('&').filter((each) => each !== '' && !isSecretName(/^[^=]*/u.exec(each)?.[0] ?? ''));
  return kept.length === 0 ? base : `${base}?${kept.join('&')}`;
}

/** Any text, with the secrets of the addresses in it hidden. */
export function hideSecretsIn(text: string): string {
  return hideParameters(text.replaceAll(/[a-z][a-z0-9+.-]*:\/\/[^\s'"<>]+/giu, hideSecrets));
}
