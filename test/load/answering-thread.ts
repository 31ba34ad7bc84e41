/** A thread for the tests of threads that are asked: doubles numbers, throws, waits for a stop, or ends. */
import { SluiceError } from '../../src/errors.ts';
import { answerQuestions } from '../../src/load/lane/asked-thread.ts';

answerQuestions<number | 'throw' | 'wait' | 'end', number>(async (question, signal) => {
  if (question === 'throw') throw new SluiceError('SLUICE_SOURCE_READ', 'as asked');
  if (question === 'end') process.exit(3);
  if (question === 'wait') await new Promise((resolve) => signal.addEventListener('abort', resolve));
  return typeof question === 'number' ? 2 * question : 0;
});
