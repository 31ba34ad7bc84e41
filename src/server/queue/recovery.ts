/** What an earlier process left in the queue's folder: how far its numbers went, what is still to be applied, and what is damaged. Nothing is applied here. */
import type { QueueNotice } from './contract.ts';
import { cutSegment, listSegments, type Segment } from './folder.ts';
import { recordHeadBytes, type LogRecord } from './record.ts';
import { readSegment, type SegmentPart } from './segment.ts';

export interface Recovery {
  readonly segments: readonly Segment[];
  /** Paths of files with damaged records: they are set aside when the rest of them is applied. */
  readonly damaged: ReadonlySet<string>;
  readonly damagedRecords: number;
  /** No number up to here may be given out again. */
  readonly floor: bigint;
  /** Requests that are to be applied. */
  readonly pending: number;
}

interface Findings {
  readonly damaged: Set<string>;
  damagedRecords: number;
  floor: bigint;
  pending: number;
}

/** Reads every file that may hold requests above `position`, cuts torn ends, and tells what is damaged. */
export async function recover(folder: string, position: bigint, onNotice: (notice: QueueNotice) => void): Promise<Recovery> {
  const segments = await listSegments(folder);
  const findings: Findings = { damaged: new Set(), damagedRecords: 0, floor: position, pending: 0 };
  for (const segment of segments) {
    if (segment.base > findings.floor) findings.floor = segment.base;
  }
  for (const segment of selectPending(segments, position)) {
    for await (const part of readSegment(segment.path)) {
      if (part.kind === 'record') noteRecord(findings, part.record, position);
      else await noteDamage(findings, { segment, part, onNotice });
    }
  }
  return { segments, ...findings };
}

/** The requests above `position` in order. */
export async function* readPending(segments: readonly Segment[], position: bigint): AsyncGenerator<LogRecord> {
  for (const segment of selectPending(segments, position)) {
    for await (const part of readSegment(segment.path)) {
      if (part.kind === 'record' && part.record.sequence > position) yield part.record;
    }
  }
}

/** Without the files that end at or below `position`: a file ends where the next begins. */
function selectPending(segments: readonly Segment[], position: bigint): readonly Segment[] {
  return segments.filter((_, index) => {
    const next = segments[index + 1];
    return next === undefined || next.base > position + 1n;
  });
}

function noteRecord(findings: Findings, record: LogRecord, position: bigint): void {
  if (record.sequence > findings.floor) findings.floor = record.sequence;
  if (record.sequence > position) findings.pending++;
}

interface Damage {
  readonly segment: Segment;
  readonly part: Exclude<SegmentPart, { kind: 'record' }>;
  readonly onNotice: (notice: QueueNotice) => void;
}

async function noteDamage(findings: Findings, { segment, part, onNotice }: Damage): Promise<void> {
  // As many requests as there is room for may have had numbers that can't be read any more.
  findings.floor += BigInt(Math.ceil(part.bytes / recordHeadBytes));
  if (part.kind === 'torn') {
    await cutSegment(segment, part.at);
    onNotice({
      kind: 'torn',
      message: `the queue's last file ended in ${part.bytes} bytes of an unfinished write: they were never acknowledged, and were cut off`,
    });
    return;
  }
  findings.damaged.add(segment.path);
  findings.damagedRecords++;
  const name =
    part.sequence === undefined
      ? `after sequence number ${findings.floor - BigInt(Math.ceil(part.bytes / recordHeadBytes))}`
      : `with sequence number ${part.sequence}`;
  onNotice({
    kind: 'damaged',
    message: `the queue's request ${name} is damaged on the disk (${part.bytes} bytes with a wrong checksum): it was not applied, and its file is kept with the ending .damaged`,
  });
}
