// File: the embedded durable store, a directory on this machine's disk.
//
// What is in it, and how each file is written and read back, is told in lib/stores/file/.

import type { TaskStore } from "../core/store.js";
import { nodeDisk } from "./file/disk.js";
import { FileStore } from "./file/file-store.js";
import type { Verified } from "./file/verify.js";

export type { Verified, VerifiedSegment } from "./file/verify.js";

/**
 * A journal in `directory`, which is made when it is not there. One process at a time may open it; any may `peek` and `read`.
 * `append` resolves after an fdatasync.
 */
export function fileStore(directory: string): TaskStore {
  return new FileStore(directory, nodeDisk);
}

/**
 * Reads all that is in `directory`, also beside a living writer, and changes nothing. What is broken is told, not thrown; rejects when the
 * directory is not there or the disk refuses.
 */
export function verifyJournal(directory: string): Promise<Verified> {
  return new FileStore(directory, nodeDisk).verify();
}
