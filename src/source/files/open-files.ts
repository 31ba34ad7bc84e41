/** The open files of a set: a few at a time, shared by who reads the same one, never closed under a reader. */
import { SluiceError } from '../../errors.ts';
import type { Member, MemberFile } from './member-file.ts';

/** Files kept open that nobody reads: a set of 10,000 must not run into the usual limit of 1,024 descriptors. */
const maxIdleFiles = 16;

interface Entry {
  readonly opening: Promise<MemberFile>;
  users: number;
}

/** A file in use; `release` gives it back. */
export interface Lease {
  readonly opened: MemberFile;
  readonly release: () => void;
}

export class OpenFiles {
  private readonly members: readonly Member[];
  /** By file number, least recently used first. */
  private readonly entries = new Map<number, Entry>();
  /** Files that are being closed, with what went wrong. */
  private readonly closing = new Set<Promise<void>>();
  private isClosed = false;

  constructor(members: readonly Member[]) {
    this.members = members;
  }

  /** Opens the file unless it is open. @throws SLUICE_SOURCE_…, SLUICE_CLOSED */
  async take(file: number): Promise<Lease> {
    const member = this.members[file];
    if (member === undefined) throw new SluiceError('SLUICE_INTERNAL', `the source has no file ${String(file)}`);
    if (this.isClosed) throw new SluiceError('SLUICE_CLOSED', `the source of ${member.path} has been closed`);
    const entry = this.entries.get(file) ?? { opening: member.open(), users: 0 };
    // Taken out and put in again: the map's order is the order of use.
    this.entries.delete(file);
    this.entries.set(file, entry);
    entry.users++;
    try {
      const opened = await entry.opening;
      let isHeld = true;
      const release = (): void => {
        if (isHeld) entry.users--;
        isHeld = false;
        this.closeIdle();
      };
      return { opened, release };
    } catch (error) {
      if (this.entries.get(file) === entry) this.entries.delete(file);
      throw error;
    }
  }

  async use<Result>(file: number, work: (opened: MemberFile) => Promise<Result>): Promise<Result> {
    const { opened, release } = await this.take(file);
    try {
      return await work(opened);
    } finally {
      release();
    }
  }

  /** Closes everything; a reader that is still at it fails. */
  async close(): Promise<void> {
    this.isClosed = true;
    for (const entry of this.entries.values()) this.closeEntry(entry);
    this.entries.clear();
    await Promise.all(this.closing);
  }

  private closeIdle(): void {
    let idle = [...this.entries.values()].filter(({ users }) => users === 0).length;
    for (const [file, entry] of this.entries) {
      if (idle <= maxIdleFiles) return;
      if (entry.users > 0) continue;
      this.entries.delete(file);
      this.closeEntry(entry);
      idle--;
    }
  }

  private closeEntry(entry: Entry): void {
    const closing = entry.opening.then(
      (opened) => opened.close(),
      // Who asked for the file heard why it could not be opened.
      () => undefined,
    );
    this.closing.add(closing);
    closing.then(
      () => this.closing.delete(closing),
      () => undefined,
    );
  }
}
