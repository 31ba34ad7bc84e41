/** Finds the file that `zip` names and joins it to rows that are open. */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SluiceError } from '../../errors.ts';
import type { Member } from '../files/member-file.ts';
import { isHttpUrl, parseHttpUrl } from '../http/address.ts';
import { createHttpMember } from '../http/member.ts';
import { createLocalMember } from '../files/members.ts';
import type { Source, SourceOptions } from '../source.ts';
import { zipSources } from './zip.ts';

/** Joins the vectors that the options name; the rows are closed if that can't be done. @throws what {@link zipSources} throws */
export async function openZip(rows: Source, { vectorField, zip = '' }: SourceOptions): Promise<Source> {
  const place = /^file:/i.test(zip) ? fileURLToPath(zip) : isHttpUrl(zip) ? zip : resolve(zip);
  try {
    return await zipSources({ rows, member: findMember(place), zip: place, field: vectorField });
  } catch (error) {
    await rows.close();
    throw error;
  }
}

/** Without the format of the rows: a file of vectors tells its own by its name or its first bytes. */
function findMember(place: string): Member {
  if (!isHttpUrl(place)) return createLocalMember(place, {});
  const { password, search, username } = new URL(place);
  if (username === '' && password === '' && search === '') return createHttpMember(parseHttpUrl(place), {});
  throw new SluiceError(
    'SLUICE_USAGE',
    'a URL of vectors to join would be kept in the ledger, and this one holds a password or parameters',
    {
      hint: 'Fetch the file first, and give its path to --zip.',
    },
  );
}
