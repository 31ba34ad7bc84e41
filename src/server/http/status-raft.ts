/** The parts of `/status` that speak of Raft: one node that is its own leader. Clients look for the keys; the counts that have no meaning here are 0. */

/** `store.raft`, with the writes since the start as its indexes. */
export function describeRaft(appliedIndex: number, nodeAddress: string): Readonly<Record<string, unknown>> {
  return {
    applied_index: appliedIndex,
    bolt: describeBolt(),
    commit_index: appliedIndex,
    config: {
      CommitTimeout: 0,
      ElectionTimeout: 1_000_000_000,
      HeartbeatTimeout: 1_000_000_000,
      LeaderLeaseTimeout: 500_000_000,
      LocalID: '1',
      LogLevel: 'WARN',
      MaxAppendEntries: 0,
      NoSnapshotRestoreOnStart: true,
      ShutdownOnRemove: false,
      SnapshotInterval: 0,
      SnapshotThreshold: 0,
    },
    fsm_pending: 0,
    last_contact: 0,
    last_log_index: appliedIndex,
    last_log_term: 1,
    last_snapshot_index: 0,
    last_snapshot_term: 0,
    latest_configuration: `[{Suffrage:Voter ID:1 Address:${nodeAddress}}]`,
    latest_configuration_index: 0,
    log_size: 0,
    log_size_friendly: '0 B',
    num_peers: 0,
    protocol_version: 3,
    protocol_version_max: 3,
    protocol_version_min: 0,
    snapshot_version_max: 1,
    snapshot_version_min: 0,
    state: 'Leader',
    term: 1,
    transport: { command_commit_index: 0, compress_snap: false, leader_commit_index: 0 },
    voter: true,
  };
}

function describeBolt(): Readonly<Record<string, unknown>> {
  return {
    FreeAlloc: 0,
    FreePageN: 0,
    FreelistInuse: 0,
    OpenTxN: 0,
    PendingPageN: 0,
    TxN: 0,
    TxStats: {
      CursorCount: 0,
      NodeCount: 0,
      NodeDeref: 0,
      PageAlloc: 0,
      PageCount: 0,
      Rebalance: 0,
      RebalanceTime: 0,
      Spill: 0,
      SpillTime: 0,
      Split: 0,
      Write: 0,
      WriteTime: 0,
    },
  };
}

/** The keys of `store` that are about other nodes, logs and snapshots of logs. */
export function describeReach(dir: string): Readonly<Record<string, unknown>> {
  return {
    reap_read_only_timeout: '0s',
    reap_timeout: '0s',
    request_marshaler: { compression_batch: 0, compression_size: 0, force_compression: false },
    snapshot_cas: { owner: null },
    snapshot_interval: '0s',
    snapshot_store: { dir, dir_size: 0, snapshots: [] },
    snapshot_threshold: 0,
  };
}
