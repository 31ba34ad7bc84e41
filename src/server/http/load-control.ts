/** `POST /loads/:id/pause`, `/resume` and `/cancel`: what `sluice pause`, `resume` and `cancel` do, through the ledger, so that it reaches the load wherever it runs. */
import { isSluiceError, SluiceError } from '../../errors.ts';
import { cancel, pause, unpause, type ControlOptions, type ControlReport } from '../../load/control/control.ts';
import type { Reply } from '../engine/contract.ts';
import { refuseReadOnly } from './data-routes.ts';
import { writeExactJson } from './exact-json.ts';
import type { Handler } from './exchange.ts';
import { replyFailure } from './load-reply.ts';
import { jsonType, refuse, replyText } from './reply.ts';

const commands: Readonly<Record<string, (options: ControlOptions) => Promise<ControlReport>>> = { pause, cancel, resume };

/** A load that nobody holds has its rows at a client, who alone can send them again. */
async function resume(options: ControlOptions): Promise<ControlReport> {
  const report = await unpause(options);
  if (report !== undefined) return report;
  throw new SluiceError('SLUICE_USAGE', `Load ${options.load ?? ''} is not paused, so nothing goes on here.`, {
    hint: 'One that stopped goes on when the same rows are sent to POST /loads again, with its label.',
  });
}

/** 202: it was asked for, and the load has not said yet that it heard. A load that can't be held up in its state is 409. */
export const steerLoad: Handler = async ({ parameters, path }, { facts, log }) => {
  const [name = '', verb = '', ...rest] = path.slice('/loads/'.length).split('/');
  const command = Object.hasOwn(commands, verb) ? commands[verb] : undefined;
  if (name === '' || command === undefined || rest.length > 0) return refuse(404, 'no such command; there are pause, resume and cancel');
  if (facts.isReadOnly) return refuseReadOnly();
  try {
    const report = await command({ in: facts.target, load: name });
    log.write('info', verb, { load: report.load, state: report.state });
    return answer(report, parameters.values.has('pretty'));
  } catch (error) {
    if (isSluiceError(error)) return replyFailure(error, isSluiceError(error, 'SLUICE_USAGE') ? 409 : undefined);
    throw error;
  }
};

function answer(report: ControlReport, isPretty: boolean): Reply {
  const isUnderWay = report.state === 'pausing' || report.state === 'cancelling';
  return replyText(isUnderWay ? 202 : 200, jsonType, writeExactJson(report, isPretty));
}
