// Scenarios of standing in line: keys, priorities, pauses, a full line, outside signals, names (§3, §12).

import type { Scenario } from "./sweep-stage.js";

const lanes: Scenario = {
  name: "lanes with keys, priorities and a pause",
  options: { concurrency: 3, agingMs: 5, lanes: { a: { concurrency: 1 }, b: { concurrency: 2 } } },
  ends: { succeeded: 13 },
  play({ manager, compute, at, keep }) {
    for (let n = 0; n < 4; n += 1) {
      const laneKey = n % 2 === 0 ? "ann" : "bob";
      manager.spawn((ctx) => compute(ctx, 3), { lane: "a", laneKey, priority: n });
      manager.spawn(
        async (ctx) => {
          await ctx.sleep(2);
          const child = ctx.spawn((ctx) => compute(ctx, 2), { lane: "a", laneKey });
          await child.result();
        },
        { lane: "b", laneKey },
      );
    }
    manager.spawn((ctx) => ctx.sleep(3));
    at(4, () => manager.pause("a"));
    at(6, () => manager.pause());
    at(12, () => manager.resume("b"));
    at(16, () => manager.resume());
    keep("everything", manager.idle());
  },
};

const fullLine: Scenario = {
  name: "room() and a full line",
  options: { concurrency: 1, limits: { maxQueued: 2 } },
  ends: { succeeded: 7, failed: 1, cancelled: 2 },
  play({ manager, compute, at, signal, keep }) {
    const given = signal();
    const produce = async (count: number): Promise<void> => {
      for (let n = 0; n < count; n += 1) {
        await manager.room({ signal: given });
        manager.spawn((ctx) => compute(ctx, 2));
      }
    };
    keep("a producer", produce(4));
    keep("another producer", produce(3));
    const inside = manager.spawn(async (ctx) => {
      for (let n = 0; n < 3; n += 1) {
        await manager.room();
        ctx.spawn((ctx) => ctx.sleep(3));
      }
      return ctx.list().length;
    });
    keep("the one inside", inside.outcome());
    at(3, () => manager.cancelAll({ status: "queued" }));
    // A place in line is free again, however it was left.
    at(60, () => manager.pause());
    for (let n = 0; n < 3; n += 1) at(60, () => manager.spawn((ctx) => ctx.sleep(1)));
    at(61, () => manager.resume());
  },
};

const outsideSignals: Scenario = {
  name: "one signal for many",
  options: { concurrency: 2 },
  ends: { succeeded: 6, cancelled: 1 },
  play({ manager, compute, deaf, signal, keep }) {
    const [one, other] = [signal(), signal()];
    const root = manager.spawn(
      async (ctx) => {
        for (let n = 0; n < 3; n += 1) ctx.spawn((ctx) => compute(ctx, 6), { signal: one });
        ctx.spawn(() => deaf(10), { signal: other, detached: true });
        await Promise.allSettled([ctx.sleep(4, { signal: one }), ctx.sleep(5, { signal: other })]);
        const late = ctx.spawn((ctx) => ctx.sleep(3), { signal: one });
        return late.outcome({ signal: other }).catch(() => "given up");
      },
      { signal: other },
    );
    keep("the root", root.result({ signal: one }));
    keep("every end", manager.awaitTasks([root], { signal: other }));
    keep("a cancel given up", manager.spawn((ctx) => ctx.sleep(9)).cancel("at once", { signal: one }));
  },
};

const readers: Scenario = {
  name: "readers of events and of the inbox",
  options: { concurrency: 1, retention: { maxFinished: 1 } },
  ends: { succeeded: 4 },
  play({ manager, compute, signal, answering, keep, keepOpen }) {
    answering("yes", 2);
    const given = signal();
    const reading = async (count: number, options: { signal?: AbortSignal; taskId?: string }): Promise<void> => {
      let left = count;
      for await (const { type } of manager.events(options)) if (type === "task.blocked" && --left === 0) break;
    };
    const watching = async (): Promise<void> => {
      for await (const { id } of manager.inbox.watch({ signal: given })) {
        keep("a second answer", manager.inbox.answer(id, "no", { by: "bob" }));
      }
    };
    keepOpen("all events", reading(99, {}));
    keepOpen("some events", reading(3, { signal: given }));
    keepOpen("the events of one", reading(1, { taskId: "named" }));
    keepOpen("requests", watching());
    const named = manager.spawn((ctx) => ctx.ask({ question: "still there?" }), { id: "named" });
    const ended = manager.spawn((ctx) => compute(ctx, 1));
    manager.spawn(async (ctx) => {
      const child = ctx.spawn(() => "gone soon");
      await ctx.sleep(4);
      ctx.output("stdout", "a line");
      ctx.artifact({ name: "log", type: "text", data: "x" });
      return manager.awaitTasks([child, ended, named]);
    });
  },
};

const names: Scenario = {
  name: "the same id, name and call again",
  options: { concurrency: 1 },
  ends: { succeeded: 7, failed: 1 },
  play({ manager, compute, at, keep }) {
    const session = manager.session("chat");
    const again = (): void => {
      const byId = session.spawn((ctx) => compute(ctx, 5), { id: "one" });
      const byCall = session.spawn((ctx) => ctx.sleep(5), { callId: "call_1" });
      keep("by id", byId.outcome());
      keep("by call", byCall.outcome());
    };
    again();
    again();
    for (const ms of [3, 12, 30]) {
      at(ms, again);
      at(ms, () => session.spawn(async (ctx) => ctx.sleep(8), { name: "worker" }).result());
    }
    manager.spawn(
      (ctx) =>
        manager
          .spawn((ctx) => ctx.sleep(2))
          .result()
          .then(() => ctx.usage()),
      { root: true },
    );
    manager.spawn((): unknown => ({ then: (resolve: (value: string) => void) => resolve("a thenable") }));
    manager.spawn(() => {
      throw undefined;
    });
    keep("everything", manager.idle());
  },
};

export const standing: readonly Scenario[] = [lanes, fullLine, outsideSignals, readers, names];
