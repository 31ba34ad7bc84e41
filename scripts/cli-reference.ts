/** docs/reference/cli.md out of the commands as they are: what help shows, in one page. */
import { commands as all } from '../src/cli/command-list.ts';
import type { CommandSpec } from '../src/cli/command-list.ts';
import type { OptionGroup } from '../src/cli/option-list.ts';

const commands = all.filter(({ isHidden }) => isHidden !== true);

/** A bar would end the cell of a table, an angle bracket begin a tag of HTML. */
function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
}

function writeGroup({ title, options }: OptionGroup): string {
  const rows = options.map(({ flags, description, isRepeatable }) => {
    const more = isRepeatable === true ? ' May be given several times.' : '';
    return `| \`${flags.replaceAll('|', '\\|')}\` | ${escapeCell(description)}.${more} |`;
  });
  return `**${title.replace(/:$/u, '')}**\n\n| option | meaning |\n| --- | --- |\n${rows.join('\n')}\n`;
}

function writeCommand(spec: CommandSpec): string {
  const usage = `sluice ${spec.name} ${spec.usage}`.trim();
  const argument = spec.usage === '' ? '' : `\n\`${spec.usage}\`: ${spec.argumentHelp}.\n`;
  const examples = spec.examples.map(([what, command]) => `# ${what}\n${command}`).join('\n');
  const summary = `${spec.summary.charAt(0).toUpperCase()}${spec.summary.slice(1)}.`;
  return [
    `## sluice ${spec.name}`,
    '',
    escapeCell(summary),
    '',
    `    ${usage} [options]`,
    argument,
    '```console',
    examples,
    '```',
    '',
    ...spec.groups.map(writeGroup),
  ].join('\n');
}

/** The page as Markdown, not yet laid out. */
export function writeCliReference(): string {
  const list = commands.map(({ name, summary }) => `| [${name}](#sluice-${name}) | ${escapeCell(summary)} |`).join('\n');
  return `# Command line

Made from the commands themselves by \`npm run docs\`; a test fails when it is out of date.

Every option can also be given in the environment, \`SLUICE_TO=sqlite:library.db\` for \`--to sqlite:library.db\`. Flags win over the environment, the environment over a configuration file.
Data goes to stdout, all else to stderr. Sizes are written \`64MiB\` or \`1GB\`, durations \`250ms\`, \`30s\` or \`5m\`.

| exit code | meaning |
| --- | --- |
| 0 | done |
| 1 | a mistake in sluice |
| 2 | the command can't be carried out as given |
| 3 | done, and some rows were rejected |
| 4 | stopped by a limit of rejects or deletions |
| 5 | transient: the same command may succeed later; a load is resumable |
| 6 | permanent until somebody mends the cause |
| 7 | the target does not hold what the ledger says |
| 130 | interrupted, resumable |

| command | what it does |
| --- | --- |
${list}

${commands.map(writeCommand).join('\n')}`;
}
