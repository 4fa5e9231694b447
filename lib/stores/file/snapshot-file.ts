// Snapshot file: `snapshot.json`, the newest snapshot and the last `seq` that it covers.

import path from "node:path";
import { JournalCorruptError } from "../../core/task/errors.js";
import type { Json } from "../../core/values/json.js";
import type { Disk } from "./disk.js";
import { OtherVersionError, readSealed, writeSealed } from "./sealed-file.js";
import { listSegments } from "./segment.js";

/** A snapshot as it is stored. */
export interface Snapshot {
  /** The last `seq` that the snapshot covers. */
  readonly seq: number;
  /** The value that the manager gave to `compact`. */
  readonly value: Json;
}

/** Returns the path of the snapshot. */
export function snapshotFile(directory: string): string {
  return path.join(directory, "snapshot.json");
}

/** Reads the snapshot; `undefined` if there is none. `JournalCorruptError` if the file is broken. */
export async function readSnapshot(disk: Disk, directory: string): Promise<Snapshot | undefined> {
  const file = snapshotFile(directory);
  const fields = await readSealed(disk, file, "snapshot");
  if (fields === undefined) return undefined;
  const { seq, snapshot } = fields;
  if (typeof seq !== "number" || snapshot === undefined)
    throw new JournalCorruptError(file, 1, 0, "it has no seq, or no snapshot");
  return { seq, value: snapshot };
}

/**
 * Reads the snapshot, and tolerates a broken one if the journal is there from its first event on: then `broken` is the
 * error (D2). Otherwise, and if another version of errand wrote the snapshot, throws `JournalCorruptError`.
 */
export async function readSnapshotBeside(
  disk: Disk,
  directory: string,
): Promise<{ readonly snapshot?: Snapshot | undefined; readonly broken?: JournalCorruptError }> {
  try {
    return { snapshot: await readSnapshot(disk, directory) };
  } catch (error) {
    if (!(error instanceof JournalCorruptError) || error instanceof OtherVersionError) throw error;
    const [oldest] = await listSegments(disk, directory);
    if (oldest?.firstSeq !== 1) throw error;
    return { broken: error };
  }
}

/** Writes the snapshot. `mayPut` is called just before the old snapshot is replaced, and may throw. */
export function writeSnapshot(
  disk: Disk,
  directory: string,
  { seq, value }: Snapshot,
  mayPut: () => void,
): Promise<void> {
  return writeSealed(disk, snapshotFile(directory), { what: "snapshot", about: { seq }, value }, mayPut);
}
