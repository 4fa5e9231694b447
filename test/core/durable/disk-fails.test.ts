// A manager on a disk that fails under it (D5): what is decided waits, nothing new is spawned, stops work, and it goes on when the disk does.
//
// Real files; the disk fails where a test says so (test/support/faulty-disk.ts). Retries go by a manual clock.

import { rm } from "node:fs/promises";
import { isErrandError, type TaskHandle, TaskManager, type TaskOutcome, viewStore } from "errand";
import { fileStore, verifyJournal } from "errand/stores/file";
import { manualClock } from "errand/testing";
import { describe, expect, onTestFinished, test } from "vitest";
import { FileStore } from "../../../lib/stores/file/file-store.js";
import { type Fault, FaultyDisk, systemError } from "../../support/faulty-disk.js";
import { place } from "../../support/place.js";

interface Failing {
  readonly manager: TaskManager;
  readonly disk: FaultyDisk;
  readonly directory: string;
  /** What `store.failed` told. */
  readonly troubles: unknown[];
  /** Lets retries come due until `is`. */
  readonly retriesUntil: (is: () => boolean) => Promise<void>;
}

async function failing(): Promise<Failing> {
  const directory = await place();
  const disk = new FaultyDisk();
  const clock = manualClock();
  const manager = await TaskManager.open({ store: new FileStore(directory, disk), clock, concurrency: 4 });
  const troubles: unknown[] = [];
  manager.on("store.failed", ({ error }) => void troubles.push(error));
  const retriesUntil = async (is: () => boolean): Promise<void> => {
    while (!is()) await clock.advance(5_000);
  };
  onTestFinished(async () => {
    disk.fault = () => undefined;
    let isClosed = false;
    void manager.close().then(() => (isClosed = true));
    await retriesUntil(() => isClosed);
  });
  return { manager, disk, directory, troubles, retriesUntil };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function until(is: () => boolean): Promise<void> {
  while (!is()) await turn();
}

/** What fails while the disk is full, or broken, or out of files. */
const FAULTS: readonly (readonly [name: string, fault: Fault])[] = [
  [
    "a disk that is full (ENOSPC)",
    ({ what }) => {
      if (what === "write") throw systemError("ENOSPC");
      return undefined;
    },
  ],
  ["a disk that takes half of what is written, and then no more", halfThenFull()],
  [
    "a disk that cannot sync (EIO)",
    ({ what }) => {
      if (what === "sync") throw systemError("EIO");
      return undefined;
    },
  ],
  [
    "a process that has no file left to open (EMFILE)",
    ({ what }) => {
      if (what === "open" || what === "sync") throw systemError("EMFILE");
      return undefined;
    },
  ],
];

function halfThenFull(): Fault {
  let writes = 0;
  return ({ what }) => {
    if (what !== "write") return undefined;
    if (++writes % 2 === 1) return 10;
    throw systemError("ENOSPC");
  };
}

/** Waits for an answer, stored. */
async function asking(manager: TaskManager, id: string): Promise<TaskHandle<string>> {
  const handle = manager.spawn((ctx) => ctx.ask({ question: "Well?" }), { id });
  for await (const request of manager.inbox.watch()) if (request.taskId === id) break;
  return handle;
}

function requestOf(manager: TaskManager, taskId: string): string {
  const [request] = manager.inbox.list({ taskId });
  if (request === undefined) throw new Error(`${taskId} asks nothing`);
  return request.id;
}

describe("a running manager", () => {
  test.each(FAULTS)(
    "D5 goes on after %s, and nothing was dropped, doubled or reported too early",
    async (_name, fault) => {
      const { manager, disk, directory, troubles, retriesUntil } = await failing();
      const task = await asking(manager, "asking");

      disk.fault = fault;
      const told: string[] = [];
      const id = requestOf(manager, "asking");
      void manager.inbox.answer(id, "yes", { by: "ada" }).then(() => told.push("answered"));
      void task.result().then((value) => told.push(value));
      await until(() => troubles.length > 0);
      await retriesUntil(() => troubles.length > 2);

      // Decided, and told to nobody; what would be new is refused, in words that say why.
      expect(manager.inbox.get(id)?.status).toBe("answered");
      expect(told).toEqual([]);
      for (const trouble of troubles) expect(trouble).toHaveProperty("code", "STORE_UNAVAILABLE");
      expect(() => manager.spawn(() => 1)).toThrow(
        expect.objectContaining({ code: "STORE_UNAVAILABLE", message: expect.stringContaining(directory) }),
      );

      disk.fault = () => undefined;
      await retriesUntil(() => told.length === 2);
      expect(told.toSorted()).toEqual(["answered", "yes"]);
      expect(await manager.spawn(() => "new again").result()).toBe("new again");
      const view = await viewStore(fileStore(directory));
      expect(view.list().find((record) => record.id === "asking")).toMatchObject({
        status: "succeeded",
        output: "yes",
      });
      expect(view.requests({ status: "answered" })).toHaveLength(1);
      expect((await verifyJournal(directory)).ok).toBe(true);
    },
  );

  test("D1 D5 stops what runs while the disk fails: the signal aborts and waits reject at once, and the end is reported when it is stored", async () => {
    const { manager, disk, troubles, retriesUntil } = await failing();
    const seen: string[] = [];
    const task = manager.spawn(async (ctx) => {
      ctx.signal.addEventListener("abort", () => seen.push("aborted"));
      await ctx.sleep(3_600_000).catch((error: unknown) => {
        seen.push(isErrandError(error, "TASK_CANCELLED") ? "rejected" : "what?");
        throw error;
      });
    });
    await until(() => task.status === "blocked");
    await manager.spawn(() => undefined).result();

    disk.fault = ({ what }) => {
      if (what === "sync") throw systemError("EIO");
      return undefined;
    };
    let outcome: TaskOutcome | undefined;
    void task.cancel("enough").then((told) => (outcome = told));
    await until(() => troubles.length > 0);
    expect(seen.toSorted()).toEqual(["aborted", "rejected"]);
    expect(task.status).toBe("cancelled");
    expect(outcome).toBeUndefined();

    disk.fault = () => undefined;
    await retriesUntil(() => outcome !== undefined);
    expect(outcome).toMatchObject({ status: "cancelled", reason: "enough" });
  });

  test("D1 tells nothing while an fsync takes its time, and decides meanwhile what shares the next", async () => {
    const { manager, disk } = await failing();
    await manager.spawn(() => undefined).result();
    let release = (): void => {};
    const slow = new Promise<undefined>((resolve) => (release = () => resolve(undefined)));
    disk.fault = ({ what }) => (what === "sync" ? slow : undefined);
    const told: number[] = [];
    const spawned = Array.from({ length: 100 }, (_, index) => manager.spawn(() => index));
    for (const each of spawned) void each.result().then((value) => told.push(value));
    for (let turns = 0; turns < 20; turns++) await turn();
    expect(told).toEqual([]);
    const synced = disk.asked.filter(({ what }) => what === "sync").length;
    release();
    disk.fault = () => undefined;
    await until(() => told.length === 100);
    expect(told).toEqual(spawned.map((_, index) => index));
    // The spawns in one commit, what came of them in a few.
    expect(disk.asked.filter(({ what }) => what === "sync").length - synced).toBeLessThan(20);
  });

  test("D5 makes its directory anew when it was deleted, from what it knows: tasks, questions, outputs of any length", async () => {
    const { manager, directory, troubles, retriesUntil } = await failing();
    const long = "x".repeat(100_000);
    await manager.spawn(() => long, { id: "long" }).result();
    const task = await asking(manager, "asking");
    await rm(directory, { recursive: true });

    const told: string[] = [];
    void manager.inbox.answer(requestOf(manager, "asking"), "yes", { by: "ada" }).then(() => told.push("answered"));
    await until(() => troubles.length > 0);
    expect(troubles[0]).toMatchObject({ code: "STORE_UNAVAILABLE", needsSnapshot: true });
    await retriesUntil(() => told.length > 0 && task.status === "succeeded");
    await manager.spawn(() => undefined).result();

    const view = await viewStore(fileStore(directory));
    expect(
      view
        .list()
        .map(({ id, status }) => [id, status])
        .slice(0, 2),
    ).toEqual([
      ["long", "succeeded"],
      ["asking", "succeeded"],
    ]);
    expect(view.list()[0]?.output).toBe(long);
    expect((await verifyJournal(directory)).ok).toBe(true);
  });
});
