/** Puts the values of a call together: flags win over the environment, that over the configuration file, and that over a preset. Each value keeps its origin. */
import { SluiceError } from '../../errors.ts';
import type { OptionValue, Origin } from '../option-value.ts';
import type { Config } from './file.ts';
import { presetNames, presets } from './presets.ts';

/** What flags and environment said. */
export interface Said {
  readonly values: Readonly<Record<string, OptionValue>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly flagged: ReadonlySet<string>;
  readonly arguments: readonly string[];
}

export interface Layered extends Omit<Said, 'flagged'> {
  readonly origins: Readonly<Record<string, Origin>>;
  /** Attributes whose values are not to be shown. */
  readonly secrets: ReadonlySet<string>;
  /** What the file says is to be read, and where it says so. */
  readonly fileSource: FileSource | undefined;
}

export interface FileSource {
  readonly value: readonly string[];
  readonly label: string;
  readonly isSecret: boolean;
}

/** Attributes of a file that are no options of their own. */
const files = 'from';
const password = 'password';

/**
 * @param attributes Those that the command has: a file may say more, for another command.
 * @throws SLUICE_USAGE for a preset that there is not
 */
export function layerValues(said: Said, config: Config | undefined, attributes: ReadonlySet<string>): Layered {
  const values: Record<string, OptionValue> = { ...said.values };
  const labels: Record<string, string> = { ...said.labels };
  const secrets = new Set<string>();
  const origins: Record<string, Origin> = {};
  for (const name of Object.keys(values)) origins[name] = said.flagged.has(name) ? 'flag' : 'environment';
  const isSet = (name: string): boolean => origins[name] !== undefined && !isDefault(said, name);
  for (const [name, { isSecret, label, value }] of config?.values ?? []) {
    if (name === files || name === password || !attributes.has(name) || isSet(name)) continue;
    values[name] = value;
    labels[name] = label;
    origins[name] = 'file';
    if (isSecret) secrets.add(name);
  }
  const named = values['preset'];
  if (typeof named === 'string') {
    for (const [name, value] of Object.entries(readPreset(named))) {
      if (!attributes.has(name) || isSet(name) || origins[name] === 'file') continue;
      values[name] = value;
      labels[name] = `preset ${named}: ${labels[name] ?? name}`;
      origins[name] = 'preset';
    }
  }
  takePassword({ values, config, secrets, origins });
  const fileSource = readSource(config);
  const sources = said.arguments.length > 0 ? said.arguments : (fileSource?.value ?? []);
  return { values, labels, origins, secrets, fileSource, arguments: sources };
}

/** `--no-x` makes commander fill in `true` for x, which nobody said. */
function isDefault({ values, flagged }: Said, name: string): boolean {
  return values[name] === true && negatable.has(name) && flagged.has(name);
}

const negatable: ReadonlySet<string> = new Set(['cache', 'copy', 'reportRows', 'statistics']);

function readPreset(name: string): Readonly<Record<string, OptionValue>> {
  const preset = Object.hasOwn(presets, name) ? presets[name] : undefined;
  if (preset !== undefined) return preset.values;
  throw new SluiceError('SLUICE_USAGE', `there is no preset ${JSON.stringify(name)}`, { hint: `use one of: ${presetNames.join(', ')}` });
}

function readSource(config: Config | undefined): FileSource | undefined {
  const found = config?.values.get(files);
  if (found === undefined || typeof found.value === 'boolean') return undefined;
  const { isSecret, label, value } = found;
  return { value: typeof value === 'string' ? [value] : value, label, isSecret };
}

interface Taking {
  readonly values: Record<string, OptionValue>;
  readonly config: Config | undefined;
  readonly secrets: Set<string>;
  readonly origins: Readonly<Record<string, Origin>>;
}

/** A password of the file belongs to the database of the file, and to no other. */
function takePassword({ values, config, secrets, origins }: Taking): void {
  const secret = config?.values.get(password)?.value;
  const to = values['to'];
  if (typeof secret !== 'string' || typeof to !== 'string' || origins['to'] !== 'file' || !URL.canParse(to)) return;
  const url = new URL(to);
  if (url.host === '') return;
  url.password = encodeURIComponent(secret);
  values['to'] = url.href;
  secrets.add('to');
}
