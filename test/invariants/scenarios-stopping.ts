// Scenarios of stopping: timeouts, graces, functions that hear nothing or will not go, and a close in the midst of it (§5, D8).

import type { TaskContext } from "errand";
import type { Scenario } from "./sweep-stage.js";

const timeouts: Scenario = {
  name: "timeouts against late results",
  options: { concurrency: 3 },
  ends: { succeeded: 3, failed: 5 },
  play({ manager, compute, deaf, keep }) {
    for (const ms of [9, 10, 11]) {
      const obedient = manager.spawn((ctx) => compute(ctx, ms), { timeoutMs: 10 });
      const hearsNothing = manager.spawn(() => deaf(ms).then(() => ms), { timeoutMs: 10 });
      keep("a result in time?", obedient.outcome({ timeoutMs: 10 }));
      keep("a late result?", hearsNothing.outcome({ timeoutMs: 10 }));
    }
    const waits = manager.spawn(
      async (ctx) => {
        await ctx.sleep(20);
        await compute(ctx, 5);
        return ctx.receive({ timeoutMs: 10 });
      },
      { timeoutMs: 6 },
    );
    const stalls = manager.spawn(
      async (ctx) => {
        for (const ms of [3, 3, 9]) await compute(ctx, ms).then(() => ctx.heartbeat());
      },
      { stallTimeoutMs: 5 },
    );
    keep("one that waits longer than it may run", waits.result());
    keep("one that stalls", stalls.result());
  },
};

const abandoned: Scenario = {
  name: "grace and abandonment",
  options: { lanes: { kept: { concurrency: 1, holdAbandoned: true }, free: { concurrency: 1 } } },
  ends: { cancelled: 6, succeeded: 2 },
  play({ manager, deaf, compute, at, keep }) {
    const late = async (ctx: TaskContext): Promise<void> => {
      await deaf(40);
      ctx.summary("nobody reads this");
      await ctx.post("nor this");
      await ctx.sleep(1);
    };
    for (const lane of ["kept", "free"]) {
      const first = manager.spawn(
        async (ctx) => {
          ctx.spawn(() => deaf(30), { graceMs: 20 });
          await deaf(35);
          throw new Error("late");
        },
        { lane, graceMs: 5 },
      );
      const second = manager.spawn(late, { lane, graceMs: 0 });
      const third = manager.spawn((ctx) => compute(ctx, 2), { lane });
      at(8, () => first.cancel());
      at(50, () => second.cancel("in vain"));
      keep(`lane ${lane}`, manager.awaitTasks([first, second, third]));
    }
  },
};

const totalTimeouts: Scenario = {
  name: "total timeouts over a tree",
  options: { concurrency: 2 },
  ends: { failed: 4, succeeded: 2 },
  play({ manager, compute, deaf, keep }) {
    const root = manager.spawn(
      async (ctx) => {
        ctx.spawn(() => deaf(25), { graceMs: 10 });
        ctx.spawn((ctx) => ctx.sleep(90), { detached: true });
        const hurried = ctx.spawn(
          async (ctx) => {
            ctx.spawn((ctx) => ctx.receive(), { totalTimeoutMs: 8 });
            await ctx.ask({ question: "how long?" });
          },
          { totalTimeoutMs: 15 },
        );
        await hurried.outcome();
        const queued = ctx.spawn((ctx) => compute(ctx, 1), { totalTimeoutMs: 5 });
        await compute(ctx, 6);
        await queued.outcome();
        return ctx.sleep(90);
      },
      { totalTimeoutMs: 30 },
    );
    keep("the root", root.outcome());
    keep("everything", manager.idle());
  },
};

const stubborn: Scenario = {
  name: "functions that clean up or will not go",
  options: { concurrency: 1, graceMs: 20 },
  ends: { cancelled: 3, succeeded: 1 },
  play({ manager, compute, deaf, at, keep }) {
    const loop = manager.spawn(async (ctx) => {
      while (!ctx.isCancelled || ctx.record.updatedAt < 90) await ctx.sleep(5).catch(() => deaf(4));
    });
    const tidy = manager.spawn(async (ctx) => {
      await using child = ctx.spawn((ctx) => compute(ctx, 40));
      try {
        await ctx.sleep(10);
        return await compute(ctx, 3);
      } finally {
        await child.cancel("tidied").catch(() => undefined);
        await deaf(6);
      }
    });
    const returns = manager.spawn(async (ctx) => {
      await ctx.cancelled();
      await Promise.race([ctx.sleep(1), ctx.receive()]).catch(() => undefined);
      return "all the same";
    });
    at(12, () => loop.cancel());
    at(30, () => tidy.cancel());
    at(45, () => returns.cancel());
    keep("all", manager.awaitTasks([loop, tidy, returns]));
  },
};

const closing: Scenario = {
  name: "close during everything",
  options: { concurrency: 2, lanes: { other: { concurrency: 1, holdAbandoned: true } } },
  ends: { cancelled: 6, succeeded: 1 },
  play({ manager, compute, deaf, at, signal, keep }) {
    const given = signal();
    const root = manager.spawn(async (ctx) => {
      ctx.spawn((ctx) => ctx.ask({ question: "which?", key: "which" }));
      ctx.spawn((ctx) => ctx.receive(), { totalTimeoutMs: 60 });
      ctx.spawn(() => deaf(80), { lane: "other" });
      ctx.spawn((ctx) => compute(ctx, 80), { lane: "other", timeoutMs: 3, signal: given });
      await ctx.map([1, 90], (ctx, ms) => ctx.sleep(ms), { concurrency: 1 });
    });
    const returns = manager.spawn(async (ctx) => {
      await ctx.cancelled();
      await deaf(3);
      return "in time";
    });
    keep("the root", root.result({ signal: given }));
    keep("a task and a timeout", returns.outcome({ timeoutMs: 25 }));
    at(8, () => root.cancel("first"));
    at(10, () => manager.close({ graceMs: 20 }));
    for (const ms of [10, 20, 40]) at(ms, () => manager.spawn((ctx) => ctx.sleep(1)));
    at(11, () => manager.idle());
    at(11, () => manager.room());
    at(12, () => manager.cancelAll());
    at(13, () => manager.close({ graceMs: 1 }));
  },
};

const noTime: Scenario = {
  name: "no time at all",
  options: { concurrency: 1, graceMs: 0 },
  ends: { succeeded: 2, failed: 4, cancelled: 1 },
  play({ manager, deaf, signal, keep }) {
    const given = signal();
    const zero = { timeoutMs: 0, signal: given };
    const root = manager.spawn(async (ctx) => {
      const children = [
        ctx.spawn(() => "at once"),
        ctx.spawn((ctx) => ctx.sleep(0), { timeoutMs: 0 }),
        ctx.spawn((ctx) => ctx.sleep(0), { totalTimeoutMs: 0 }),
        ctx.spawn(() => deaf(1), { stallTimeoutMs: 0, graceMs: 0 }),
        ctx.spawn((ctx) => ctx.sleep(Number.POSITIVE_INFINITY), { totalTimeoutMs: 9 }),
      ];
      const [first] = children;
      void first?.cancel("in the same breath");
      await Promise.all([ctx.awaitTasks(children, zero), first?.outcome(zero), ctx.receive(zero), ctx.sleep(0)]);
      await ctx.ask({ question: "now?", ...zero, onTimeout: { default: "too late" } });
      await ctx.map([], () => 1, { concurrency: 1 });
      await ctx.cancelAll({ status: "queued" });
      return ctx.awaitTasks(children);
    });
    manager.spawn((ctx) => ctx.sleep(Number.POSITIVE_INFINITY), {
      timeoutMs: 0,
      signal: given,
      graceMs: 2 ** 40,
      totalTimeoutMs: 5,
    });
    keep("the root", root.result());
  },
};

export const stopping: readonly Scenario[] = [timeouts, abandoned, totalTimeouts, stubborn, noTime, closing];
