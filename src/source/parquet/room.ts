/** Memory that pages are read and unpacked into, again and again: pages in memory of their own would leave the whole file to the garbage collector, megabyte by megabyte. */

/** Whoever has it may replace its memory by more. What stood in it is gone when it is used again. */
export interface Room {
  bytes: Uint8Array;
}

/** How a page is unpacked. */
export interface Unpacking {
  /** Only so many of the first bytes, or more of them; the first bytes of the input do for that, see codecs.ts. */
  readonly wanted?: number;
  /** Where codecs that can put what they make; the bytes are there until it is used again. */
  readonly room?: Room;
}

/** Rooms of one reader. */
export interface Rooms {
  take(): Room;
  /** All of them; none may be used any more. */
  giveBack(): void;
}

/** Larger ones are left to the garbage collector: one long page must not be held for ever. */
const maxKeptBytes = 4 * 1024 * 1024;
/** Kept for readers to come: those of two readers with some columns each. */
const maxKept = 32;

/** Rooms that readers of one file hand on to each other. */
export class RoomPool {
  private readonly free: Room[] = [];

  borrow(): Rooms {
    const taken: Room[] = [];
    return {
      take: () => {
        // In the order of giving back: so a column gets the room that the same column had before it, which is as large as it needs.
        const room = this.free.shift() ?? { bytes: new Uint8Array(0) };
        taken.push(room);
        return room;
      },
      giveBack: () => {
        for (const room of taken.splice(0)) if (room.bytes.length <= maxKeptBytes && this.free.length < maxKept) this.free.push(room);
      },
    };
  }
}

/** The first `length` bytes of a room, which grows as needed; what is in them is of no meaning. The caller has checked that `length` is plausible. */
export function takeRoom(room: Room, length: number): Uint8Array {
  if (room.bytes.length < length) room.bytes = Buffer.allocUnsafeSlow(length);
  return room.bytes.subarray(0, length);
}
