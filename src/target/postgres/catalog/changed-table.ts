/** The catalog's view of a table as it will be once a load has added and widened columns: everything else of a plan looks at this one. */
import type { ColumnChange, TargetOptions } from '../../driver.ts';
import { declareType, describeNewType } from './column-types.ts';
import type { CatalogColumn, CatalogTable } from './table.ts';

/** The table as it will be when the load begins. */
export function applyChanges(
  table: CatalogTable | undefined,
  changes: readonly ColumnChange[],
  options: TargetOptions,
): CatalogTable | undefined {
  if (table === undefined || changes.length === 0) return table;
  const kept = table.columns.map((column) => {
    const change = changes.find((each) => each.column.name === column.name);
    return change === undefined ? column : { ...column, ...describe(change, options) };
  });
  const added = changes
    .filter(({ kind }) => kind === 'add')
    .map((change) => ({ ...describe(change, options), ...newColumn(table), name: change.column.name }));
  return { ...table, columns: [...kept, ...added] };
}

function describe(
  { column }: ColumnChange,
  options: TargetOptions,
): Pick<
  CatalogColumn,
  'declaredType' | 'baseName' | 'baseOid' | 'typmod' | 'baseKind' | 'arrayOid' | 'elementOid' | 'elementName' | 'elementKind'
> {
  const { name, oid, typmod } = describeNewType(column, options);
  return {
    declaredType: declareType(column, options),
    baseName: name,
    baseOid: oid,
    typmod,
    baseKind: 'b',
    arrayOid: 0,
    elementOid: 0,
    elementName: null,
    elementKind: null,
  };
}

/** Whoever may add a column may write into it. */
function newColumn({ isOwner }: CatalogTable): Omit<CatalogColumn, 'name' | keyof ReturnType<typeof describe>> {
  return {
    isNullable: true,
    hasDefault: false,
    generated: '',
    identity: '',
    canInsert: isOwner,
    canSelect: isOwner,
    canUpdate: isOwner,
    isDeterministic: true,
  };
}
