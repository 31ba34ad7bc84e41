/** Why a value does not fit its column: a code and a sentence that never holds the value itself. */
import type { RejectCode } from './batch.ts';
import type { Scalar } from './schema.ts';

/** What a conversion answers when it refuses. Messages are few and fixed, so that reports can group by them. */
export interface Unfit {
  readonly code: RejectCode;
  readonly message: string;
}

/** Tells a refusal from a value. No scalar is an object with a `code`, so one look is enough. */
export function isUnfit(value: Scalar | Unfit): value is Unfit {
  return typeof value === 'object' && value !== null && 'code' in value;
}

/** A null or a missing field where the column takes none. */
export const nullUnfit: Unfit = { code: 'VALUE_NULL', message: 'no value, and the column takes no null' };

/** A value whose JavaScript or JSON kind is not one that the column type reads. */
export function unfitType(expected: string, value: unknown): Unfit {
  return { code: 'VALUE_TYPE', message: `${nameKind(value)} where ${expected} belongs` };
}

/** Names the kind of a value for a message: `text`, `an array`, `true or false` … */
function nameKind(value: unknown): string {
  if (Array.isArray(value)) return 'an array';
  if (ArrayBuffer.isView(value)) return 'a binary array';
  if (value instanceof Date) return 'a date object';
  switch (typeof value) {
    case 'string':
      return 'text';
    case 'number':
    case 'bigint':
      return 'a number';
    case 'boolean':
      return 'true or false';
    case 'object':
      return 'an object';
    default:
      return `a ${typeof value}`;
  }
}
