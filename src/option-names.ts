/** Options as programs in JavaScript write them: a name that a verb does not have is refused with the nearest that it has, for it would change nothing in silence. */
import { SluiceError } from './errors.ts';
import { findNearest } from './nearest.ts';

/** Names that are known, those of groups (`embed.column`) below the group's. */
export interface OptionNames {
  readonly [name: string]: true | OptionNames;
}

/** Every name of a type of options: the compiler asks for those that are missing, and refuses others. */
export type NamesOf<Options> = { readonly [Name in keyof Options]-?: true | OptionNames };

/** Enough of a name to know it by. */
const maxShown = 64;

/** Refuses what is set under a name that is not known; a name without a value asks for nothing. @throws SLUICE_USAGE */
export function refuseUnknownOptions(verb: string, options: object, known: OptionNames): void {
  const problems: string[] = [];
  let isListNeeded = false;
  for (const { name, under } of listUnknown(options, known)) {
    const nearest = findName(name, under, known);
    isListNeeded ||= nearest === undefined;
    const shown = JSON.stringify([...under, name].join('.').slice(0, maxShown));
    problems.push(`${verb} has no option ${shown}.${nearest === undefined ? '' : ` Did you mean ${nearest}?`}`);
  }
  if (problems.length === 0) return;
  const hint = isListNeeded
    ? `Its options: ${Object.keys(known).join(', ')}.`
    : 'Nothing was done; write the name as it is and call again.';
  throw new SluiceError('SLUICE_USAGE', problems.join(' '), { problems, hint });
}

interface UnknownName {
  readonly name: string;
  /** Groups above. */
  readonly under: readonly string[];
}

function listUnknown(options: object, known: OptionNames, under: readonly string[] = []): readonly UnknownName[] {
  return Object.entries(options).flatMap(([name, value]: [string, unknown]) => {
    if (value === undefined) return [];
    const entry = Object.hasOwn(known, name) ? known[name] : undefined;
    if (entry === undefined) return [{ name, under }];
    if (entry === true) return [];
    const groups: readonly unknown[] = Array.isArray(value) ? value : [value];
    return groups.filter(isRecord).flatMap((group) => listUnknown(group, entry, [...under, name]));
  });
}

function isRecord(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** The nearest name of the same group, else of any: `metric` is `index.metric`. */
function findName(name: string, under: readonly string[], known: OptionNames): string | undefined {
  const places = new Map(listPlaces(known, []).toReversed());
  let group = known;
  for (const each of under) group = group[each] === true ? {} : (group[each] ?? {});
  const near = findNearest(name, Object.keys(group));
  if (near !== undefined) return [...under, near].join('.');
  const elsewhere = findNearest(name, [...places.keys()]);
  return elsewhere === undefined ? undefined : places.get(elsewhere);
}

function listPlaces(known: OptionNames, under: readonly string[]): readonly (readonly [name: string, place: string])[] {
  return Object.entries(known).flatMap(([name, entry]) => {
    const place = [...under, name];
    return [[name, place.join('.')] as const, ...(entry === true ? [] : listPlaces(entry, place))];
  });
}
