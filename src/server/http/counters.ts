/** What rqlite counts and shows under `/debug/vars?key=http`: names and meaning are its own, those of a cluster stay 0. */

export type CounterName =
  | 'auth_fail'
  | 'auth_ok'
  | 'backups'
  | 'boot'
  | 'execute_stmts_rx'
  | 'executions'
  | 'leader_not_found'
  | 'loads'
  | 'num_readyz'
  | 'num_status'
  | 'queries'
  | 'query_stmts_rx'
  | 'queued_executions'
  | 'queued_executions_failed'
  | 'queued_executions_leadership_lost'
  | 'queued_executions_no_leader'
  | 'queued_executions_not_leader'
  | 'queued_executions_num_stmts_rx'
  | 'queued_executions_num_stmts_tx'
  | 'queued_executions_ok'
  | 'queued_executions_unknown_error'
  | 'queued_executions_wait'
  | 'queued_executions_wait_timeout'
  | 'request_stmts_rx'
  | 'requests'
  | 'sql_analyze'
  | 'tls_cert_fetched'
  | 'ui'
  | 'user_reaps'
  | 'user_snapshots';

export type Counters = Record<CounterName, number>;

/** All of them, at 0, in the order in which they are shown. */
export function openCounters(): Counters {
  return {
    auth_fail: 0,
    auth_ok: 0,
    backups: 0,
    boot: 0,
    execute_stmts_rx: 0,
    executions: 0,
    leader_not_found: 0,
    loads: 0,
    num_readyz: 0,
    num_status: 0,
    queries: 0,
    query_stmts_rx: 0,
    queued_executions: 0,
    queued_executions_failed: 0,
    queued_executions_leadership_lost: 0,
    queued_executions_no_leader: 0,
    queued_executions_not_leader: 0,
    queued_executions_num_stmts_rx: 0,
    queued_executions_num_stmts_tx: 0,
    queued_executions_ok: 0,
    queued_executions_unknown_error: 0,
    queued_executions_wait: 0,
    queued_executions_wait_timeout: 0,
    request_stmts_rx: 0,
    requests: 0,
    sql_analyze: 0,
    tls_cert_fetched: 0,
    ui: 0,
    user_reaps: 0,
    user_snapshots: 0,
  };
}
