// A directory for the journal of a test, and the calls that the tests of the file store share.

import { cp, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Json, TaskEvent } from "errand";
import { onTestFinished } from "vitest";
import type { ReadOptions, TaskStore } from "../../lib/core/durable/store.js";

export const WRITER = { instanceId: "test", pid: process.pid, startedAt: 1 };

/** Returns an empty directory, which is removed after the test. */
export async function place(): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), "errand-store-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** Copies the files that a process killed now would leave. The copy has no lock, because its owner is dead. */
export async function pictureOf(directory: string): Promise<string> {
  const picture = path.join(await place(), "picture");
  await cp(directory, picture, { recursive: true, filter: (file) => !path.basename(file).startsWith("lock.") });
  return picture;
}

/** Returns the files of a directory without locks. */
export async function filesIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && !entry.name.startsWith("lock."))
    .map((entry) => path.relative(directory, path.join(entry.parentPath, entry.name)))
    .sort();
}

export function note(seq: number, payload: Json = { page: seq }): TaskEvent {
  return { type: "custom", seq, at: seq, taskId: `task_${seq}`, attempt: 1, name: "note", payload };
}

export function notes(first: number, last: number): TaskEvent[] {
  return Array.from({ length: last - first + 1 }, (_, index) => note(first + index));
}

export async function eventsOf(store: Pick<TaskStore, "read">, options?: ReadOptions): Promise<TaskEvent[]> {
  const events: TaskEvent[] = [];
  for await (const event of store.read(options)) events.push(event);
  return events;
}
