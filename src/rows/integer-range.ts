/** Whether sampled integers need more bits than a column has: where it has fewer than 64, that is what refuses them. */
import type { Records, Sample } from '../source/source.ts';
import { toValueRecords } from './column-records.ts';
import { openTextField, readTextValue } from './text-fill.ts';
import { openValueFields, readMember } from './value-fill.ts';

/** True when some integer of the field lies outside of a signed number of so many bits; what is no integer is passed over. */
export function exceedsBits({ stretches }: Sample, field: string, bits: number): boolean {
  const limit = 2 ** (bits - 1);
  return stretches.some((records) => {
    for (const value of listIntegers(records, field)) if (value >= limit || value < -limit) return true;
    return false;
  });
}

function* listIntegers(records: Records, name: string): Generator<number> {
  if (records.kind === 'text') {
    const index = records.fields.indexOf(name);
    if (index === -1) return;
    const field = openTextField(records, index);
    for (let row = 0; row < records.rowCount; row++) {
      const text = readTextValue(field, row);
      if (text !== null && /^-?\d+$/u.test(text)) yield Number(text);
    }
    return;
  }
  const values = records.kind === 'columns' ? toValueRecords(records, [name]) : records;
  const [field] = openValueFields(values, [{ name, field: name, type: 'integer', isNullable: true }]);
  if (field === undefined) return;
  for (let row = 0; row < values.rowCount; row++) {
    const value = readMember(field, row);
    if ((typeof value === 'number' && Number.isInteger(value)) || typeof value === 'bigint') yield Number(value);
  }
}
