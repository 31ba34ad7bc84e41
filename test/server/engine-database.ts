/** An engine on a new file for one test, and requests to it in few words. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { DataOptions, DataRoute, Engine, EngineOptions, Reply } from '../../src/server/engine/contract.ts';
import { openEngine } from '../../src/server/engine/open-engine.ts';
import { plainOptions } from '../../src/server/engine/plain-options.ts';

export { plainOptions };

export interface TestAnswer {
  readonly status: number;
  readonly contentType: string | undefined;
  readonly text: string;
  readonly pieces: number;
}

export interface TestEngine {
  readonly engine: Engine;
  readonly folder: string;
  readonly file: string;
  readonly send: (route: DataRoute, body: unknown, options?: Partial<DataOptions>) => Promise<TestAnswer>;
  /** The entries of an answer that has some. */
  readonly results: (route: DataRoute, body: unknown, options?: Partial<DataOptions>) => Promise<readonly Record<string, unknown>[]>;
}

export async function readReply(reply: Reply): Promise<TestAnswer> {
  const { status, contentType, body } = reply;
  if (body instanceof Uint8Array) return { status, contentType, text: Buffer.from(body).toString(), pieces: 1 };
  const parts: Uint8Array[] = [];
  for await (const part of body) parts.push(part);
  return { status, contentType, text: Buffer.concat(parts).toString(), pieces: parts.length };
}

/** Runs `use` with an engine on a new file; both are gone afterwards. */
export async function withEngine(use: (test: TestEngine) => Promise<void>, options: Partial<EngineOptions> = {}): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-engine-'));
  const file = path.join(folder, 'db.sqlite');
  const engine = await openEngine({ file, isReadOnly: false, checksForeignKeys: false, ...options });
  const send: TestEngine['send'] = async (route, body, more = {}) => {
    const bytes = body instanceof Uint8Array ? body : Buffer.from(JSON.stringify(body));
    return readReply(await engine.handle({ route, body: bytes, isPlainText: false, options: { ...plainOptions, ...more } }));
  };
  const results: TestEngine['results'] = async (route, body, more) => {
    const { text } = await send(route, body, more);
    return (JSON.parse(text) as { results: Record<string, unknown>[] }).results;
  };
  try {
    await use({ engine, folder, file, send, results });
  } finally {
    await engine.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
