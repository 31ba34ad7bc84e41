/** What a checking thread and its owner say to each other; plain data. */
import type { SourceDescriptor } from '../source/source.ts';
import type { LaneFindings, ScanPlan, ScanRequest, ShardFindings } from './scan.ts';

/** What a thread is started with. */
export interface ScanStart {
  readonly source: SourceDescriptor;
  readonly plan: ScanPlan;
}

export type ScanQuestion = { readonly kind: 'scan'; readonly request: ScanRequest } | { readonly kind: 'end' };

export type ScanAnswer =
  { readonly kind: 'scanned'; readonly findings: ShardFindings } | { readonly kind: 'ended'; readonly findings: LaneFindings };
