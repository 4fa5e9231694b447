// File: the embedded durable store, a directory on a disk of this machine.
//
// Owns the entry point errand/stores/file, and the checks of its arguments. The modules in lib/stores/file/ describe
// the files.

import type { TaskStore } from "../core/durable/store.js";
import { show } from "../core/values/checks.js";
import { nodeDisk } from "./file/disk.js";
import { FileStore } from "./file/file-store.js";
import type { Verified } from "./file/verify.js";

export type { LostOutputFile, Verified, VerifiedSegment } from "./file/verify.js";

/**
 * Creates a store in the directory with the path `directory`. `append` resolves after an fdatasync.
 *
 * The first `open` makes the directory with the mode 0700, whatever the umask. An existing directory keeps its mode.
 * All files have the mode 0600.
 *
 * One process at a time can open the directory; any process can `peek` and `read`. If the directory is copied, the
 * copied lock locks nothing. If the lock of a writer is removed or replaced, or the directory is moved, every write of
 * that writer rejects with `StoreLockedError` from then on. `close` releases the lock at the place where it is then.
 *
 * `TypeError` if `directory` is not a string; `RangeError` if it is empty, has a NUL character, or is a URL.
 *
 * @example
 * ```ts
 * import { TaskManager } from "errand";
 * import { fileStore } from "errand/stores/file";
 *
 * const manager = await TaskManager.open({ store: fileStore("journal") });
 * const task = manager.spawn(() => "kept");
 * await task.stored(); // the spawn is on the disk
 * console.log(await task.result()); // kept
 * await manager.close(); // releases the lock
 * ```
 */
export function fileStore(directory: string): TaskStore {
  checkDirectory(directory);
  return new FileStore(directory, nodeDisk);
}

/**
 * Reads and checks all files in `directory`, also while a writer has it open, and changes nothing. Faults are reported
 * in the result. The call rejects only if the directory does not exist or the disk refuses. Arguments are checked as in
 * `fileStore`.
 *
 * @example
 * ```ts
 * import { TaskManager } from "errand";
 * import { fileStore, verifyJournal } from "errand/stores/file";
 *
 * const manager = await TaskManager.open({ store: fileStore("checked") });
 * await manager.spawn(() => "kept").result();
 * await manager.close();
 * const { ok, broken } = await verifyJournal("checked");
 * console.log(ok, broken); // true undefined
 * ```
 */
export async function verifyJournal(directory: string): Promise<Verified> {
  checkDirectory(directory);
  return new FileStore(directory, nodeDisk).verify();
}

/** Rejects values that are not a path, so that a missing environment variable, or a URL, is never used as a path. */
function checkDirectory(directory: unknown): asserts directory is string {
  const got = show(directory);
  if (typeof directory !== "string")
    throw new TypeError(`directory must be a path, got ${got}: fileURLToPath of node:url makes one of a URL`);
  if (directory.trim() === "") throw new RangeError(`directory must not be empty, got ${got}`);
  if (directory.includes("\0")) throw new RangeError(`directory must have no NUL character, got ${got}`);
  if (/^file:/i.test(directory))
    throw new RangeError(`directory must be a path, got the URL ${got}: use fileURLToPath of node:url`);
}
