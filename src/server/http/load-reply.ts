/** How the errors of a load are answered over HTTP. */
import type { SluiceError } from '../../errors.ts';
import type { Reply } from '../engine/contract.ts';
import { writeExactJson } from './exact-json.ts';
import { jsonType, replyText } from './reply.ts';

/** By exit code, where the route knows no better: what the caller must mend is 400, what may pass by itself 503. */
export function replyFailure(error: SluiceError, known?: number): Reply {
  const { code, message, hint, problems } = error;
  const found = code === 'SLUICE_LOAD_UNKNOWN' || code === 'SLUICE_TARGET_MISSING' ? 404 : undefined;
  const taken = code === 'SLUICE_LABEL_TAKEN' ? 409 : undefined;
  const httpStatus = known ?? found ?? taken ?? (error.isTransient ? 503 : error.exitCode === 2 ? 400 : 500);
  const reply = replyText(httpStatus, jsonType, writeExactJson({ error: { code, message, hint, problems } }));
  return httpStatus === 503 ? { ...reply, headers: { 'Retry-After': '1' } } : reply;
}
