/** What `report` was asked for. */
import type { ReportOptions } from '../load/report/stored-report.ts';
import type { Invocation } from './invocation.ts';
import { checkValues, required, toggle, word } from './option-schema.ts';

interface ReportRequest {
  readonly options: ReportOptions;
  readonly isJson: boolean;
  /** Path of the page. */
  readonly html: string | undefined;
}

/** @throws SLUICE_USAGE with every problem. */
export function readReportRequest(invocation: Invocation): ReportRequest {
  const shape = {
    in: required('is missing: name the database, for example --in sqlite:library.db'),
    json: toggle,
    html: word,
    rows: toggle,
  };
  const { in: database, json, html, rows } = checkValues(invocation, shape, []);
  const [load] = invocation.arguments;
  const options = { in: database, ...(load === undefined ? {} : { load }), ...(rows === false ? { rows: false } : {}) };
  return { options, isJson: json ?? false, html };
}
