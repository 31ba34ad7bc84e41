/** `sluice config`: the options as they take effect with where each comes from, or the JSON Schema of configuration files. */
import { SluiceError } from '../errors.ts';
import { findNearest } from '../nearest.ts';
import { hideSecrets } from '../secret-text.ts';
import type { Invocation } from './invocation.ts';
import { toJsonLine, toJsonText } from './json-line.ts';
import type { OptionValue } from './option-value.ts';
import { layoutTable } from './table.ts';
import { writeAll } from './terminal.ts';

const actions = ['show', 'schema'] as const;
const mask = '(secret)';

interface Shown {
  readonly option: string;
  readonly value: OptionValue;
  readonly origin: string;
  readonly label: string;
}

export async function runConfig(invocation: Invocation): Promise<number> {
  const { stdout } = invocation.terminal;
  const [action = 'show', ...from] = invocation.arguments;
  if (action === 'schema') {
    const { writeConfigSchema } = await import('./config/json-schema.ts');
    invocation.ready();
    await writeAll(stdout, [toJsonText(writeConfigSchema(invocation.commands))]);
    return 0;
  }
  if (action !== 'show') throw unknownAction(action);
  const shown = listShown(invocation, from);
  invocation.ready();
  await writeAll(
    stdout,
    invocation.values['json'] === true ? [toJsonLine({ schema: 1, options: shown })] : layoutShown(shown, stdout.width()),
  );
  return 0;
}

function unknownAction(action: string): SluiceError {
  const nearest = findNearest(action, actions);
  return new SluiceError('SLUICE_USAGE', `config does not know ${JSON.stringify(action)}`, {
    hint: nearest === undefined ? `use one of: ${actions.join(', ')}` : `did you mean sluice config ${nearest}?`,
  });
}

/** Values that nobody said, but commander filled in, are left out. */
function listShown({ values, labels, origins, secrets, fileSource }: Invocation, from: readonly string[]): readonly Shown[] {
  const options = Object.entries(values)
    .filter(([name]) => origins[name] !== undefined && name !== 'json' && !isFilledIn(name, values[name]))
    .map(([name, value]): Shown => {
      const origin = origins[name] ?? '';
      return { option: toOption(name), value: secrets.has(name) ? mask : hidePasswords(value), origin, label: labels[name] ?? '' };
    });
  if (from.length > 0) return [{ option: 'from', value: from.map(hideSecrets), origin: 'argument', label: '' }, ...options];
  if (fileSource === undefined) return options;
  const value = fileSource.isSecret ? mask : fileSource.value.map(hideSecrets);
  return [{ option: 'from', value, origin: 'file', label: fileSource.label }, ...options];
}

function isFilledIn(name: string, value: OptionValue | undefined): boolean {
  return value === true && ['cache', 'copy', 'reportRows'].includes(name);
}

function toOption(attribute: string): string {
  return attribute.replaceAll(/[A-Z]/gu, (letter) => `-${letter.toLowerCase()}`);
}

function hidePasswords(value: OptionValue): OptionValue {
  return typeof value === 'string' ? hideSecrets(value) : value;
}

function layoutShown(shown: readonly Shown[], width: number | undefined): readonly string[] {
  if (shown.length === 0) return ['nothing is set: every option has its default\n'];
  const rows = shown.map(({ label, option, origin, value }) => [option, writeValue(value), origin, label.startsWith('--') ? '' : label]);
  return layoutTable({ columns: [{ title: 'option' }, { title: 'value' }, { title: 'from' }, { title: 'where' }], rows, width }).map(
    (line) => `${line}\n`,
  );
}

function writeValue(value: OptionValue): string {
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  return typeof value === 'string' ? value : value.join(', ');
}
