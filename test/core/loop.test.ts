// The loop (§2): one writer, one numbering and one order of deliveries, whatever is refused, throws or calls back in the midst.

import type { Clock } from "errand";
import { TaskManager } from "errand";
import { manualClock } from "errand/testing";
import { describe, expect, test } from "vitest";
import { Call } from "../../lib/core/events/delivery.js";
import { Listeners } from "../../lib/core/events/listeners.js";
import { Loop } from "../../lib/core/loop.js";
import { Timekeeper } from "../../lib/core/time/clock.js";
import { GuardedLogger } from "../../lib/core/values/logger.js";
import { deferred, facts, settled } from "../support/basics.js";
import { deaf, rejected, untilStopped } from "../support/program.js";
import { durable, gapless, started } from "../support/restarts.js";

/** A loop without tasks, and what was delivered. */
function loopAlone() {
  const clock = new Timekeeper(manualClock());
  const loop = new Loop(clock, new Listeners(() => clock.now(), new GuardedLogger(undefined)));
  const told: string[] = [];
  return { loop, told, tell: (text: string) => new Call(() => void told.push(text)) };
}

describe("§2 the queue of deliveries", () => {
  test("goes on behind a delivery that throws, in order, and takes what is added later", async () => {
    const { loop, told, tell } = loopAlone();
    const fault = new Error("a clock of the user threw");
    loop.deliver(tell("a"));
    loop.call(() => {
      throw fault;
    });
    loop.deliver(tell("b"));
    loop.call(() => loop.deliver(tell("d")));
    loop.deliver(tell("c"));
    expect(() => loop.drain()).toThrow(fault);
    expect(told).toEqual(["a"]);
    await settled();
    expect(told).toEqual(["a", "b", "c", "d"]);
  });

  test("is drained by one at a time: a delivery that drains it interrupts no delivery, itself neither", async () => {
    const { loop, told, tell } = loopAlone();
    loop.call(() => {
      told.push("a begins");
      loop.deliver(tell("c"));
      loop.drain();
      told.push("a ends");
    });
    loop.deliver(tell("b"));
    await settled();
    expect(told).toEqual(["a begins", "a ends", "b", "c"]);
  });

  test("has a delivery once at a time, at its first place, and again once it was delivered", async () => {
    const { loop, told, tell } = loopAlone();
    const [first, last] = [tell("first"), tell("last")];
    for (const delivery of [first, last, last, first]) loop.deliver(delivery);
    await settled();
    expect(told).toEqual(["first", "last"]);
    loop.deliver(last);
    await settled();
    expect(told).toEqual(["first", "last", "last"]);
  });

  test("delivers nothing in the call, and everything of a turn in one microtask", async () => {
    const { loop, told, tell } = loopAlone();
    loop.deliver(tell("a"));
    const between = Promise.resolve().then(() => void told.push("a microtask later"));
    loop.deliver(tell("b"));
    expect(told).toEqual([]);
    await between;
    expect(told).toEqual(["a", "b", "a microtask later"]);
  });

  test("resolves a promise after what was queued before it, and before any turn of the event loop passes", async () => {
    const { loop, told, tell } = loopAlone();
    loop.deliver(tell("before"));
    const value = loop.told("value").then((said) => told.push(said));
    setImmediate(() => told.push("a turn later"));
    await value;
    expect(told).toEqual(["before", "value"]);
  });
});

describe("§2 a listener in whose call a timer fires", () => {
  test("is not interrupted: each listener hears each event to its end, in the order of the facts", async () => {
    const due: (() => void)[] = [];
    // The wall clock and the timers of a user, who may fire them whenever it suits.
    const clock: Clock = {
      now: () => 0,
      monotonic: () => 0,
      setTimeout: (fire) => due.push(fire),
      clearTimeout: () => undefined,
    };
    const manager = new TaskManager({ clock });
    const heard: string[] = [];
    for (const ear of ["left", "right"]) {
      manager.on("task.blocked", ({ taskId }) => {
        heard.push(`${ear} ${taskId} begins`);
        for (const fire of due.splice(0)) fire();
        heard.push(`${ear} ${taskId} ends`);
      });
      manager.on("task.resumed", ({ taskId }) => void heard.push(`${ear} ${taskId} resumed`));
    }
    const sleeper = manager.spawn((ctx) => ctx.sleep(10).then(() => "slept"), { id: "t" });
    await sleeper.result();
    expect(heard).toEqual([
      ...["left t begins", "left t ends", "right t begins", "right t ends"],
      ...["left t resumed", "right t resumed"],
    ]);
  });
});

describe("§2 S8 what is refused", () => {
  test("leaves no trace: no number, no event, nothing in the store, and the record as it was", async () => {
    const { manager, store } = await started();
    const told = facts(manager);
    const open = deferred();
    const done = manager.spawn(async (ctx) => {
      void open.promise.then(() => {
        ctx.progress({ current: 1 });
        ctx.reportUsage({ inputTokens: 5 });
        ctx.emit("late", 1);
      });
      return "done";
    });
    await done.result();
    await settled();
    const before = { told: told.length, kept: store.kept.length, appends: store.appends, record: done.record };
    void done.cancel("too late");
    await rejected(() => done.send("too late"), "TASK_TERMINATED");
    open.resolve();
    await settled();
    expect({ told: told.length, kept: store.kept.length, appends: store.appends, record: done.record }).toEqual(before);
    expect(manager.stats().droppedWrites).toBe(3);
    await manager.spawn(() => "next").result();
    expect(gapless(store.kept)[0]).toBe(1);
  });
});

describe("C5 S3 a stop of a whole tree", () => {
  test("has one instant, however time goes on while it reaches everything below", async () => {
    const still = manualClock();
    let readings = 0;
    const manager = new TaskManager({ clock: { ...still, now: () => ++readings } });
    const told = facts(manager);
    const root = manager.spawn(async (ctx) => {
      for (let n = 0; n < 3; n++) ctx.spawn(untilStopped);
      await untilStopped(ctx);
    });
    await settled();
    void root.cancel();
    await settled();
    const stops = told.filter(({ type }) => type === "task.cancelRequested");
    expect(stops).toHaveLength(4);
    expect(new Set(stops.map(({ at }) => at)).size).toBe(1);
  });
});

describe("§2 D4 this process", () => {
  test("is recorded by the first task that it stores, and by no later one, in each process", async () => {
    const kind = durable(deaf);
    let process = await started({ kinds: [kind] });
    for (let round = 1; round <= 2; round++) {
      for (const n of [1, 2, 3]) process.manager.spawn(kind, { input: { n }, id: `${round}-${n}` });
      await settled();
      process = await process.restart();
    }
    const made = process.store.kept.filter((event) => event.type === "task.created");
    const recorded = made.filter((event) => event.runtime !== undefined).map(({ taskId }) => taskId);
    expect(recorded).toEqual(["1-1", "2-1"]);
  });
});
