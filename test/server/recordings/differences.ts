/** Recorded steps that `sluice serve` answers otherwise on purpose, each with the name of its reason in docs/reference/rqlite-compatibility.md. */
export const differences: ReadonlyMap<string, string> = new Map([
  ['pragma/14', 'pragma-refusal'],
  ['load-file/09', 'load-broken-file'],
  ['queue/11', 'queue-checked'],
  ['queue/12', 'queue-checked'],
  ['queue/13', 'queue-checked'],
  ['queue/14', 'queue-checked'],
]);
