// Lock sign: the content of a lock file, and what it proves.
//
// The sign contains the identity of the file in which it was written, from the file system. If a file is copied with
// its directory, the copy has the sign of the original and another identity, so errand recognizes the copy (D3). A
// writer that closes marks the file as released before it removes the file: if the directory was moved, the lock file
// that stays in it locks nothing.

import type { Runtime } from "../../core/task/record.js";
import type { Disk } from "./disk.js";

/** An upper limit for the length of a sign, in bytes. */
const LONGEST = 1_024;
const RELEASED = "released\n";

/** Returns the content of a lock. `file` is the identity of the lock file. */
export function signOf({ instanceId, pid, startedAt }: Runtime, file: string): Buffer {
  return Buffer.from(`${JSON.stringify({ instanceId, pid, startedAt, file })}\n`);
}

/** The content of a released lock. It overwrites the beginning of the sign. */
export const RELEASED_SIGN: Uint8Array = Buffer.from(RELEASED);

/**
 * The content of a lock file, as far as it can be read. Without `writtenIn` and `standsIn` nothing is known, for
 * example while its owner writes the sign.
 */
export interface LockSign {
  /** Whether the owner released the lock. */
  readonly isReleased: boolean;
  /** The identity of the file in which the sign was written. */
  readonly writtenIn?: string;
  /** The identity of the file in which the sign is now. */
  readonly standsIn?: string;
}

const UNKNOWN: LockSign = { isReleased: false };

/** Reads a sign. A lock file that cannot be read gives an unknown sign, and no error. */
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

/** Whether a lock of this machine is a copy. Another file system, or another directory, has other identities. */
export function isCopy({ writtenIn, standsIn }: LockSign): boolean {
  return writtenIn !== undefined && writtenIn !== standsIn;
}

/**
 * Whether a lock may be a copy. A process may see the file system under another number, so only the number of the file
 * counts.
 */
export function mayBeCopy({ writtenIn, standsIn }: LockSign): boolean {
  return writtenIn !== undefined && numberOf(writtenIn) !== numberOf(standsIn ?? "");
}

function numberOf(id: string): string {
  return id.slice(id.indexOf(":") + 1);
}
