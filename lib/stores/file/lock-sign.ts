// Lock sign: what stands in a lock, and what it proves.
//
// The sign names the file that it was written in, by the file system's own number. A file that was copied with its directory has the sign of
// the original and another number, so it is known as a copy (D3). A writer that closes marks the file before it removes it: where the directory
// was moved meanwhile, the lock that stays in it says that it locks nothing.

import type { Runtime } from "../../core/task/record.js";
import type { Disk } from "./disk.js";

/** Longer than any sign. */
const LONGEST = 1_024;
const RELEASED = "released\n";

export function signOf({ instanceId, pid, startedAt }: Runtime, file: string): Buffer {
  return Buffer.from(`${JSON.stringify({ instanceId, pid, startedAt, file })}\n`);
}

/** Written over a sign, which may be longer. */
export const RELEASED_SIGN: Uint8Array = Buffer.from(RELEASED);

/** The words of a lock about itself. Both absent: nothing is known, for example while its owner writes it. */
export interface LockSign {
  readonly isReleased: boolean;
  /** The file in which the sign was written. */
  readonly writtenIn?: string;
  /** The file in which it stands. */
  readonly standsIn?: string;
}

const UNKNOWN: LockSign = { isReleased: false };

/** A lock that cannot be read says nothing. */
export async function readSign(disk: Disk, file: string): Promise<LockSign> {
  try {
    const fd = await disk.open(file, "read");
    try {
      const bytes = Buffer.alloc(LONGEST);
      const text = bytes.toString("utf8", 0, await disk.read(fd, bytes, 0));
      if (text.startsWith(RELEASED)) return { isReleased: true };
      const sign: unknown = JSON.parse(text);
      if (typeof sign !== "object" || sign === null || !("file" in sign) || typeof sign.file !== "string")
        return UNKNOWN;
      return { isReleased: false, writtenIn: sign.file, standsIn: disk.idOf(fd) };
    } finally {
      await disk.close(fd);
    }
  } catch {
    return UNKNOWN;
  }
}

/** Whether a lock is a copy, for a lock of this machine: another file system has other numbers, and so has another directory. */
export function isCopy({ writtenIn, standsIn }: LockSign): boolean {
  return writtenIn !== undefined && writtenIn !== standsIn;
}

/** Whether a lock may be a copy, for a process that may see the file system under another number: it knows a file by its own number alone. */
export function mayBeCopy({ writtenIn, standsIn }: LockSign): boolean {
  return writtenIn !== undefined && numberOf(writtenIn) !== numberOf(standsIn ?? "");
}

function numberOf(id: string): string {
  return id.slice(id.indexOf(":") + 1);
}
