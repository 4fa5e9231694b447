// Two managers on one database (DESIGN §11, last line): each with a journal of its own, leased. What one leaves, the other goes on with.
//
// A manager whose clock stands still gives no more signs of life: to the other it is dead, though it can still write, and finds out.

import path from "node:path";
import { defineKind, isErrandError, type TaskEvent, TaskManager, type TaskStore, viewStore } from "errand";
import { sqlite, sqlStore } from "errand/stores/sql";
import { manualClock } from "errand/testing";
import Database from "libsql";
import { describe, expect, onTestFinished, test } from "vitest";
import { place } from "../stores/place.js";

const LEASE_MS = 300;

const visit = defineKind({
  name: "visit",
  canReattach: () => true,
  run: async (ctx, { page }: { page: number }) => {
    if (ctx.attempt === 1) await ctx.sleep(3_600_000);
    return `page ${page}, attempt ${ctx.attempt}`;
  },
});

async function databases(): Promise<() => TaskStore> {
  const file = path.join(await place(), "errand.db");
  return () => {
    const database = new Database(file);
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    onTestFinished(() => void database.close());
    return sqlStore({ connection: sqlite(database), leaseMs: LEASE_MS });
  };
}

async function told(manager: TaskManager, is: (event: TaskEvent) => boolean): Promise<TaskEvent> {
  for await (const event of manager.events()) if (is(event)) return event;
  throw new Error("the manager closed before that was told");
}

describe("two managers on one store", () => {
  test("each run their own tasks, and leave the other's alone while it lives", async () => {
    const open = await databases();
    const [one, two] = [await TaskManager.open({ store: open() }), await TaskManager.open({ store: open() })];
    expect(
      await Promise.all([one.spawn(() => 1, { id: "a" }).result(), two.spawn(() => 2, { id: "a" }).result()]),
    ).toEqual([1, 2]);
    expect([one, two].map((manager) => manager.list().map(({ output }) => output))).toEqual([[1], [2]]);
    const asked = two.spawn((ctx) => ctx.ask({ question: "Seen from elsewhere?" }), { id: "asks" });
    await told(two, ({ type }) => type === "task.blocked");

    // Anybody who has the store sees both, as they are.
    const view = await viewStore(open());
    expect(view.list().map(({ id, status }) => [id, status])).toEqual([
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
    // Given back: the next one has what both of them had, but one of two tasks with one id.
    const next = await TaskManager.open({ store: open() });
    expect(next.list().map(({ id }) => id)).toEqual(["a", "asks"]);
    await next.close();
  });

  test("D4 one takes over what the other left: its kinds go on, the rest is interrupted, what had ended stays as it was", async () => {
    const open = await databases();
    const dead = await TaskManager.open({ store: open(), kinds: [visit], clock: manualClock(Date.now()) });
    const long = "x".repeat(100_000);
    expect(await dead.spawn(() => long, { id: "ended" }).result()).toBe(long);
    dead.spawn(visit, { id: "visit", input: { page: 7 }, tags: ["kept"] });
    const lost = dead.spawn((ctx) => ctx.sleep(3_600_000), { id: "plain" });
    await told(dead, ({ type, taskId }) => type === "task.blocked" && taskId === "plain");

    const alive = await TaskManager.open({ store: open(), kinds: [visit] });
    await told(alive, ({ type, taskId }) => type === "task.succeeded" && taskId === "visit");
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
    const next = await TaskManager.open({ store: open(), kinds: [visit] });
    expect(next.list().map(({ id, status }) => [id, status])).toEqual([
      ["ended", "succeeded"],
      ["visit", "succeeded"],
      ["plain", "interrupted"],
    ]);
    expect(await next.get("ended")?.result()).toBe(long);
    await next.close();
  });
});
