// Scenarios of families: children awaited, cancelled, let go, mapped over, spawned late (§4).

import { isErrandError, type TaskContext } from "errand";
import type { Scenario } from "./sweep-stage.js";

const childrenPolicies: Scenario = {
  name: "children awaited, cancelled and let go on return",
  options: { concurrency: 2 },
  ends: { succeeded: 7, failed: 2, cancelled: 3 },
  play({ manager, compute, keep }) {
    const family = (children: "await" | "cancel" | "detach") =>
      manager.spawn(
        async (ctx) => {
          ctx.spawn(
            async (ctx) => {
              ctx.spawn((ctx) => ctx.sleep(8));
              await compute(ctx, 4);
              return ctx.sleep(4);
            },
            { children },
          );
          ctx.spawn((ctx) => ctx.ask({ question: "anybody?", timeoutMs: 12 }));
          await ctx.sleep(6);
        },
        { children, name: children },
      );
    for (const each of [family("await"), family("cancel"), family("detach")]) keep(each.id, each.outcome());
    keep("everything", manager.idle());
  },
};

const detachedChildren: Scenario = {
  name: "detached children",
  options: { concurrency: 2 },
  ends: { cancelled: 2, succeeded: 3 },
  play({ manager, compute, deaf, at, keep }) {
    const root = manager.spawn(async (ctx) => {
      const alone = ctx.spawn(
        async (ctx) => {
          ctx.spawn((ctx) => compute(ctx, 10));
          ctx.spawn(() => deaf(20), { detached: true });
          await ctx.sleep(3);
          ctx.reportUsage({ inputTokens: 3 });
        },
        { detached: true },
      );
      ctx.spawn((ctx) => ctx.awaitTasks([alone]));
      await ctx.sleep(5);
      throw new Error("the parent fails, the detached go on");
    });
    at(4, () => root.cancel("no longer needed"));
    keep("the root", root.result());
    keep("everything", manager.idle());
  },
};

const failingMap: Scenario = {
  name: "ctx.map with a failing child",
  options: { concurrency: 2 },
  ends: { succeeded: 8, cancelled: 4, failed: 1 },
  play({ manager, compute, signal, keep }) {
    const given = signal();
    const root = manager.spawn(async (ctx) => {
      const squares = await ctx.map([1, 2, 3], async (ctx, n) => (await compute(ctx, n)) * n, { concurrency: 2 });
      const failed = await ctx
        .map(
          [3, 1, 4, 1, 5],
          async (ctx, n, index) => {
            await ctx.map([n], (ctx, n) => ctx.sleep(n), { concurrency: 1 });
            if (index === 1) throw new Error("the second fails");
            return compute(ctx, 6);
          },
          { concurrency: 3 },
        )
        .catch((error: unknown) => (isErrandError(error, "TASK_OUTCOME") ? error.taskId : Promise.reject(error)));
      const some = ctx.map([2, 2, 2], (ctx, n) => ctx.sleep(n), { concurrency: 1, signal: given });
      return [squares, failed, await some.catch(() => "given up")];
    });
    keep("what it gave", root.result());
  },
};

const lateSpawns: Scenario = {
  name: "cancelAll of a session with late spawns",
  options: { concurrency: 2 },
  ends: { succeeded: 2, cancelled: 2 },
  play({ manager, deaf, compute, at, keep }) {
    const session = manager.session("chat");
    const stubborn = async (ctx: TaskContext): Promise<string> => {
      ctx.spawn((ctx) => compute(ctx, 30));
      await deaf(12);
      return refusal(() => ctx.spawn((ctx) => ctx.sleep(1)));
    };
    session.spawn(stubborn);
    session.spawn(async (ctx) => {
      await ctx.sleep(4);
      ctx.spawn(stubborn);
      await ctx.cancelAll();
      return ctx.spawn((ctx) => ctx.sleep(2)).outcome();
    });
    at(5, () => session.cancelAll(undefined, "the chat is over"));
    for (const ms of [5, 8, 12, 20]) at(ms, () => session.spawn((ctx) => ctx.sleep(3)));
    at(21, () => session.cancelAll({ status: "running" }, "those that run"));
    keep("everything", manager.idle());
  },
};

const queuedParents: Scenario = {
  name: "children given to a parent that never starts",
  options: { concurrency: 1 },
  ends: { succeeded: 3, cancelled: 4 },
  play({ manager, compute, deaf, at, keep }) {
    const hasty = manager.spawn((ctx) => compute(ctx, 5));
    const orphan = manager.spawn((ctx) => compute(ctx, 5), { parent: hasty });
    keep("a cancel between its slot and its start", hasty.cancel());
    manager.spawn((ctx) => compute(ctx, 15), { priority: 9 });
    const parent = manager.spawn((ctx) => compute(ctx, 5), { totalTimeoutMs: 40 });
    const child = manager.spawn(() => deaf(30), { parent, priority: 9 });
    const grandchild = manager.spawn((ctx) => ctx.sleep(4), { parent: child });
    const detached = manager.spawn((ctx) => ctx.sleep(4), { parent, detached: true });
    at(20, () => parent.cancel("before it starts"));
    at(25, () => manager.spawn((ctx) => ctx.sleep(1), { parent }));
    keep("all of them", manager.awaitTasks([orphan, parent, child, grandchild, detached]));
  },
};

const slotWithoutStart: Scenario = {
  name: "a parent that has its slot and has not started",
  options: { concurrency: 2 },
  ends: { succeeded: 4 },
  play({ manager, compute, deaf, keep }) {
    const first = manager.spawn((ctx) => compute(ctx, 5));
    const second = manager.spawn((ctx) => compute(ctx, 12));
    // Its child goes first, and runs when it is granted its slot at 12 ms.
    const parent = manager.spawn((ctx) => compute(ctx, 5));
    manager.spawn(() => deaf(30), { parent, priority: 9 });
    keep("all of them", manager.awaitTasks([first, second, parent]));
  },
};

function refusal(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (isErrandError(error)) return error.code;
    throw error;
  }
  return "none";
}

export const families: readonly Scenario[] = [
  childrenPolicies,
  detachedChildren,
  failingMap,
  lateSpawns,
  queuedParents,
  slotWithoutStart,
];
