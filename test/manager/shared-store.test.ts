// Two managers on one database (§11, D9): each with a journal of its own, leased. What one leaves, the other goes on with.
//
// A manager whose clock stands still, and whose lease has lapsed, is dead to the other, though it can still write, and finds out.

import { defineKind, isErrandError, type TaskEvent, type TaskManager, viewStore } from "errand";
import { manualClock } from "errand/testing";
import { describe, expect, test } from "vitest";
import { type SharedStores, sharedStores } from "../support/shared-stores.js";
import { sqliteKind } from "../support/sql-place.js";

const visit = defineKind({
  name: "visit",
  canReattach: () => true,
  run: async (ctx, { page }: { page: number }) => {
    if (ctx.attempt === 1) await ctx.sleep(3_600_000);
    return `page ${page}, attempt ${ctx.attempt}`;
  },
});

async function told(manager: TaskManager, is: (event: TaskEvent) => boolean): Promise<TaskEvent> {
  for await (const event of manager.events()) if (is(event)) return event;
  throw new Error("the manager closed before that was reported");
}

describe("two managers on one store", () => {
  test("each run their own tasks, one those of an id that both spawn, and leave the other's alone while it lives", async () => {
    const { store, open } = sharedStores(await sqliteKind.make());
    const [one, two] = [await open(), await open()];
    const results = await Promise.all([
      one.spawn(() => 1, { id: "a" }).result(),
      two.spawn(() => 2, { id: "a" }).result(),
    ]);
    // The database decides which process has the id.
    const [winner] = results;
    expect([1, 2]).toContain(winner);
    expect(results).toEqual([winner, winner]);
    expect([one, two].map((manager) => manager.list().map(({ output }) => output))).toEqual([[winner], [winner]]);
    const asked = two.spawn((ctx) => ctx.ask({ question: "Seen from elsewhere?" }), { id: "asks" });
    await told(two, ({ type }) => type === "task.blocked");

    // Anybody who has the store sees both, as they are.
    const view = await viewStore(store());
    expect(view.list().map(({ id, status }) => [id.split("~")[0], status])).toEqual([
      ["a", "succeeded"],
      ["a", "succeeded"],
      ["asks", "blocked"],
    ]);
    expect(view.requests().map(({ question }) => question)).toEqual(["Seen from elsewhere?"]);
    expect((await view.history("asks")).map(({ type }) => type)).toEqual([
      "task.created",
      "task.started",
      "request.opened",
      "task.blocked",
    ]);
    await asked.cancel();
    await Promise.all([one.close(), two.close()]);
    // Given back: the next one has what both of them had, and the task of the id that both spawned once (D9).
    const next = await open();
    expect(next.list().map(({ id }) => id)).toEqual(["a", "asks"]);
    await next.close();
  });

  test("D4 one takes over what the other left: its kinds go on, the rest is interrupted, what had ended stays as it was", async () => {
    const { open, dies } = sharedStores(await sqliteKind.make());
    const dead = await open({ kinds: [visit], clock: manualClock(Date.now()) });
    const long = "x".repeat(100_000);
    expect(await dead.spawn(() => long, { id: "ended" }).result()).toBe(long);
    dead.spawn(visit, { id: "visit", input: { page: 7 }, tags: ["kept"] });
    const lost = dead.spawn((ctx) => ctx.sleep(3_600_000), { id: "plain" });
    await told(dead, ({ type, taskId }) => type === "task.blocked" && taskId === "plain");

    const alive = await open({ kinds: [visit] });
    const resumed = told(alive, ({ type, taskId }) => type === "task.succeeded" && taskId === "visit");
    await dies(dead);
    await resumed;
    expect(alive.list().map(({ id, status, attempt }) => [id, status, attempt])).toEqual([
      ["ended", "succeeded", 1],
      ["visit", "succeeded", 2],
      ["plain", "interrupted", 1],
    ]);
    expect(await alive.get("ended")?.result()).toBe(long);
    expect(await alive.get("visit", visit)?.result()).toBe("page 7, attempt 2");
    expect(alive.get("visit")?.record.tags).toEqual(["kept"]);
    expect(await alive.get("plain")?.outcome()).toMatchObject({ reason: "process_lost", pid: process.pid });

    // S2: a zombie cannot settle, post or report; it finds out, and says so.
    let trouble: unknown;
    dead.on("store.failed", ({ error }) => (trouble = error));
    await expect(lost.cancel("too late")).rejects.toSatisfy(
      (error) => isErrandError(error, "STORE_LOCKED") || isErrandError(error, "MANAGER_CLOSED"),
    );
    expect(isErrandError(trouble, "STORE_LOCKED")).toBe(true);
    expect(() => dead.spawn(() => 1)).toThrow(expect.objectContaining({ code: "MANAGER_CLOSED" }));
    await dead.close();
    expect(alive.get("plain")?.status).toBe("interrupted");
    await alive.close();

    // All of it is in one journal now.
    const next = await open({ kinds: [visit] });
    expect(next.list().map(({ id, status }) => [id, status])).toEqual([
      ["ended", "succeeded"],
      ["visit", "succeeded"],
      ["plain", "interrupted"],
    ]);
    expect(await next.get("ended")?.result()).toBe(long);
    await next.close();
  });
});

describe("D9 a process takes over only what it can resume", () => {
  const review = defineKind({
    name: "review",
    canReattach: () => true,
    run: async (ctx) => {
      await ctx.approve("Publish?", { key: "publish" });
      return `published in attempt ${ctx.attempt}`;
    },
  });
  /** Journals of a process that is dead: its clock stands still, and it has started one of each. */
  async function dead(open: SharedStores["open"]) {
    const manager = await open({ kinds: [review, visit], clock: manualClock(Date.now()) });
    manager.spawn(review, { id: "review", title: "left", tags: ["kept"] });
    manager.spawn(visit, { id: "visit", input: { page: 7 } });
    await manager.spawn(() => "x".repeat(100_000), { id: "ended" }).result();
    await told(manager, ({ type, taskId }) => type === "request.opened" && taskId === "review");
    return manager;
  }

  test("what it lacks the kind of stays in the journal, active, for a process that has it; the logger is warned once", async () => {
    const { store, open, dies } = sharedStores(await sqliteKind.make());
    const first = await dead(open);
    const warnings: string[] = [];
    const logger = { warn: (message: string) => void warnings.push(message), error: () => undefined };
    const some = await open({ kinds: [visit], logger });
    const resumed = told(some, ({ type, taskId }) => type === "task.succeeded" && taskId === "visit");
    await dies(first);
    await resumed;
    expect(some.list().map(({ id, status }) => [id, status])).toEqual([
      ["visit", "succeeded"],
      ["ended", "succeeded"],
    ]);
    expect(await some.get("ended")?.result()).toHaveLength(100_000);
    const view = await viewStore(store());
    expect(view.list().find(({ id }) => id === "review")).toMatchObject({ status: "blocked", tags: ["kept"] });
    expect(view.requests().map(({ taskId }) => taskId)).toEqual(["review"]);
    expect(warnings.filter((warning) => warning.includes("review"))).toHaveLength(1);

    // A living process that knows the kind resumes it, with its question.
    const all = await open({ kinds: [review, visit] });
    const [request] = all.inbox.list();
    expect(request).toMatchObject({ taskId: "review", key: "publish" });
    await all.inbox.answer(request?.id ?? "", true, { by: "ada" });
    expect(await all.get("review")?.outcome()).toMatchObject({ value: "published in attempt 2" });
    expect(all.get("review")?.record.title).toBe("left");
    await Promise.all([some.close(), all.close()]);
    const next = await open({ kinds: [review, visit] });
    expect(
      next
        .list()
        .map(({ id, status }) => `${id} ${status}`)
        .toSorted(),
    ).toEqual(["ended succeeded", "review succeeded", "visit succeeded"]);
    await next.close();
  });

  test("an open does not resume a journal that has what it lacks, and ends nothing in it", async () => {
    const { open } = sharedStores(await sqliteKind.make());
    const first = await dead(open);
    await first.close().catch(() => undefined);
    for (let round = 0; round < 3; round++) {
      const without = await open();
      expect(without.list().filter(({ id }) => id === "review")).toEqual([]);
      expect(await without.spawn(() => 1).result()).toBe(1);
      await without.close();
    }
    const all = await open({ kinds: [review, visit] });
    await told(all, ({ type, taskId }) => type === "task.blocked" && taskId === "review");
    expect(all.get("review")?.record).toMatchObject({ status: "blocked", attempt: 2 });
    await all.close();
  });

  test("no task vanishes: one whose id a task of this process has is kept under another, and ends with an event", async () => {
    const { open, dies } = sharedStores(await sqliteKind.make());
    const waits = defineKind({ name: "waits", canReattach: () => true, run: (ctx) => ctx.sleep(3_600_000) });
    const alive = await open({ kinds: [waits] });
    alive.spawn(waits, { id: "nightly", title: "of the living" });
    const gone = await open({ kinds: [waits], clock: manualClock(Date.now()) });
    const lost = gone.spawn(waits, { id: "nightly", title: "of the dead" });
    await lost.stored();
    const { instanceId } = gone.runtime;
    const news = told(alive, ({ type }) => type === "task.interrupted");
    await dies(gone);
    const ended = await news;
    expect(ended.taskId).toBe(`nightly~${instanceId}`);
    expect(alive.list().map(({ id, title, status }) => [id, title, status])).toEqual([
      ["nightly", "of the living", "blocked"],
      [ended.taskId, "of the dead", "interrupted"],
    ]);
    await alive.close();
    const next = await open({ kinds: [waits] });
    expect(next.list().map(({ title, status }) => [title, status])).toEqual([
      ["of the living", "queued"],
      ["of the dead", "interrupted"],
    ]);
    await next.close();
  });
});
