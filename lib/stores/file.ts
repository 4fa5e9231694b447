// File: the embedded durable store, a directory on this machine's disk.
//
// What is in it, and how each file is written and read back, is told in lib/stores/file/.

import type { TaskStore } from "../core/durable/store.js";
import { show } from "../core/values/checks.js";
import { nodeDisk } from "./file/disk.js";
import { FileStore } from "./file/file-store.js";
import type { Verified } from "./file/verify.js";

export type { LostOutputFile, Verified, VerifiedSegment } from "./file/verify.js";

/**
 * A journal in `directory`, a path. `append` resolves after an fdatasync.
 *
 * The first `open` makes the directory, with mode 0700 whatever the umask. A directory that is there keeps its mode. All files have mode 0600.
 *
 * One process at a time may open it; any may `peek` and `read`. A lock that was copied with its directory locks nothing. A writer whose lock is
 * removed or replaced, or whose directory is moved, rejects every write with `StoreLockedError` from then on; `close` releases the lock where it is.
 *
 * `TypeError` or `RangeError` names a `directory` that is no path, is empty, or is a URL.
 */
export function fileStore(directory: string): TaskStore {
  checkDirectory(directory);
  return new FileStore(directory, nodeDisk);
}

/**
 * Reads all that is in `directory`, also beside a living writer, and changes nothing. Faults are reported in the result, not thrown; the call rejects when the
 * directory is not there or the disk refuses.
 */
export async function verifyJournal(directory: string): Promise<Verified> {
  checkDirectory(directory);
  return new FileStore(directory, nodeDisk).verify();
}

/** §12: an environment variable that is not set, or a URL, is never taken for a path. */
function checkDirectory(directory: unknown): asserts directory is string {
  const got = show(directory);
  if (typeof directory !== "string")
    throw new TypeError(`directory must be a path, got ${got}: fileURLToPath of node:url makes one of a URL`);
  if (directory.trim() === "") throw new RangeError(`directory must not be empty, got ${got}`);
  if (directory.includes("\0")) throw new RangeError(`directory must have no NUL character, got ${got}`);
  if (/^file:/i.test(directory))
    throw new RangeError(`directory must be a path, got the URL ${got}: use fileURLToPath of node:url`);
}
