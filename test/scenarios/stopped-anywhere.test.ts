// Attempts, budgets and loops that read notices, stopped at every step of their lives (L8, S6, C3, H2): whatever is done to them, and whenever, no
// slot, timer or wait is left, each task ends once, and no rejection is nobody's.
//
// A step is one turn of the event loop, at the start of a turn or some microtasks into it; when nothing goes on, the next timer fires.

import {
  type Clock,
  isErrandError,
  type TaskContext,
  type TaskEvent,
  TaskManager,
  type TaskManagerOptions,
} from "errand";
import { countedIds } from "errand/testing";
import { describe, expect, test } from "vitest";
import { allFree, facts, slots, unhandled } from "../support/basics.js";
import { HeldStore } from "../support/held-store.js";
import { deaf, isEnd, untilStopped } from "../support/program.js";

interface Timer {
  readonly fn: () => void;
  readonly at: number;
}

/** Fires one timer at a time, by hand. */
class Steps implements Clock {
  #now = 0;
  readonly #timers = new Set<Timer>();

  now(): number {
    return this.#now;
  }
  setTimeout(fn: () => void, ms: number): Timer {
    const timer = { fn, at: this.#now + ms };
    this.#timers.add(timer);
    return timer;
  }
  clearTimeout(timer: unknown): void {
    this.#timers.delete(timer as Timer);
  }
  get size(): number {
    return this.#timers.size;
  }
  /** The next timer; `false`: there is none. */
  fire(): boolean {
    const [next] = [...this.#timers].toSorted((a, b) => a.at - b.at);
    if (next === undefined) return false;
    this.#timers.delete(next);
    this.#now = Math.max(this.#now, next.at);
    next.fn();
    return true;
  }
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.setTimeout(resolve, ms));
  }
}

interface Stage {
  readonly manager: TaskManager;
  readonly clock: Steps;
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise(setImmediate);
}
const fails = (): never => {
  throw new Error("no");
};
const EVEN = { backoffMs: 5, factor: 1, jitter: false } as const;

const PROGRAMS: { readonly [name: string]: (stage: Stage) => void } = {
  "attempts that fail, time out and are given up": ({ manager, clock }) => {
    manager.spawn(
      async (ctx: TaskContext) => {
        ctx.spawn((child) => child.sleep(20), { lane: "work" });
        void ctx.ask({ question: "Keyed?", key: "k" }).catch(() => undefined);
        void ctx.receive().catch(() => undefined);
        await clock.sleep(1);
        if (ctx.attempt === 1) return fails();
        if (ctx.attempt === 2) return deaf();
        if (ctx.attempt === 3) return untilStopped(ctx);
        return "fourth";
      },
      { id: "root", lane: "work", timeoutMs: 4, retry: { ...EVEN, maxAttempts: 4 } },
    );
    manager.spawn((ctx) => (ctx.attempt < 3 ? ctx.sleep(2).then(fails) : 3), {
      lane: "work",
      retry: { ...EVEN, maxAttempts: 3 },
    });
  },
  "a loop that reads notices, of children that are tried again": ({ manager }) => {
    manager.session("chat").spawn(
      async (ctx) => {
        ctx.spawn((child) => (child.attempt < 3 ? fails() : 1), { retry: { ...EVEN, maxAttempts: 3 } });
        ctx.spawn((child) => child.sleep(7), { wake: "onActivity" });
        const third = ctx.spawn((child) => child.sleep(3).then(() => 3), { detached: true });
        void third.outcome().catch(() => undefined);
        let count = 0;
        for (;;) {
          const batch = await ctx.nextNotices({ coalesceMs: 2, timeoutMs: 40 });
          if (batch === undefined) return count;
          count += batch.notices.length;
          await batch.ack();
        }
      },
      { id: "root", retry: { ...EVEN, maxAttempts: 2 } },
    );
  },
  "a tree that overspends": ({ manager, clock }) => {
    const spends = (depth: number) => async (ctx: TaskContext) => {
      for (let n = 0; n < 2 && depth > 0; n++) {
        try {
          ctx.spawn(spends(depth - 1), { detached: n === 1, retry: { ...EVEN, maxAttempts: 2 } });
        } catch (error) {
          if (!isErrandError(error, "LIMIT_EXCEEDED")) throw error;
        }
      }
      await clock.sleep(depth + 1);
      ctx.reportUsage({ inputTokens: 3, costUsd: 0.1 });
      await ctx.sleep(2);
      if (ctx.attempt === 1 && depth === 0) fails();
    };
    manager.spawn(spends(3), { id: "root", budget: { tokens: 20, tasks: 12 } });
  },
};

const ACTS: { readonly [name: string]: (manager: TaskManager) => unknown } = {
  nothing: () => undefined,
  "cancel the root": (manager) => manager.get("root")?.cancel("enough"),
  "cancel the newest": (manager) =>
    manager.list({ status: ["queued", "running", "blocked"] }).at(-1) &&
    manager.get(manager.list({ status: ["queued", "running", "blocked"] }).at(-1)?.id ?? "")?.cancel(),
  "cancel everything": (manager) => manager.cancelAll(),
  "close the manager": (manager) => manager.close(),
  "spawn below the root": (manager) => manager.spawn((ctx) => ctx.sleep(30), { parent: "root" }),
  "pause and go on": (manager) => {
    manager.pause();
    setImmediate(() => setImmediate(() => manager.resume()));
  },
};

async function play(
  program: (stage: Stage) => void,
  act: (manager: TaskManager) => unknown,
  at: number,
  depth: number,
  store: HeldStore | undefined,
): Promise<boolean> {
  const clock = new Steps();
  const options: TaskManagerOptions = {
    clock,
    ids: countedIds(),
    graceMs: 3,
    concurrency: 3,
    lanes: { work: { concurrency: 2, holdAbandoned: true } },
    retention: { ttlMs: Number.POSITIVE_INFINITY },
  };
  const manager = store === undefined ? new TaskManager(options) : await TaskManager.open({ ...options, store });
  const told: TaskEvent[] = facts(manager);
  store?.hold();
  program({ manager, clock });
  let isClosed = false;
  let isClosing = false;
  let wasReached = false;
  const ignored = (call: () => unknown) => {
    try {
      void Promise.resolve(call()).catch(() => undefined);
    } catch {
      // Refused, as it may be.
    }
  };
  for (let step = 0, quiet = 0; quiet < 5; step++) {
    if (step === at) {
      for (let n = 0; n < depth; n++) await Promise.resolve();
      wasReached = true;
      quiet = 0;
      ignored(() => act(manager));
      isClosing = act === ACTS["close the manager"];
    }
    await new Promise(setImmediate);
    // A close gives its store a grace, and no more.
    if (step % 3 === 0 || isClosing) store?.release();
    for (const lane of ["work", "default"]) slots(manager, lane);
    quiet++;
    if (quiet === 5 && clock.fire()) quiet = 0;
    if (quiet === 5 && !isClosed && manager.list({ status: ["queued", "running", "blocked"] }).length > 0) {
      // What would wait for ever goes.
      isClosed = true;
      quiet = 0;
      ignored(() => manager.cancelAll({}, "over"));
    }
    if (step > 2_000) throw new Error("it never comes to rest");
  }
  store?.letThrough();
  await turns(20);
  const left = manager.list({ status: ["queued", "running", "blocked"] });
  expect(left.map(({ id, status, blockedOn }) => ({ id, status, blockedOn }))).toEqual([]);
  expect(clock.size).toBe(0);
  expect(manager.inbox.list()).toEqual([]);
  // The deaf hold theirs, in a lane that says so.
  const { abandoned } = manager.stats();
  if (abandoned === 0) allFree(manager);
  else expect(manager.stats().lanes["work"]?.held).toBeLessThanOrEqual(abandoned);
  for (const { id } of manager.list()) {
    const events = told.filter(({ taskId }) => taskId === id);
    expect([id, events.filter(isEnd).length]).toEqual([id, 1]);
    const after = events.slice(events.findIndex(isEnd) + 1).map(({ type }) => type);
    expect([
      id,
      after.filter((type) => !["task.updated", "artifact.added", "task.lateSettled"].includes(type)),
    ]).toEqual([id, []]);
  }
  // H1: no task is over before what is attached below it.
  for (const record of manager.list()) {
    const { parentId, detached } = record;
    if (parentId === undefined || detached) continue;
    const place = (id: string) => told.findIndex((event) => event.taskId === id && isEnd(event));
    expect([record.id, place(record.id) < place(parentId)]).toEqual([record.id, true]);
  }
  return wasReached;
}

describe("D1, S6 a stop in the very moment in which the store takes what a wait tells", () => {
  test.each(Array.from({ length: 12 }, (_, n) => n))(
    "loses no event, %s microtasks after the commit",
    async (depth) => {
      const [clock, store] = [new Steps(), new HeldStore()];
      const manager = await TaskManager.open({ clock, store, ids: countedIds() });
      const told = facts(manager);
      const waits = manager.spawn((ctx) => ctx.sleep(1).then(deaf), { graceMs: 0 });
      const others = [1, 2, 3].map(() => manager.spawn(() => clock.sleep(1)));
      await turns(8);
      store.hold();
      clock.fire();
      while (clock.size > 0) clock.fire();
      await turns(8);
      expect(store.held.map(({ type }) => type)).toContain("task.resumed");
      store.release();
      for (let n = 0; n < depth; n++) await Promise.resolve();
      void waits.cancel();
      store.letThrough();
      await turns(8);
      while (clock.fire()) await turns(4);
      await turns(8);
      expect(told.map(({ seq }) => seq)).toEqual(store.kept.map(({ seq }) => seq));
      expect([waits, ...others].map(({ status }) => status)).toEqual([
        "cancelled",
        "succeeded",
        "succeeded",
        "succeeded",
      ]);
    },
  );
});

describe("stopped at any step", () => {
  const cases = Object.keys(PROGRAMS).flatMap((program) => Object.keys(ACTS).map((act) => ({ program, act })));
  test.each(cases)("$program: $act", async ({ program, act }) => {
    const [work, does] = [PROGRAMS[program], ACTS[act]];
    if (work === undefined || does === undefined) throw new Error("no such case");
    const seen = await unhandled(async () => {
      for (const isStored of [false, true]) {
        for (const depth of act === "nothing" ? [0] : [0, 1]) {
          for (let at = 0; ; at += isStored ? 3 : 1) {
            const reached = await play(work, does, at, depth, isStored ? new HeldStore() : undefined);
            if (!reached || act === "nothing") break;
          }
        }
      }
    });
    expect(seen).toEqual([]);
  });
});
