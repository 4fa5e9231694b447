// errand tail: what happened, in order, and what happens next.
import { renameSync } from "node:fs";
import { symlink } from "node:fs/promises";
import path from "node:path";
import type { TaskEvent } from "errand";
import { expect, test } from "vitest";
import { nodeDisk } from "../../lib/stores/file/disk.js";
import { FileStore } from "../../lib/stores/file/file-store.js";
import { errand, printed } from "../support/command.js";
import { family, keep } from "../support/journals.js";
import { eventsOf, notes, place, WRITER } from "../support/place.js";

process.env.TZ = "UTC";

/** Segments of 1 kB, so that the journal has several. */
const SEGMENT_BYTES = 1024;

test("tail tells the last events, a line each", async () => {
  const { directory } = await family();
  const output = await printed(["tail", directory, "-n", "4"]);
  expect(output.replaceAll(String(process.pid), "PID")).toBe(`\
    28  2026-01-02 03:05:05.000  task_8  succeeded: {"pages":3}
    29  2026-01-02 03:05:05.000  task_9  spawned: function stopped
    30  2026-01-02 03:05:05.000  task_9  was asked to stop: not needed
    31  2026-01-02 03:05:05.000  task_9  cancelled: not needed
`);
  expect((await printed(["tail", directory])).split("\n").length).toBe(21);
  expect((await printed(["tail", directory, "--lines=1000"])).split("\n").length).toBe(32);
  expect(await printed(["tail", directory, "-n", "0"])).toBe("");
});

test("tail --task tells those of one task", async () => {
  const { directory } = await family();
  const lines = (await printed(["tail", directory, "--task", "4", "-n", "2"])).trimEnd().split("\n");
  expect(lines.map((line) => line.slice(33))).toEqual([
    "task_4  asks (request_1): Publish it?",
    "task_4  waits for an answer: request_1",
  ]);
  expect((await errand(["tail", directory, "--task", "nobody"])).code).toBe(1);
});

test("tail --json is a line of JSON for each event, as the manager tells them", async () => {
  const { directory, manager } = await family();
  const told: TaskEvent[] = [];
  for await (const event of manager.events({ from: 1 })) {
    told.push(event);
    if (event.seq === 31) break;
  }
  const lines = (await printed(["tail", directory, "--json", "-n", "100"])).trimEnd().split("\n");
  expect(lines.map((line): unknown => JSON.parse(line))).toEqual(told);
});

test("tail says that there is nothing", async () => {
  const directory = await place();
  expect(await errand(["tail", directory])).toMatchObject({ code: 0, stdout: "", stderr: /Nothing is stored/u });
});

test("tail --follow goes on with what comes, each event once, until it is interrupted", async () => {
  const { directory, manager } = await keep();
  await manager.spawn(() => "first").result();
  const over = new AbortController();
  const following = errand(["tail", directory, "--follow", "-n", "1"], {
    interrupted: over.signal,
    onOutput: (stdout) => {
      if (stdout.includes('succeeded: "third"')) over.abort();
    },
  });
  await manager.spawn(() => "second").result();
  await manager.spawn(() => "third").result();
  const { code, stdout, stderr } = await following;
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const seqs = [...stdout.matchAll(/^ +(\d+) /gmu)].map(([, seq]) => Number(seq));
  expect(seqs).toEqual(Array.from(seqs, (_, index) => (seqs[0] ?? 0) + index));
  expect(seqs.at(-1)).toBe(9);
});

test("tail --follow goes on behind what was compacted away, and says what it did not see", async () => {
  const directory = await place();
  const [before, after, journal] = ["before", "after", "journal"].map((name) => path.join(directory, name));
  if (before === undefined || after === undefined || journal === undefined) throw new Error("three places");
  await write(before, async (store) => store.append(notes(1, 5)));
  await write(after, async (store) => {
    for (let seq = 1; seq <= 60; seq += 6) await store.append(notes(seq, seq + 5));
    for (const seq of [50, 55]) await store.compact({ seq }, seq);
  });
  const oldest = (await eventsOf(new FileStore(after, nodeDisk)))[0]?.seq ?? 0;
  expect(oldest).toBeGreaterThan(6);

  await symlink(before, journal);
  await symlink(after, `${journal}.next`);
  const swap = (): void => renameSync(`${journal}.next`, journal);
  const over = new AbortController();
  const { code, stdout, stderr } = await errand(["tail", journal, "--follow", "--json"], {
    interrupted: over.signal,
    onOutput: (said) => {
      // Another process may compact events between two polls; this test swaps in another journal.
      if (said.trimEnd().split("\n").length === 5) swap();
      if (said.includes('"seq":60')) over.abort();
    },
  });
  expect(code).toBe(0);
  expect(stderr).toBe(`The events 6 to ${oldest - 1} were compacted away before they were read: on with ${oldest}.\n`);
  const seqs = stdout
    .trimEnd()
    .split("\n")
    .map((line) => (JSON.parse(line) as TaskEvent).seq);
  expect(seqs).toEqual([1, 2, 3, 4, 5, ...Array.from({ length: 61 - oldest }, (_, index) => oldest + index)]);

  expect((await printed(["tail", after, "-n", "1000"])).trimEnd().split("\n").length).toBe(61 - oldest);
});

async function write(directory: string, work: (store: FileStore) => Promise<void>): Promise<void> {
  const store = new FileStore(directory, nodeDisk, SEGMENT_BYTES);
  await store.open(WRITER);
  await work(store);
  await store.close();
}
