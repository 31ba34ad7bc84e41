/** A process that runs one request at a time and is killed when that takes too long: SQLite undoes what had not been committed. Tells each entry as soon as it is there. */
import process from 'node:process';
import { createIndenter } from './answer-format.ts';
import { UnprintableNumber } from './json-value.ts';
import { openLink } from './link.ts';
import { startQuery } from './query-run.ts';
import { readMessage } from './statement-run.ts';
import type { TimedAsk, TimedTell } from './timed-run.ts';
import { runAlone } from './write-group.ts';
import { isRun, printAnswer, startRun, type TextAnswer } from './write-run.ts';

function tell(message: TimedTell): void {
  process.send?.(message);
}

function tellAnswer({ status, isJson, text }: TextAnswer, isPretty: boolean): void {
  tell({ kind: 'whole', status, isJson, text: isPretty && isJson ? createIndenter()(text) : text });
}

/** Runs the request with a connection of its own, so that nothing of an earlier one is left. */
function run(ask: TimedAsk): void {
  const link = openLink({ ...ask.start, isReadOnly: ask.start.isReadOnly || ask.request.route === 'query' });
  try {
    tell({ kind: 'begun' });
    if (ask.request.route === 'query') query(link, ask);
    else {
      const begun = startRun(ask.request);
      if (!isRun(begun)) {
        tellAnswer(begun, false);
        return;
      }
      runAlone(link, begun, (text) => tell({ kind: 'entry', text }));
      tellAnswer(printAnswer(begun, ask.raftIndex), ask.request.options.isPretty);
    }
  } catch (error) {
    if (error instanceof UnprintableNumber) tellAnswer({ status: 500, isJson: false, text: `${error.message}\n` }, false);
    else tell({ kind: 'failed', message: readMessage(error) });
  } finally {
    link.close();
  }
}

function query(link: ReturnType<typeof openLink>, ask: TimedAsk): void {
  const begun = startQuery(link, ask.request, { raftIndex: ask.raftIndex, onEntry: (text) => tell({ kind: 'entry', text }) });
  if ('isBounced' in begun) throw new TypeError('A query was sent on to the writer.');
  if ('text' in begun) {
    tellAnswer(begun, false);
    return;
  }
  let text = '';
  for (const piece of begun.pieces) text += piece;
  tell({ kind: 'whole', status: 200, isJson: true, text });
}

process.on('message', (ask: TimedAsk) => run(ask));
process.on('disconnect', () => process.exit(0));
tell({ kind: 'ready' });
