/** Worker threads that are asked one thing at a time and answer it, for verbs that only read: check, verify. One that dies answers with its end, and nothing has to be put right before it is ended. */
import { parentPort, Worker } from 'node:worker_threads';
import { SluiceError } from '../../errors.ts';
import { packError, unpackError, type SentError } from './news.ts';

/** What is said to the thread. */
type Message<Question> = { readonly kind: 'ask'; readonly question: Question } | { readonly kind: 'stop' };

type Reply<Answer> = { readonly kind: 'answered'; readonly answer: Answer } | { readonly kind: 'failed'; readonly error: SentError };

export interface AskedThread<Question, Answer> {
  /** The next question waits for the answer to the one before. @throws what the thread threw; SLUICE_LANE_DIED */
  ask(question: Question): Promise<Answer>;
  /** Aborts the signal that the thread answers under; whether it answers early is its own affair. */
  readonly stop: () => void;
  /** Ends it whatever it does. */
  readonly close: () => Promise<void>;
}

export interface ThreadStart {
  readonly file: URL;
  readonly workerData: unknown;
  /** What the thread works for, in its name and in messages: `check`. */
  readonly verb: string;
  readonly maxYoungGenerationSizeMb?: number | undefined;
}

export function openAskedThread<Question, Answer>({
  file,
  workerData,
  verb,
  maxYoungGenerationSizeMb,
}: ThreadStart): AskedThread<Question, Answer> {
  const resourceLimits = maxYoungGenerationSizeMb === undefined ? {} : { resourceLimits: { maxYoungGenerationSizeMb } };
  const worker = new Worker(file, { workerData, name: `sluice ${verb}`, ...resourceLimits });
  let pending: PromiseWithResolvers<Answer> | undefined;
  let death: SluiceError | undefined;
  const die = (how: string, cause?: Error): void => {
    death ??= new SluiceError('SLUICE_LANE_DIED', `A thread of sluice ${verb} ${how}.`, {
      cause,
      hint: 'Try again with --lanes 1, which takes less memory.',
    });
    pending?.reject(death);
  };
  worker.on('message', (reply: Reply<Answer>) => {
    if (reply.kind === 'failed') pending?.reject(unpackError(reply.error));
    else pending?.resolve(reply.answer);
  });
  worker.on('error', (cause: Error) => die(`died: ${cause.message}`, cause));
  worker.on('exit', (code) => die(`ended with ${String(code)}`));
  const send = (message: Message<Question>): void => worker.postMessage(message);
  return {
    ask: async (question) => {
      if (death !== undefined) throw death;
      pending = Promise.withResolvers<Answer>();
      send({ kind: 'ask', question });
      return pending.promise;
    },
    stop: () => send({ kind: 'stop' }),
    close: async () => {
      await worker.terminate();
    },
  };
}

/** The thread's own side: answers what it is asked, under a signal that is aborted by `stop`. */
export function answerQuestions<Question, Answer>(answer: (question: Question, signal: AbortSignal) => Promise<Answer>): void {
  const port = parentPort;
  if (port === null) throw new SluiceError('SLUICE_INTERNAL', 'A thread that is asked was imported outside a worker thread.');
  const stopping = new AbortController();
  const reply = async (question: Question): Promise<Reply<Answer>> => {
    try {
      return { kind: 'answered', answer: await answer(question, stopping.signal) };
    } catch (error) {
      return { kind: 'failed', error: packError(error) };
    }
  };
  port.on('message', (message: Message<Question>) => {
    if (message.kind === 'stop') stopping.abort(new SluiceError('SLUICE_CANCELLED', 'It was asked to stop.'));
    else void reply(message.question).then((said) => port.postMessage(said));
  });
}
