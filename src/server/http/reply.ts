/** Writes answers: whole ones in one go, long ones piece by piece at the pace of the client, which may go away at any time. */
import type { ServerResponse } from 'node:http';
import type { Reply } from '../engine/contract.ts';

export const jsonType = 'application/json; charset=utf-8';
export const textType = 'text/plain; charset=utf-8';

const nothing = Buffer.alloc(0);

/** An answer of plain text that ends with a newline: how rqlite tells of what is wrong with a request. */
export function refuse(status: number, message: string, headers?: Readonly<Record<string, string>>): Reply {
  return { status, contentType: textType, headers, body: Buffer.from(`${message}\n`) };
}

/** A status without a body. */
export function replyEmpty(status: number, contentType?: string): Reply {
  return { status, contentType, body: nothing };
}

export function replyText(status: number, contentType: string | undefined, text: string): Reply {
  return { status, contentType, body: Buffer.from(text) };
}

/** Writes an answer. False: the client was gone, or too slow, before the end. @throws what the pieces throw; the connection is cut then, so that half an answer never looks whole */
export async function writeReply(response: ServerResponse, reply: Reply, options: WriteOptions): Promise<boolean> {
  const { body } = reply;
  const fields = listHeaders(reply, options.headers);
  if (body instanceof Uint8Array) {
    // 204 has no body and may not speak of its length.
    if (reply.status !== 204) fields.push('Content-Length', String(body.length));
    response.writeHead(reply.status, fields);
    response.end(options.isHead ? undefined : body);
    return true;
  }
  response.writeHead(reply.status, fields);
  return writePieces(response, body);
}

export interface WriteOptions {
  /** Names and values in turn. */
  readonly headers: readonly string[];
  readonly isHead: boolean;
}

function listHeaders(reply: Reply, before: readonly string[]): string[] {
  const fields = [...before];
  if (reply.contentType !== undefined) fields.push('Content-Type', reply.contentType);
  // As Go's `http.Error`.
  if (reply.status >= 400 && reply.contentType === textType) fields.push('X-Content-Type-Options', 'nosniff');
  for (const [name, value] of Object.entries(reply.headers ?? {})) {
    if (!fields.some((field) => field.toLowerCase() === name.toLowerCase())) fields.push(name, value);
  }
  return fields;
}

async function writePieces(response: ServerResponse, pieces: AsyncIterable<Uint8Array>): Promise<boolean> {
  try {
    for await (const piece of pieces) {
      // Leaving the loop tells the maker of the pieces to stop.
      if (response.destroyed) return false;
      if (!response.write(piece) && !(await drain(response))) return false;
    }
  } catch (error) {
    response.destroy();
    throw error;
  }
  response.end();
  return !response.destroyed;
}

/** Waits until the client has read on. False: it went away, or the server cut it off for reading nothing. */
async function drain(response: ServerResponse): Promise<boolean> {
  if (response.destroyed) return false;
  return new Promise((resolve) => {
    const settle = (isReady: boolean): void => {
      response.off('drain', ready).off('close', gone);
      resolve(isReady);
    };
    const ready = (): void => settle(true);
    const gone = (): void => settle(false);
    response.on('drain', ready).on('close', gone);
  });
}
