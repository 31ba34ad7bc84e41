/** How a unit's transaction begins: with limits that hold for it alone and are never laxer than those that the session has. */
import { catalogTimeoutMs } from '../catalog/table.ts';
import { readSessionLimits } from '../commit/session-limits.ts';
import { defaultLockTimeoutMs } from '../finish/lock.ts';
import type { PgLink } from '../link.ts';

/** The server ends a statement or a wait this much later than the client would cancel it: its limits are there for a client that is gone. */
const serverMarginMs = 2_000;

/** The savepoint in front of the statements that are not yet kept. */
export const savepoint = 'sluice_unit';

interface SessionFacts {
  readonly limits: readonly string[];
  /** Of the session, 0 for none. */
  readonly statementTimeoutMs: number;
  readonly lockTimeoutMs: number;
}

/** Asked once for each link: settings of a role or a database change with its next session only. */
const known = new WeakMap<PgLink, Promise<SessionFacts>>();

async function readFacts(link: PgLink): Promise<SessionFacts> {
  const sql = `SELECT name, setting FROM pg_catalog.pg_settings WHERE name IN ('statement_timeout', 'lock_timeout')`;
  const { rows } = await link.query(sql, [], { timeoutMs: catalogTimeoutMs });
  const found = new Map(rows.map(({ name, setting }) => [String(name), Number(setting)]));
  const limits = await readSessionLimits(link);
  return { limits, statementTimeoutMs: found.get('statement_timeout') ?? 0, lockTimeoutMs: found.get('lock_timeout') ?? 0 };
}

function readFactsOnce(link: PgLink): Promise<SessionFacts> {
  const facts = known.get(link) ?? readFacts(link);
  known.set(link, facts);
  // A question that failed is asked again the next time.
  facts.catch(() => known.delete(link));
  return facts;
}

export interface OpeningRequest {
  readonly timeoutMs: number;
  readonly lockTimeoutMs: number | undefined;
  readonly isTransaction: boolean;
  readonly isReadOnly?: boolean;
  readonly usesSavepoints: boolean;
}

/** The statements that open the transaction, sent in front of the first of the unit. */
export async function writeOpening(link: PgLink, request: OpeningRequest): Promise<readonly string[]> {
  const facts = await readFactsOnce(link);
  const statementMs = Math.min(request.timeoutMs + serverMarginMs, facts.statementTimeoutMs || Infinity);
  const lockMs = Math.min(
    request.lockTimeoutMs ?? defaultLockTimeoutMs,
    request.timeoutMs + serverMarginMs,
    facts.lockTimeoutMs || Infinity,
  );
  return [
    request.isReadOnly === true ? 'BEGIN READ ONLY' : 'BEGIN',
    // The texts are read with PostgreSQL's default; another setting would end strings elsewhere.
    'SET LOCAL standard_conforming_strings = on',
    `SET LOCAL statement_timeout = ${String(statementMs)}`,
    `SET LOCAL lock_timeout = ${String(Math.max(1, Math.round(lockMs)))}`,
    ...facts.limits,
    // Of statements that stand alone each is checked as its own transaction would be at its end.
    ...(request.isTransaction ? [] : ['SET CONSTRAINTS ALL IMMEDIATE']),
    ...(request.usesSavepoints ? [`SAVEPOINT ${savepoint}`] : []),
  ];
}
