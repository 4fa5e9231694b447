// C7: errand keeps nothing of the platform's time from its import, so fake timers that are installed later take effect, whatever they replace.

import { createHook } from "node:async_hooks";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mock } from "node:test";
import FakeTimers, { type FakeMethod, type InstalledClock } from "@sinonjs/fake-timers";
import { defineKind, TaskManager } from "errand";
import { monitor, process as program } from "errand/kinds";
import { fileStore } from "errand/stores/file";
import { memoryStore } from "errand/testing";
import { afterEach, describe, expect, test, vi } from "vitest";
import { deaf } from "../../support/program.js";

/** How a test moves its time by a second. */
interface Faked {
  readonly second: () => Promise<void>;
  readonly off: () => void;
}

/** Node delivers the messages of the test runner by `nextTick`, and loses them while it is fake. errand calls it nowhere. */
const ALL_BUT_NEXT_TICK: readonly FakeMethod[] = [
  ...([
    "Date",
    "setTimeout",
    "clearTimeout",
    "setImmediate",
    "clearImmediate",
    "setInterval",
    "clearInterval",
  ] as const),
  ...(["performance", "hrtime", "queueMicrotask"] as const),
];

function sinon(toFake: readonly FakeMethod[] = ALL_BUT_NEXT_TICK): Faked {
  const clock: InstalledClock = FakeTimers.install({ toFake: [...toFake] });
  return { second: async () => void (await clock.tickAsync(1_000)), off: () => clock.uninstall() };
}

const turn = (() => {
  const platformImmediate = setImmediate;
  return () => new Promise<void>((resolve) => void platformImmediate(resolve));
})();

interface Fake {
  readonly what: string;
  readonly install: () => Faked;
  /** Node's own streams stand still then. */
  readonly stopsNode?: boolean;
}

const fakes: readonly Fake[] = [
  { what: "everything that @sinonjs/fake-timers has but nextTick", stopsNode: true, install: () => sinon() },
  { what: "Date, timers and performance", install: () => sinon(["Date", "setTimeout", "clearTimeout", "performance"]) },
  { what: "Date and timers", install: () => sinon(["Date", "setTimeout", "clearTimeout"]) },
  {
    what: "Date, timers and setImmediate",
    install: () => sinon(["Date", "setTimeout", "clearTimeout", "setImmediate"]),
  },
  { what: "the timers alone", install: () => sinon(["setTimeout", "clearTimeout"]) },
  { what: "setTimeout alone", install: () => sinon(["setTimeout"]) },
  {
    what: "queueMicrotask as well",
    stopsNode: true,
    install: () => sinon(["setTimeout", "clearTimeout", "Date", "performance", "queueMicrotask", "setImmediate"]),
  },
  {
    what: "what vi.useFakeTimers() does",
    install: () => {
      vi.useFakeTimers();
      return { second: async () => void (await vi.advanceTimersByTimeAsync(1_000)), off: () => vi.useRealTimers() };
    },
  },
  {
    what: "what the mock.timers of node:test do",
    install: () => {
      mock.timers.enable({ apis: ["setTimeout", "Date"], now: Date.now() });
      return {
        second: async () => {
          mock.timers.tick(1_000);
          for (let n = 0; n < 8; n++) await turn();
        },
        off: () => mock.timers.reset(),
      };
    },
  },
];

let faked: Faked | undefined;
afterEach(() => {
  faked?.off();
  faked = undefined;
});

describe.each(fakes)("C7 with a fake that replaces $what", ({ install, stopsNode = false }) => {
  async function seconds(count: number): Promise<void> {
    for (let n = 0; n < count; n++) await faked?.second();
  }

  test("an interval of one second ticks ten times in ten seconds", async () => {
    faked = install();
    const manager = new TaskManager();
    const ticks: number[] = [];
    let second = 0;
    manager.spawn(monitor({ every: { ms: 1_000 }, run: () => void ticks.push(second) }));
    await turn();
    for (second = 1; second <= 10; second++) await seconds(1);
    expect(ticks).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    await manager.close({ graceMs: 0 });
  });

  test("a task stalls, times out and sleeps by it", async () => {
    faked = install();
    const manager = new TaskManager({ graceMs: 0 });
    const stalls = manager.spawn(deaf, { stallTimeoutMs: 3_000 });
    const times = manager.spawn(deaf, { timeoutMs: 4_000 });
    const elapses = manager.spawn((ctx) => ctx.receive(), { elapsedTimeoutMs: 4_000 });
    const sleeps = manager.spawn((ctx) => ctx.sleep(5_000));
    await turn();
    const found = () => [stalls.status, times.status, elapses.status, sleeps.status];
    await seconds(2);
    expect(found()).toEqual(["running", "running", "blocked", "blocked"]);
    await seconds(4);
    expect(found()).toEqual(["failed", "failed", "failed", "succeeded"]);
    await manager.close({ graceMs: 0 });
  });

  test("a sign of life puts the stall off by its whole time, and no more", async () => {
    faked = install();
    const manager = new TaskManager({ graceMs: 0 });
    let sign = () => {};
    const task = manager.spawn(
      (ctx) => {
        sign = () => ctx.heartbeat();
        return deaf();
      },
      { stallTimeoutMs: 4_000 },
    );
    await turn();
    await seconds(2);
    sign();
    await seconds(3);
    expect(task.status).toBe("running");
    await seconds(5);
    expect(task.status).toBe("failed");
    await manager.close({ graceMs: 0 });
  });

  test("what needs no time needs no step of the fake: a store is opened, spawned in, reported and closed", async () => {
    faked = install();
    const kind = defineKind({ name: "quick", run: () => "done" });
    const manager = await TaskManager.open({ store: memoryStore(), kinds: [kind] });
    const session = manager.session("chat");
    const task = session.spawn("quick", {});
    expect(await task.result()).toBe("done");
    session.spawn("quick", {});
    expect((await session.nextNotices())?.notices).toHaveLength(1);
    await manager.room();
    await manager.close();
  });

  test.skipIf(stopsNode)(
    "the world outside goes on: a file store is opened and closed, and a program is ended with all it started",
    async () => {
      const folder = await mkdtemp(join(tmpdir(), "errand-fake-"));
      faked = install();
      const manager = await TaskManager.open({ store: fileStore(folder), kinds: [program()] });
      const task = manager.spawn("process", { input: { command: "sh", args: ["-c", "sleep 60 & sleep 60"] } });
      while (task.status !== "running") await turn();
      expect(await task.cancel()).toMatchObject({ status: "cancelled" });
      await manager.close();
      faked.off();
      faked = undefined;
      await rm(folder, { recursive: true });
    },
  );

  test("a fan-out comes to its end", async () => {
    faked = install();
    const manager = new TaskManager();
    const task = manager.spawn((ctx) => ctx.map([1, 2, 3], (_, n) => n * 2, { concurrency: 2 }));
    expect(await task.result()).toEqual([2, 4, 6]);
    await manager.close();
  });
});

const TIME = ["Date", "setTimeout", "clearTimeout", "setImmediate", "performance"] as const;

describe("C7 a fake that comes and goes", () => {
  test("a task that began on the real clock has no false timeout under a fake one, nor after it", async () => {
    const manager = new TaskManager({ graceMs: 0 });
    const task = manager.spawn(
      async (ctx) => {
        await ctx.receive();
        await ctx.receive();
        await ctx.receive();
        return "done";
      },
      { timeoutMs: 60_000, stallTimeoutMs: 60_000 },
    );
    await turn();
    faked = sinon(TIME);
    await task.send("one");
    await turn();
    faked.off();
    await task.send("two");
    await turn();
    faked = sinon(["Date", "setTimeout", "clearTimeout"]);
    await task.send("three");
    expect(await task.result()).toBe("done");
    await manager.close();
  });

  test("a timer is cleared by the platform that set it: none is left behind, and the fake complains of nothing", async () => {
    const warned = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    // Timers of these seconds are errand's alone; other timers of the process come and go.
    const timers = new Set<number>();
    const hook = createHook({
      init(id, type, _, resource: { _idleTimeout?: number }) {
        const ms = resource._idleTimeout ?? 0;
        if (type === "Timeout" && [61, 122].includes(Math.round(ms / 1_000))) timers.add(id);
      },
      destroy: (id) => void timers.delete(id),
    }).enable();
    const manager = new TaskManager({ graceMs: 0, retention: { ttlMs: Number.POSITIVE_INFINITY } });
    const task = manager.spawn((ctx) => ctx.sleep(61_000), { totalTimeoutMs: 122_000 });
    await turn();
    expect(timers.size).toBe(2);
    faked = sinon(TIME);
    await task.cancel();
    faked.off();
    faked = undefined;
    // Node reports the end of a timer a turn later.
    await turn();
    expect(timers.size).toBe(0);
    hook.disable();
    expect(warned).not.toHaveBeenCalled();
    warned.mockRestore();
    await manager.close();
  });

  test("a Date that stands still holds up no duration", async () => {
    faked = sinon(["Date"]);
    const manager = new TaskManager({ graceMs: 0 });
    const stalls = manager.spawn(deaf, { stallTimeoutMs: 20 });
    const asks = manager.spawn((ctx) => ctx.ask({ question: "Which?", timeoutMs: 20, onTimeout: { default: "none" } }));
    const sleeps = manager.spawn((ctx) => ctx.sleep(20));
    let ticks = 0;
    await manager.spawn(monitor({ every: { ms: 10 }, maxTicks: 3, run: () => void ticks++ })).result();
    expect(ticks).toBe(3);
    expect(await stalls.outcome()).toMatchObject({ error: { code: "stalled" } });
    expect(await asks.result()).toBe("none");
    await sleeps.result();
    await manager.close();
  });
});
