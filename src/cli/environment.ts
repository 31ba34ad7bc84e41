/** Options from the environment: `SLUICE_MAX_REJECTS` for `--max-rejects`. A flag always wins. */
import { SluiceError } from '../errors.ts';
import type { OptionValue } from './invocation.ts';
import { parseSwitch } from './values.ts';

/** What must be known of an option to read it from the environment; commander's `Option` fits. */
interface EnvironmentOption {
  readonly long?: string | undefined;
  readonly short?: string | undefined;
  readonly negate: boolean;
  isBoolean(): boolean;
  attributeName(): string;
}

interface EnvironmentValue {
  readonly attribute: string;
  readonly name: string;
  readonly value: OptionValue;
}

/** The variable for an option: `SLUICE_` and its name in capitals. */
function nameVariable(option: EnvironmentOption): string {
  const name = (option.long ?? option.short ?? '').replace(/^-+/, '');
  return `SLUICE_${name.toUpperCase().replaceAll('-', '_')}`;
}

/**
 * The values that are set; an empty variable counts as not set.
 *
 * @throws SLUICE_USAGE for a switch that is neither on nor off.
 */
export function readEnvironment(
  options: readonly EnvironmentOption[],
  repeatable: ReadonlySet<string>,
  env: Readonly<Record<string, string | undefined>>,
): readonly EnvironmentValue[] {
  const found: EnvironmentValue[] = [];
  for (const option of options) {
    const name = nameVariable(option);
    const text = env[name];
    if (text === undefined || text === '') continue;
    const attribute = option.attributeName();
    if (!option.isBoolean() && !option.negate) {
      found.push({ attribute, name, value: repeatable.has(attribute) ? text.split(',') : text });
    } else if (readSwitch(name, text)) {
      found.push({ attribute, name, value: !option.negate });
    }
  }
  return found;
}

function readSwitch(name: string, text: string): boolean {
  const value = parseSwitch(text);
  if (value === undefined) {
    throw new SluiceError('SLUICE_USAGE', `${name}: "${text}" is neither on nor off`, { hint: `set ${name}=1 or ${name}=0` });
  }
  return value;
}
