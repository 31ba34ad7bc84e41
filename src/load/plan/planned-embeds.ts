/** What a plan says of its embeddings, and whether their columns hold vectors of the same embedders already. */
import { readEmbedder } from '../../ledger/reading.ts';
import type { Column } from '../../rows/schema.ts';
import type { Connection, TablePlan } from '../../target/driver.ts';
import { listAsked, type ColumnPlan } from './column-plan.ts';
import type { LoadOptions, LoadPlan } from '../options.ts';
import { listEmbeds, type EmbedPlan, type RunPlan } from './run-plan.ts';

/** As they were asked for, with the columns and dimensions that were chosen. */
export function describeEmbeds(options: LoadOptions, run: RunPlan): Pick<LoadPlan, 'embed' | 'moreEmbeds'> {
  const asked = listAsked(options.embed);
  const [embed, ...moreEmbeds] = listEmbeds(run).flatMap(({ identity, into }, at) => {
    const own = asked[at];
    return own === undefined ? [] : [{ ...own, into: nameOf(into, run.table.columns), dimensions: identity.dimensions }];
  });
  return moreEmbeds.length === 0 ? { embed } : { embed, moreEmbeds };
}

/** Vectors of two embedders in one column can't be compared with each other. */
export async function findEmbedderProblem(connection: Connection, table: TablePlan, plan: ColumnPlan): Promise<string | undefined> {
  if (table.isNew || table.mode === 'replace') return undefined;
  for (const embed of listEmbeds(plan)) {
    const problem = await findOtherEmbedder(connection, table, { embed, columns: plan.columns });
    if (problem !== undefined) return problem;
  }
  return undefined;
}

async function findOtherEmbedder(
  connection: Connection,
  table: TablePlan,
  { embed, columns }: { readonly embed: EmbedPlan; readonly columns: readonly Column[] },
): Promise<string | undefined> {
  const column = nameOf(embed.into, columns);
  const stored = await readEmbedder(connection, table.table, column);
  if (stored === undefined) return undefined;
  const { identity } = JSON.parse(stored) as { readonly identity: typeof embed.identity };
  if (JSON.stringify(identity) === JSON.stringify(embed.identity)) return undefined;
  return `The column ${column} of ${table.table} holds vectors of ${identity.provider}/${identity.model} (${String(identity.dimensions)} dimensions); those of ${embed.identity.model} can't be compared with them. Use --into for another column, or mode replace.`;
}

function nameOf(index: number, columns: readonly Column[]): string {
  return columns[index]?.name ?? '';
}
