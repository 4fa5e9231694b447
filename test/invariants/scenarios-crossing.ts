// Scenarios of crossing: contexts and iterators in the hands of other tasks, values and listeners that act, waits in each other's way.

import { isErrandError, type TaskContext, type TaskHandle } from "errand";
import type { Scenario } from "./sweep-stage.js";

const lentContexts: Scenario = {
  name: "a context in the hands of another task",
  options: { concurrency: 1 },
  ends: { succeeded: 5 },
  play({ manager, compute, answering, signal, at, keep }) {
    answering("yes", 3);
    const given = signal();
    const root = manager.spawn(async (ctx) => {
      const child = ctx.spawn(async (own) => {
        await Promise.allSettled([
          ctx.ask({ question: "in whose name?" }),
          ctx.receive({ timeoutMs: 4 }),
          own.sleep(2),
          ctx.sleep(5, { signal: given }),
          ctx.map([1, 2], (each, ms) => compute(each, ms), { concurrency: 1, signal: given }),
        ]);
        await ctx.post("from below");
        return ctx.spawn((ctx) => compute(ctx, 2)).id;
      });
      await compute(ctx, 6);
      return child.result();
    });
    const late = root.result().then((id) => manager.get(id)?.outcome());
    at(12, () => root.send("to the root"));
    keep("the one spawned from below", late);
  },
};

const outlivedContext: Scenario = {
  name: "a context that is over in the hands of another task",
  options: { concurrency: 1 },
  ends: { succeeded: 3, failed: 3 },
  play({ manager, keep }) {
    const lent: TaskContext[] = [];
    const owner = manager.spawn((ctx) => ctx.sleep(lent.push(ctx) * 5));
    const waits = [
      (ctx: TaskContext) => ctx.receive(),
      (ctx: TaskContext) => ctx.ask({ question: "for how long?" }),
      (ctx: TaskContext) => ctx.map([2, 2, 2, 2], (ctx, ms) => ctx.sleep(ms), { concurrency: 1 }),
    ];
    for (const wait of waits) {
      const waiter = manager.spawn(async (own) => {
        await own.sleep(1);
        for (const ctx of lent) await wait(ctx);
      });
      keep(waiter.id, waiter.outcome());
    }
    keep("the owner", owner.outcome());
  },
};

const actingValues: Scenario = {
  name: "values that act when they are read",
  options: { concurrency: 2 },
  ends: { succeeded: 3, cancelled: 3 },
  play({ manager, compute, at, attempt, keep }) {
    const stop = (): number => manager.list({ status: "running" }).map(({ id }) => cancelled(id)).length;
    const cancelled = (id: string): void => attempt("a cancel", () => manager.get(id)?.cancel("by a value"));
    const value = {
      get acts() {
        return stop();
      },
    };
    const error = Object.defineProperty(new Error("acts"), "message", { get: () => `${stop()} stopped` });
    keep("a result", manager.spawn((ctx) => compute(ctx, 2).then(() => value)).outcome());
    const parent = manager.spawn(async (ctx) => {
      ctx.spawn((ctx) => compute(ctx, 9));
      await ctx.sleep(3);
      throw error;
    });
    keep("an error", parent.outcome());
    at(8, () => manager.spawn((ctx) => ctx.sleep(4), { metadata: { value } }));
    at(9, () => manager.spawn(async (ctx) => ctx.emit("acts", value)));
    at(10, () => manager.spawn((ctx) => ctx.ask({ question: "read?", details: value, timeoutMs: 3 })));
    const closes = {
      get acts() {
        attempt("a close", () => manager.close());
        return 1;
      },
    };
    at(30, () => manager.spawn((ctx) => ctx.receive(), { metadata: closes }));
  },
};

const sharedIterator: Scenario = {
  name: "one iterator read by several tasks",
  options: { concurrency: 2 },
  ends: { succeeded: 7 },
  play({ manager, compute, signal, keep }) {
    const given = signal();
    const sources = [6, 3, 9, 12].map((ms) => manager.spawn((ctx) => compute(ctx, ms)));
    const shared = manager.outcomes(sources, { signal: given })[Symbol.asyncIterator]();
    const readOne = async (ctx: TaskContext): Promise<string> => {
      const { value } = await shared.next();
      await ctx.sleep(1);
      return value?.status ?? "none";
    };
    const first = manager.spawn(readOne);
    const second = manager.spawn(async (ctx) => (await first.outcome(), readOne(ctx)));
    const third = manager.spawn(async () => {
      await second.outcome();
      await shared.return?.();
      return shared.next();
    });
    keep("the last to read", third.outcome());
    keep(
      "a step outside tasks",
      second.outcome().then(() => shared.next()),
    );
  },
};

const actingListeners: Scenario = {
  name: "listeners that act",
  options: { concurrency: 1 },
  ends: { succeeded: 7 },
  play({ manager, compute, deaf, keep, attempt }) {
    manager.on("task.started", ({ taskId }) => {
      if (taskId === "b") keep("a cancel at the start", manager.get("b")?.cancel("at the start") ?? Promise.resolve());
    });
    manager.on("task.blocked", ({ taskId }) =>
      keep("a message", manager.get(taskId)?.send("hello") ?? Promise.resolve()),
    );
    manager.on("request.opened", ({ request: { id } }) =>
      keep("an answer", manager.inbox.answer(id, "at once", { by: "l" })),
    );
    let spawned = 0;
    for (const type of ["task.succeeded", "task.failed", "task.cancelled"] as const) {
      manager.on(type, async ({ taskId }) => {
        spawned += 1;
        if (spawned < 5) attempt("a spawn", () => manager.spawn((ctx) => ctx.sleep(2), { id: `after ${taskId}` }));
        await manager.get(taskId)?.outcome();
      });
    }
    manager.spawn((ctx) => Promise.all([ctx.ask({ question: "a?" }), ctx.receive(), ctx.sleep(3)]), { id: "a" });
    manager.spawn(() => deaf(10), { id: "b" });
    manager.spawn((ctx) => compute(ctx, 4), { id: "c" });
  },
};

const lostSlots: Scenario = {
  name: "waits that end together and compete for one slot",
  options: { concurrency: 1, agingMs: 0 },
  ends: { succeeded: 3, cancelled: 1 },
  play({ manager, compute, at, keep }) {
    const waiters = [0, 1, 2, 3].map((n) =>
      manager.spawn(
        async (ctx) => {
          const both = Promise.allSettled([ctx.sleep(5), ctx.receive({ timeoutMs: 5 + (n % 2) })]);
          if (n === 2) void ctx.sleep(7);
          await both;
          void ctx.sleep(1);
          await compute(ctx, 3);
          return ctx.sleep(2).then(() => n);
        },
        { priority: n, timeoutMs: 8 },
      ),
    );
    at(5, () => waiters[1]?.send("first"));
    at(5, () => waiters[3]?.cancel());
    at(6, () => manager.pause());
    at(20, () => manager.resume());
    keep("all of them", manager.awaitTasks(waiters, { until: "success" }));
    for (const waiter of waiters) keep(waiter.id, waiter.outcome());
  },
};

const rings: Scenario = {
  name: "waits that would close a ring",
  options: { concurrency: 2 },
  ends: { succeeded: 3, cancelled: 1 },
  play({ manager, compute, signal, keep }) {
    const given = signal();
    const refused = (error: unknown): string => {
      if (isErrandError(error)) return error.code;
      throw error;
    };
    const a: TaskHandle = manager.spawn(
      async (ctx) => {
        await ctx.sleep(1);
        const of = manager.get("b");
        const child = ctx.spawn((ctx) => Promise.race([compute(ctx, 4), a.outcome().catch(refused)]));
        const waits = [of?.outcome({ signal: given, timeoutMs: 20 }), ctx.awaitTasks([child, "b"], { until: "any" })];
        return Promise.allSettled([...waits, a.cancel().catch(refused), manager.idle().catch(refused)]);
      },
      { id: "a" },
    );
    manager.spawn(
      async (ctx) => {
        const c = ctx.spawn((ctx) =>
          manager
            .awaitTasks(["a"], { timeoutMs: 30 })
            .catch(refused)
            .then(() => compute(ctx, 1)),
        );
        return Promise.all([a.outcome({ signal: given }).catch(refused), c.outcome()]);
      },
      { id: "b" },
    );
    keep("everything", manager.idle());
  },
};

export const crossing: readonly Scenario[] = [
  lentContexts,
  outlivedContext,
  actingValues,
  sharedIterator,
  actingListeners,
  lostSlots,
  rings,
];
