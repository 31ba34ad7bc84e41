/** Names of the columns of a statement's answer, the same for every target. */

/** A name that comes again gets a number behind it, as SQLite gives one in a subquery; else one value would hide the other. */
export function nameColumns(names: readonly string[]): readonly string[] {
  const all = new Set(names);
  if (all.size === names.length) return names;
  const taken = new Set<string>();
  return names.map((name) => {
    let unique = name;
    for (let count = 1; taken.has(unique) || (count > 1 && all.has(unique)); count++) unique = `${name}:${String(count)}`;
    taken.add(unique);
    return unique;
  });
}
