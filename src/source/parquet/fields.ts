/** What each top-level field of a file becomes: a column of scalars, of vectors, or JSON. */
import type { Column, ColumnType } from '../../rows/schema.ts';
import type { DeclaredField } from '../source.ts';
import { minEmbeddingLength, type ListLengths } from './list-lengths.ts';
import { isFloat } from './floats.ts';
import type { Footer } from './footer.ts';
import { findKind, isNullOnly, isUnsigned64, wideUnsigned, type Kind } from './kinds.ts';
import { matchList, type ListShape, type SchemaNode } from './schema.ts';

/** How a field is read. */
export type FieldPlan =
  | { readonly kind: 'scalar'; readonly leaf: SchemaNode; readonly values: Kind }
  | { readonly kind: 'vector'; readonly list: ListShape; readonly dimensions: number }
  | { readonly kind: 'nested'; readonly leaves: readonly { readonly leaf: SchemaNode; readonly values: Kind }[] };

export interface Field {
  readonly name: string;
  readonly node: SchemaNode;
  readonly plan: FieldPlan;
  readonly declared: DeclaredField;
  /** The type follows from the schema, or as good as: a file that declares another one disagrees. False where it was seen in this file's values. */
  readonly isCertain: boolean;
  /** The type is this file's word; else the sampled values tell. */
  readonly isStated: boolean;
}

/** A field that is a list of floats; whether they are vectors depends on the lengths. */
export function findFloatList(node: SchemaNode): ListShape | undefined {
  const list = matchList(node);
  return list !== undefined && isFloat(list.leaf) ? list : undefined;
}

/** Describes a field; `lists` is what its lists of floats look like, if it is such. */
export function describeField(node: SchemaNode, footer: Footer, lists: ListLengths | undefined): Field {
  const plan = planField(node, footer, lists?.dimensions);
  // Short lists of one length may be vectors or be so by chance, and lists that are all null may be anything in the next file.
  const isEmbedding = plan.kind === 'vector' && plan.dimensions >= minEmbeddingLength;
  const isNull = isNullOnly(node.element);
  const isStated = lists === undefined ? !isNull : isEmbedding || (plan.kind === 'nested' && lists.isSeen);
  const isCertain = lists === undefined ? !isUnsigned64(node) && !isNull : isEmbedding;
  const type: ColumnType = plan.kind === 'scalar' ? plan.values.type : plan.kind === 'vector' ? 'vector' : 'json';
  const isNullable = node.repetition === 'OPTIONAL';
  const declared = { name: node.name, type, isNullable, ...(plan.kind === 'vector' ? { dimensions: plan.dimensions } : {}) };
  return { name: node.name, node, plan, declared, isCertain, isStated };
}

function planField(node: SchemaNode, footer: Footer, dimensions: number | undefined): FieldPlan {
  const list = findFloatList(node);
  if (list !== undefined && dimensions !== undefined) return { kind: 'vector', list, dimensions };
  if (node.leaf === -1 || node.repetition === 'REPEATED') return planNested(node);
  return { kind: 'scalar', leaf: node, values: isUnsigned64(node) && !fitsSigned(node, footer) ? wideUnsigned : findKind(node) };
}

function planNested(node: SchemaNode): FieldPlan {
  return { kind: 'nested', leaves: node.leaves.map((leaf) => ({ leaf, values: findKind(leaf) })) };
}

/** Whether the statistics of every row group say that no value needs the 64th bit. */
function fitsSigned(leaf: SchemaNode, { groups }: Footer): boolean {
  return groups.every(({ chunks }) => {
    const chunk = chunks[leaf.leaf];
    const largest = chunk?.statistics?.max_value ?? chunk?.statistics?.max;
    const isEmpty = chunk === undefined || chunk.entryCount === Number(chunk.statistics?.null_count ?? 0);
    return isEmpty || (typeof largest === 'bigint' && largest >= 0n && largest < 2n ** 63n);
  });
}

/** The field as the target column wants it: bytes that are to be text are decoded, float lists are vectors of its length, or JSON. */
export function fitField(field: Field, column: Pick<Column, 'type' | 'dimensions'> | undefined): FieldPlan {
  const { node, plan } = field;
  if (column === undefined) return plan;
  const list = column.type === 'vector' ? findFloatList(node) : undefined;
  if (list !== undefined && column.dimensions !== undefined) return { kind: 'vector', list, dimensions: column.dimensions };
  if (plan.kind === 'vector' && column.type !== 'vector') return planNested(node);
  const isTextual = !['bytes', 'vector'].includes(column.type);
  if (plan.kind === 'scalar' && plan.values.type === 'bytes' && isTextual) return { ...plan, values: findKind(plan.leaf, true) };
  return plan;
}
