/** Chooses how rows travel: COPY or INSERT, binary or text, straight or over a staging table. Every way that is not the fastest is said with its reason. */
import type { Decision } from '../../driver.ts';
import { hasArrayForm } from '../wire/arrays.ts';
import { canEncode, hasBinaryForm } from '../wire/encode.ts';
import { maxStoredDimensions } from './index-cost.ts';
import type { Advice, PlanContext } from './context.ts';
import type { PostgresSettings } from '../settings.ts';
import type { WireColumn } from '../wire-column.ts';

export interface Way extends Advice, Pick<PostgresSettings, 'way' | 'format' | 'staging'> {}

type Publish = PostgresSettings['publish'];

/** The way of the load's rows into `writesTo`, which `publish` names. */
export function chooseWay(context: PlanContext, publish: Publish): Way {
  const needsStaging = (context.request.mode === 'upsert' || context.request.mode === 'skip') && publish !== 'move';
  const staged = needsStaging ? chooseStaging(context) : { staging: 'none' as const, why: '' };
  const whyNot = findCopyObstacle(context, publish, staged.staging) ?? (needsStaging && staged.staging === 'none' ? staged.why : undefined);
  const way = whyNot === undefined ? 'copy' : 'insert';
  const odd = context.wires.filter((wire) => !(way === 'copy' ? hasBinaryForm(wire) : hasArrayForm(wire)));
  const format = context.wires.every(hasBinaryForm) ? 'binary' : 'text';
  const decisions: Decision[] =
    way === 'copy'
      ? [explainCopy(context, format, odd)]
      : [{ what: 'way', choice: 'INSERT … SELECT FROM unnest, values in binary', why: whyNot ?? '' }];
  if (way === 'insert' && odd.length > 0) decisions.push(explainRowInsert(odd));
  const staging = way === 'copy' ? staged.staging : 'none';
  if (staging !== 'none') decisions.push({ what: 'staging', choice: stagingNames[staging], why: staged.why });
  return {
    way,
    format,
    staging,
    decisions,
    problems: [...findTypeProblems(context), ...(way === 'insert' ? findInsertProblems(context, whyNot ?? '') : [])],
  };
}

const stagingNames = {
  temporary: 'a temporary table of each batch, then one INSERT … SELECT … ON CONFLICT',
  unlogged: 'an unlogged table of each lane, then one INSERT … SELECT … ON CONFLICT',
} as const;

/** COPY knows no ON CONFLICT, so rows wait in a table that needs no log: it is empty or gone before the batch is committed. */
function chooseStaging({ state, family }: PlanContext): { readonly staging: PostgresSettings['staging']; readonly why: string } {
  if (state.canMakeTemporary && family.supportsTemporary) {
    return { staging: 'temporary', why: 'COPY has no ON CONFLICT; rows with equal keys in one batch are settled there' };
  }
  const missing = `the role ${state.role} may make no temporary tables in ${state.database} (GRANT TEMPORARY ON DATABASE …)`;
  if (state.canCreateInSchema && family.supportsUnlogged) return { staging: 'unlogged', why: missing };
  return { staging: 'none', why: `${missing} and no other tables either, so there is no place for COPY to put rows that meet ON CONFLICT` };
}

/** Why COPY can't be used, or undefined. */
function findCopyObstacle(
  { options, table, family, state }: PlanContext,
  publish: Publish,
  staging: PostgresSettings['staging'],
): string | undefined {
  if (options.usesCopy === false) return 'as asked for';
  const setting = family.atomicCopySetting;
  if (setting !== undefined && staging !== 'temporary' && state.marks[setting] !== '0') {
    return `${family.name} commits a COPY in pieces, so a batch would not stand or fall as a whole; COPY is taken where the role has ${setting} = 0`;
  }
  if (table === undefined || publish !== 'rows' || staging !== 'none') return undefined;
  if (table.isRowSecured) return `row-level security holds for the role ${state.role} on ${table.name}, and COPY FROM is refused there`;
  return undefined;
}

function explainCopy({ wires }: PlanContext, format: 'binary' | 'text', odd: readonly WireColumn[]): Decision {
  if (format === 'binary' && !wires.some(({ column }) => column.type === 'vector')) {
    return { what: 'way', choice: 'COPY, every column in binary', why: 'the server parses no text' };
  }
  if (format === 'binary') {
    return {
      what: 'way',
      choice: 'COPY, every column in binary',
      why: 'the server parses nothing: 5.4 × the speed of text for vectors (measured)',
    };
  }
  return {
    what: 'way',
    choice: `COPY as text, for ${listTypes(odd)}`,
    why: 'a COPY has one format for all columns, and no binary form of that type is known; text is several times slower for vectors',
  };
}

function explainRowInsert(odd: readonly WireColumn[]): Decision {
  return {
    what: 'statement',
    choice: `INSERT … VALUES of many rows, for ${listTypes(odd)}`,
    why: 'that type can not be sent as an array of values',
  };
}

function listTypes(wires: readonly WireColumn[]): string {
  return wires.map(({ column, type }) => `${column.name} (${type.name}${type.isArray ? '[]' : ''})`).join(', ');
}

/** Values of INSERT are sent in binary; only COPY has a text form for every type. */
function findInsertProblems({ wires, name }: PlanContext, why: string): readonly string[] {
  return wires
    .filter((wire) => canEncode(wire) && !hasBinaryForm(wire))
    .map(
      ({ column, type }) =>
        `The column ${column.name} of ${name} is ${type.name}, which INSERT can't be sent, and COPY is not used (${why}); leave the column out.`,
    );
}

function findTypeProblems({ wires, name }: PlanContext): readonly string[] {
  return wires
    .filter((wire) => !canEncode(wire) && (wire.column.dimensions ?? 0) <= maxStoredDimensions)
    .map(({ column, type }) => {
      const target = `${type.name}${type.isArray ? '[]' : ''}`;
      return `The column ${column.name} of ${name} is ${target}, and values of type ${column.type} have no form there; give it another type with --column, or leave it out.`;
    });
}
