/** The tree of a Parquet schema, with the levels at which each node is there. A tree that its list of elements does not spell is refused. */
import type { SchemaElement } from 'hyparquet';
import { PageFault } from './fault.ts';

/** A node of the schema. */
export interface SchemaNode {
  readonly name: string;
  readonly element: SchemaElement;
  readonly children: readonly SchemaNode[];
  readonly repetition: 'REQUIRED' | 'OPTIONAL' | 'REPEATED';
  /** Definition level from which on the node is there: of a repeated one, has at least one element. */
  readonly definition: number;
  /** Repeated nodes on the way to it, itself counted. */
  readonly repeated: number;
  /** Ordinal among all leaves; -1 for a group. */
  readonly leaf: number;
  /** The leaves under it in order; of a leaf itself. */
  readonly leaves: readonly SchemaNode[];
}

/** Levels are kept in a byte; nobody nests deeper (pyarrow's limit is 100). */
const maxLevel = 100;
/** Columns, nested ones counted; more would be a mistake or an attack. */
const maxElements = 100_000;

/** Builds the tree; answers the nodes under the root. */
export function buildSchema(elements: readonly SchemaElement[]): readonly SchemaNode[] {
  if (elements.length > maxElements) throw new PageFault(`a schema of ${String(elements.length)} nodes`);
  let next = 1;
  let leafCount = 0;
  const build = (parent: Pick<SchemaNode, 'definition' | 'repeated'>, depth: number): SchemaNode => {
    const element = elements[next++];
    if (element === undefined || depth > maxLevel) throw new PageFault('its schema is no tree');
    const repetition = element.repetition_type ?? 'REQUIRED';
    const levels = {
      definition: parent.definition + (repetition === 'REQUIRED' ? 0 : 1),
      repeated: parent.repeated + (repetition === 'REPEATED' ? 1 : 0),
    };
    const isLeaf = element.type !== undefined;
    if (isLeaf && (element.num_children ?? 0) > 0) throw new PageFault('its schema is no tree');
    const leaf = isLeaf ? leafCount++ : -1;
    const children = isLeaf ? [] : buildChildren(element.num_children, () => build(levels, depth + 1));
    if (!isLeaf && children.length === 0) throw new PageFault(`its group ${element.name} holds nothing`);
    const leaves: SchemaNode[] = children.flatMap((child) => child.leaves);
    const node: SchemaNode = { name: element.name, element, children, repetition, ...levels, leaf, leaves };
    if (isLeaf) leaves.push(node);
    return node;
  };
  const fields = buildChildren(elements[0]?.num_children, () => build({ definition: 0, repeated: 0 }, 1));
  if (next !== elements.length) throw new PageFault('its schema is no tree');
  return fields;
}

function buildChildren(count: number | undefined, build: () => SchemaNode): readonly SchemaNode[] {
  if (count === undefined || count < 0 || count > maxElements) throw new PageFault('its schema is no tree');
  const children: SchemaNode[] = [];
  for (let index = 0; index < count; index++) children.push(build());
  return children;
}

/** A list of plain values: the leaf, and the levels at which the list is there and has an element. */
export interface ListShape {
  readonly leaf: SchemaNode;
  /** From this level on there is a list. */
  readonly list: number;
  /** From this level on there is an element, if only a null. */
  readonly element: number;
}

/** A field that is a list of leaves, in the three spellings that there are: repeated leaf, list of two levels, list of three. */
export function matchList(node: SchemaNode): ListShape | undefined {
  if (node.leaf !== -1) {
    return node.repetition === 'REPEATED' ? { leaf: node, list: node.definition - 1, element: node.definition } : undefined;
  }
  const [repeated, ...others] = node.children;
  if (repeated === undefined || others.length > 0 || !isListGroup(node) || repeated.repetition !== 'REPEATED') return undefined;
  const levels = { list: node.definition, element: repeated.definition };
  if (repeated.leaf !== -1) return { leaf: repeated, ...levels };
  const [leaf, ...more] = repeated.children;
  if (leaf === undefined || more.length > 0 || leaf.leaf === -1 || leaf.repetition === 'REPEATED' || isTupleName(repeated, node))
    return undefined;
  return { leaf, ...levels };
}

/** A group that is annotated as a list and not repeated itself. */
export function isListGroup({ element, repetition }: SchemaNode): boolean {
  return repetition !== 'REPEATED' && (element.converted_type === 'LIST' || element.logical_type?.type === 'LIST');
}

/** Names by which old writers tell that the repeated group is the element itself and no wrapping of it. */
export function isTupleName(repeated: SchemaNode, list: SchemaNode): boolean {
  return repeated.name === 'array' || repeated.name === `${list.name}_tuple`;
}

/** Bytes of a value of fixed width; undefined for BYTE_ARRAY; BOOLEAN has a byte a value once it is read. */
export function fixedWidth({ element }: SchemaNode): number | undefined {
  switch (element.type) {
    case 'BOOLEAN':
      return 1;
    case 'INT32':
    case 'FLOAT':
      return 4;
    case 'INT64':
    case 'DOUBLE':
      return 8;
    case 'INT96':
      return 12;
    case 'FIXED_LEN_BYTE_ARRAY': {
      const width = element.type_length ?? 0;
      if (width <= 0) throw new PageFault('its values are of a fixed length that is not given');
      return width;
    }
    default:
      return undefined;
  }
}
