// The committer (D1, D5, D6): one write at a time, and what happens to each write that overlaps a close, a compaction, a deletion or a failure.

import { StoreLockedError, TaskManager } from "errand";
import { manualClock } from "errand/testing";
import { describe, expect, test } from "vitest";
import { type Deferred, deferred, peek, settled } from "../../support/basics.js";
import { HeldStore } from "../../support/held-store.js";
import { given, hold, holdDeaf } from "../../support/program.js";
import { gapless, type Process, started, task } from "../../support/restarts.js";

const LONG = "x".repeat(70_000);
/** From so many events on the journal is compacted. */
const MANY = 10_000;
const full = new Error("the disk is full");

/** So many events, without a look at whether they are stored. */
function fill({ manager }: Process, count = MANY): void {
  manager.spawn((ctx) => {
    for (let n = 0; n < count; n++) ctx.emit("filler");
  });
}

type Method = "append" | "compact" | "putOutput" | "deleteOutputs" | "close";

/** Holds every call of one method of the store in the hand of the test: each goes on when the test says so. */
function held(store: HeldStore, method: Method): Deferred<void>[] {
  const gates: Deferred<void>[] = [];
  const go: (...args: never[]) => Promise<void> = store[method].bind(store);
  Object.defineProperty(store, method, {
    value: async (...args: never[]) => {
      const gate = deferred();
      gates.push(gate);
      await gate.promise;
      return go(...args);
    },
  });
  return gates;
}

/** The number of calls that were let go on. */
async function letAll(gates: readonly Deferred<void>[]): Promise<number> {
  let done = 0;
  for (; done < gates.length; done++) {
    given(gates[done]).resolve();
    await settled();
  }
  return done;
}

describe("D1 D5 what is written", () => {
  test("is one append at a time, whatever is decided meanwhile and however often it fails, each event once", async () => {
    const { manager, store, pass } = await started();
    const running = hold(manager, { id: "running" });
    await settled();
    const gates = held(store, "append");
    for (let round = 0; round < 6; round++) {
      running.ctx.emit("decided", round);
      await settled();
      running.ctx.emit("meanwhile", round);
      await settled();
      expect(gates).toHaveLength(round + 1);
      if (round === 2) {
        store.failure = full;
        given(gates[round]).resolve();
        await settled();
        store.failure = undefined;
        await pass(99);
        expect(gates).toHaveLength(round + 1);
        await pass(1);
      } else given(gates[round]).resolve();
      await settled();
    }
    await letAll(gates);
    expect(gapless(store.kept)[0]).toBe(1);
    expect(store.kept.filter(({ type }) => type === "custom")).toHaveLength(6 * 2);
    await running.handle.stored();
  });

  test("D7 is at most four long outputs at a time, and the event of none of them before the last is there", async () => {
    const { manager, store } = await started();
    const gates = held(store, "putOutput");
    for (let n = 0; n < 10; n++) manager.spawn(() => LONG, { id: `long ${n}` });
    await settled();
    expect(gates).toHaveLength(4);
    given(gates[2]).resolve();
    await settled();
    expect(gates).toHaveLength(5);
    gates.splice(2, 1);
    expect(store.kept.some(({ type }) => type === "task.succeeded")).toBe(false);
    expect(await letAll(gates)).toBe(9);
    expect(store.kept.filter(({ type }) => type === "task.succeeded")).toHaveLength(10);
  });
});

describe("D5 a reader of what is stored", () => {
  test("does not wait for a commit that fails: it gets what there is", async () => {
    const { manager, store } = await started();
    const running = hold(manager, { id: "running" });
    await settled();
    store.hold();
    running.ctx.emit("decided");
    await settled();
    const history = running.handle.history();
    expect((await peek(history)).is).toBe("pending");
    store.fail(full);
    expect((await history).map(({ type }) => type)).toEqual(["task.created", "task.started"]);
  });
});

describe("D8 after a close", () => {
  test("the store is given nothing more, also when a function settles that was left out there", async () => {
    const { manager, store, pass } = await started({ graceMs: 50 });
    const deaf = holdDeaf<string>(manager, { id: "deaf" });
    await settled();
    const closing = manager.close();
    await pass(50);
    await closing;
    const { calls } = store;
    const before = [...calls];
    expect(before.at(-1)).toBe("close");
    deaf.finish("late");
    await settled();
    expect(calls).toEqual(before);
  });

  test("the close waits for a compaction that is under way, and gives the place back after it", async () => {
    const process = await started();
    const { manager, store } = process;
    const gates = held(store, "compact");
    fill(process);
    await settled();
    expect(gates).toHaveLength(1);
    const closing = manager.close();
    expect((await peek(closing)).is).toBe("pending");
    expect(store.closes).toBe(0);
    given(gates[0]).resolve();
    await closing;
    expect(store.calls.slice(-2)).toEqual([expect.stringContaining("compact"), "close"]);
  });

  test("a compaction that hangs delays it by its grace only, and is no failure", async () => {
    const process = await started({ graceMs: 50 });
    const { manager, store, pass, clock } = process;
    const failures: unknown[] = [];
    manager.on("store.failed", (event) => failures.push(event));
    const gates = held(store, "compact");
    fill(process);
    await settled();
    const closing = manager.close();
    await pass(49);
    expect((await peek(closing)).is).toBe("pending");
    await pass(1);
    expect((await peek(closing)).is).toBe("fulfilled");
    given(gates[0]).reject(full);
    await settled();
    expect([failures, clock.nextAt, store.closes]).toEqual([[], undefined, 1]);
  });

  test("no compaction begins for what the close itself decides", async () => {
    const process = await started();
    const { manager, store } = process;
    fill(process, MANY - 10);
    await settled();
    for (let n = 0; n < 20; n++) hold(manager);
    await manager.close();
    expect(store.kept.length).toBeGreaterThan(MANY);
    expect(store.compactions).toBe(0);
  });
});

describe("D3 a compaction that finds the writer's place taken", () => {
  test("ends the manager like an append that does: it says so, stops its work, and writes nothing more", async () => {
    const store = new HeldStore();
    const process = await started({ graceMs: 0 }, store);
    const { manager, pass } = process;
    const failures: unknown[] = [];
    manager.on("store.failed", ({ error }) => failures.push(error));
    const running = hold(manager, { id: "running" });
    const taken = new StoreLockedError("here", "process 4711");
    store.compact = () => Promise.reject(taken);
    fill(process);
    await settled();
    await pass(0);
    const { appends } = store;
    expect([failures, running.handle.status]).toEqual([[taken], "interrupted"]);
    expect(() => manager.spawn(() => 1)).toThrow(expect.objectContaining({ code: "MANAGER_CLOSED" }));
    await pass(10_000);
    expect(store.appends).toBe(appends);
  });
});

describe("D6 an output that is deleted", () => {
  test("is deleted before the output of a task that has its id again is put", async () => {
    const process = await started({ retention: { maxFinished: 1 } });
    const { manager, store } = process;
    for (const id of ["again", "other"]) await manager.spawn(() => LONG, { id }).result();
    const gates = held(store, "deleteOutputs");
    fill(process);
    await settled();
    expect(gates).toHaveLength(1);
    const again = manager.spawn(() => `${LONG} again`, { id: "again" });
    await settled();
    expect(store.calls.filter((call) => call === "put again")).toHaveLength(1);
    given(gates[0]).resolve();
    expect(await again.result()).toBe(`${LONG} again`);
    expect(store.calls.filter((call) => call.endsWith(" again")).slice(-2)).toEqual(["delete again", "put again"]);
    expect(await task(await process.restart(), "again").result()).toBe(`${LONG} again`);
  });

  test("is not deleted when its id was used again while the snapshot without it was stored", async () => {
    const process = await started({ retention: { maxFinished: 1 } });
    const { manager, store } = process;
    for (const id of ["again", "other"]) await manager.spawn(() => LONG, { id }).result();
    const gates = held(store, "compact");
    fill(process);
    await settled();
    expect(gates).toHaveLength(1);
    const again = manager.spawn(() => `${LONG} again`, { id: "again" });
    await again.result();
    await settled();
    given(gates[0]).resolve();
    await settled();
    expect([store.compactions, store.calls.filter((call) => call === "delete again")]).toEqual([1, []]);
    expect(await task(await process.restart(), "again").result()).toBe(`${LONG} again`);
  });

  test("stays when the compaction fails, and goes with the next one", async () => {
    const process = await started({ retention: { maxFinished: 1 } });
    const { manager, store } = process;
    for (const id of ["gone", "kept"]) await manager.spawn(() => LONG, { id }).result();
    const compact = store.compact.bind(store);
    store.compact = () => Promise.reject(full);
    fill(process);
    await settled();
    expect(store.outputIds).toContain("gone");
    store.compact = compact;
    fill(process);
    await settled();
    expect(store.outputIds).not.toContain("gone");
  });
});

describe("D1 while nothing is decided", () => {
  test("nothing is written, and no timer waits", async () => {
    const store = new HeldStore();
    const clock = manualClock();
    const manager = await TaskManager.open({ store, clock });
    await clock.advance(60_000);
    expect([store.appends, store.compactions, clock.nextAt]).toEqual([0, 0, undefined]);
    await manager.close();
    expect(store.calls).toEqual(["close"]);
  });
});
