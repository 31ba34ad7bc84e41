/** docs/reference/configuration.md out of the tree that configuration files are read by. */
import { commands } from '../src/cli/command-list.ts';
import { listKeys } from '../src/cli/config/json-schema.ts';
import { presets } from '../src/cli/config/presets.ts';
import type { Leaf } from '../src/cli/config/shape.ts';

function describeKind(leaf: Leaf): string {
  if (leaf.kind === 'choice') return leaf.choices.map((choice) => `\`${choice}\``).join(', ');
  if (leaf.kind === 'switch') return '`true` or `false`';
  if (leaf.kind === 'names' || leaf.kind === 'texts' || leaf.kind === 'paths') return 'a text, or a list';
  if (leaf.kind === 'limit') return leaf.share ? 'a number, or a share such as `1%`' : 'a number';
  if (leaf.kind === 'columns') return 'keys';
  return leaf.kind === 'path' || leaf.kind === 'url' || leaf.kind === 'text' ? 'a text' : `a ${leaf.kind}`;
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
}

function writeOption({ option }: Leaf): string {
  if (option === 'from') return '`<from...>`';
  return option === 'password' ? '' : `\`--${option}\``;
}

/** The page as Markdown, not yet laid out. */
export function writeConfigReference(): string {
  const keys = listKeys(commands).map(
    ({ key, leaf, description }) => `| \`${key}\` | ${describeKind(leaf)} | ${escapeCell(description)} | ${writeOption(leaf)} |`,
  );
  const sets = Object.entries(presets).map(([name, { values, why }]) => {
    const options = Object.entries(values).map(([option, value]) => `\`${option}: ${String(value)}\``);
    return `| \`${name}\` | ${options.join(', ')} | ${why} |`;
  });
  return `# Configuration

Made from the code by \`npm run docs\`; a test fails when it is out of date.

A load can be described in a file: \`sluice load -c load.yaml\`, also for \`plan\`, \`preview\` and \`config show\`. It is YAML 1.2 or JSON. \`sluice plan … --write load.yaml\` writes one to start from.
Flags win over the environment (\`SLUICE_TABLE\` is \`--table\`), the environment over the file, the file over a preset; \`sluice config show -c load.yaml\` tells where each value comes from.
[load.schema.json](load.schema.json) is the JSON Schema; editors take it from the first line of a written file.

    # yaml-language-server: $schema=https://unpkg.com/sluice/docs/reference/load.schema.json
    from: data/people-*.csv
    to: postgres://app@\${DB_HOST:-localhost}/app
    password: env:DB_PASSWORD
    table: people
    key: id
    mode: upsert
    columns:
      id: integer
      age: { type: integer, from: years }
    limits: { max-rejects: 1% }
    output: { report: people.html }

\`\${NAME}\` is a variable of the environment, \`\${NAME:-otherwise}\` one with a default, \`$\${\` a plain \`\${\`. A value that begins with \`env:\` or \`file:\` is a secret: it is read from there and never shown.
Relative paths begin at the folder of the file. An unknown key is an error that names the nearest one.

| key | value | meaning | option |
| --- | --- | --- | --- |
${keys.join('\n')}

## Presets

\`--preset NAME\` or \`preset: NAME\`: options that belong together. All else wins over them.

| preset | options | why |
| --- | --- | --- |
${sets.join('\n')}
`;
}
