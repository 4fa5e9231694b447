// Snapshot file: `snapshot.json`, the newest snapshot and the `seq` it stands for.

import path from "node:path";
import { JournalCorruptError } from "../../core/task/errors.js";
import type { Json } from "../../core/values/json.js";
import type { Disk } from "./disk.js";
import { OtherVersionError, readSealed, writeSealed } from "./sealed-file.js";
import { listSegments } from "./segment.js";

export interface Snapshot {
  readonly seq: number;
  readonly value: Json;
}

export function snapshotFile(directory: string): string {
  return path.join(directory, "snapshot.json");
}

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
 * A broken one costs nothing while the journal is there from its first event on (D2): then `broken` says what is wrong with it. Otherwise, and where
 * another errand has written it, `JournalCorruptError`.
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

/** `mayPut` is asked before the old one is replaced. */
export function writeSnapshot(
  disk: Disk,
  directory: string,
  { seq, value }: Snapshot,
  mayPut: () => void,
): Promise<void> {
  return writeSealed(disk, snapshotFile(directory), { what: "snapshot", about: { seq }, value }, mayPut);
}
