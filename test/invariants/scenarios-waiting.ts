// Scenarios of waiting: nested, overlapping, given up, in a ring of two managers (§3, §6).

import type { Scenario } from "./sweep-stage.js";

const nestedWaits: Scenario = {
  name: "nested waits with concurrency 1",
  options: { concurrency: 1 },
  ends: { succeeded: 4 },
  play({ manager, compute, keep }) {
    const root = manager.spawn(async (ctx) => {
      const first = ctx.spawn(async (ctx) => {
        const below = ctx.spawn(async (ctx) => {
          await compute(ctx, 5);
          await ctx.sleep(5);
          return 1;
        });
        await compute(ctx, 3);
        return (await below.result()) + 1;
      });
      const second = ctx.spawn(async (ctx) => {
        await ctx.sleep(3);
        return compute(ctx, 4);
      });
      const { outcomes } = await ctx.awaitTasks([first, second]);
      return (await first.result()) + outcomes.length;
    });
    keep("the value of the root", root.result());
  },
};

const overlappingWaits: Scenario = {
  name: "overlapping waits",
  options: { concurrency: 1 },
  ends: { succeeded: 4 },
  play({ manager, compute, answering, at, keep }) {
    answering("blue", 4);
    const root = manager.spawn(async (ctx) => {
      const child = ctx.spawn((ctx) => compute(ctx, 6));
      void ctx.ask({ question: "which colour?" }).catch(() => "none");
      void ctx.sleep(7);
      await Promise.all([child.result(), ctx.sleep(3), ctx.ask({ question: "which size?" })]);
      const slow = ctx.spawn((ctx) => ctx.sleep(30));
      await Promise.race([ctx.receive({ timeoutMs: 5 }), slow.outcome({ timeoutMs: 5 }), ctx.sleep(5)]);
      await Promise.race([ctx.receive(), slow.outcome()]);
      await compute(ctx, 2);
      return "over";
    });
    const other = manager.spawn((ctx) => compute(ctx, 20));
    at(20, () => root.send("go on"));
    keep("all that was spawned", manager.awaitTasks([root, other]));
  },
};

const outcomesLeftEarly: Scenario = {
  name: "outcomes() left early",
  options: { concurrency: 2 },
  ends: { succeeded: 6, failed: 1 },
  play({ manager, compute, signal, keep }) {
    const given = signal();
    const reading = async (): Promise<void> => {
      for await (const { status } of manager.outcomes(["a", "b", "c"], { signal: given })) {
        if (status === "succeeded") break;
      }
    };
    const root = manager.spawn(async (ctx) => {
      const children = [8, 4, 2].map((ms) =>
        ctx.spawn(async (ctx) => {
          await ctx.sleep(ms);
          if (ms === 2) throw new Error("too short");
          return compute(ctx, ms);
        }),
      );
      for await (const { status } of ctx.outcomes(children)) if (status === "succeeded") break;
      const rest = ctx.outcomes(children, { signal: given })[Symbol.asyncIterator]();
      await rest.next();
      const step = rest.next();
      await rest.return?.();
      await step;
    });
    for (const [index, id] of ["a", "b", "c"].entries()) manager.spawn((ctx) => ctx.sleep(index), { id });
    keep("the loop over the outcomes", reading());
    keep("the root", root.outcome());
  },
};

const waitsGivenUp: Scenario = {
  name: "waits given up by a signal",
  options: { concurrency: 1 },
  ends: { succeeded: 4 },
  play({ manager, compute, signal, at, time, keep }) {
    const given = signal();
    const root = manager.spawn(async (ctx) => {
      const child = ctx.spawn((ctx) => compute(ctx, 12));
      const waits = [
        child.result({ signal: given }),
        child.outcome({ signal: given, timeoutMs: 20 }),
        ctx.awaitTasks([child], { signal: given, timeoutMs: 10, stopOnRequest: true }),
        ctx.sleep(9, { signal: given }),
        ctx.receive({ signal: given, timeoutMs: 9 }),
        ctx.ask({ question: "who?", signal: given, timeoutMs: 9 }),
        ctx.approve("really?", { signal: given, timeoutMs: 9 }),
        ctx.map([1, 2], (ctx, ms) => compute(ctx, ms), { concurrency: 1, signal: given }),
        manager.room({ signal: given }),
        ctx.cancelAll({ name: "nobody" }, "cancel", { signal: given }),
      ];
      await Promise.allSettled(waits);
      ctx.summary(`at ${time.now()}`);
      return waits.length;
    });
    keep("the root, given up", root.outcome({ signal: given }));
    keep("idle, given up", manager.idle({ signal: given }));
    at(30, () => root.cancel("enough", { signal: given }));
  },
};

const twoBranches: Scenario = {
  name: "two branches of one function",
  options: { concurrency: 1, agingMs: 0 },
  ends: { succeeded: 4 },
  play({ manager, compute, deaf, at, keep }) {
    const branching = manager.spawn(async (ctx) => {
      const first = async (): Promise<void> => {
        await ctx.sleep(2);
        // Beside the other's wait, outside the limit; when that is over, it stands in line.
        await deaf(5);
        await ctx.sleep(3);
        await deaf(2);
        await ctx.receive({ timeoutMs: 4 });
      };
      const second = async (): Promise<number> => {
        await ctx.sleep(4);
        await ctx.sleep(1);
        return compute(ctx, 2);
      };
      await Promise.allSettled([first(), second(), ctx.ask({ question: "now?", timeoutMs: 6 })]);
      return compute(ctx, 1);
    });
    for (let n = 0; n < 3; n += 1) manager.spawn((ctx) => compute(ctx, 6), { priority: n });
    at(6, () => branching.send("between the two"));
    keep("it", branching.result());
  },
};

const givenUp: Scenario = {
  name: "what was given up is not watched",
  options: { concurrency: 2 },
  ends: { succeeded: 2, cancelled: 5 },
  play({ manager, compute, signal, at, keep }) {
    const given = new AbortController();
    const other = signal();
    const root = manager.spawn(async (ctx) => {
      const children = [1, 2, 3].map(() => ctx.spawn((ctx) => ctx.sleep(60)));
      const reading = ctx.outcomes(children, { signal: given.signal })[Symbol.asyncIterator]();
      await Promise.allSettled([
        reading.next(),
        ctx.awaitTasks(children, { signal: given.signal, timeoutMs: 50 }),
        ...children.map((child) => child.result({ signal: given.signal })),
        ctx.map([60, 60], (ctx, ms) => ctx.sleep(ms), { concurrency: 2, signal: given.signal }),
      ]);
      const rest = ctx.list().map(({ id }) => id);
      const quick = ctx.spawn((ctx) => compute(ctx, 2));
      await ctx.awaitTasks([quick.id, ...rest], { until: "any", cancelRest: true, signal: other });
      return ctx.awaitTasks(children);
    });
    at(5, () => given.abort());
    keep("it", root.result());
  },
};

const twoManagers: Scenario = {
  name: "two managers that wait for each other",
  options: { concurrency: 1 },
  ends: { succeeded: 5, failed: 1 },
  play({ manager, another, compute, keep }) {
    const second = another({ concurrency: 1 });
    const there = second.spawn(
      async (ctx) => {
        const here = manager.spawn((ctx) => compute(ctx, 3));
        const below = ctx.spawn((ctx) => compute(ctx, 2));
        await second.awaitTasks([below, here]);
        const { outcomes } = await manager.awaitTasks([here, below], { until: "any", timeoutMs: 50 });
        return outcomes.length;
      },
      { id: "there" },
    );
    const here = manager.spawn(async (ctx) => {
      await ctx.sleep(1);
      const back = second.spawn((ctx) => ctx.sleep(4));
      for await (const { status } of second.outcomes([there, back])) ctx.summary(status);
      await there.outcome();
      // It waits for whoever waits for it: refused.
      await second.spawn(() => here.result()).outcome();
      return back.cancel();
    });
    keep("here", here.outcome());
    keep("there", there.outcome());
  },
};

const messages: Scenario = {
  name: "messages",
  options: { concurrency: 1 },
  ends: { succeeded: 2 },
  play({ manager, compute, at, keep }) {
    const echo = manager.spawn(async (ctx) => {
      for (let message = await ctx.receive(); message !== undefined; message = await ctx.receive({ timeoutMs: 9 })) {
        await compute(ctx, 2);
        await ctx.post("heard", { inReplyTo: message.id });
      }
      return ctx.ask({ question: "more?", timeoutMs: 30, onTimeout: { default: "no" } });
    });
    const chat = manager.spawn(async (ctx) => {
      await echo.send("from inside");
      await Promise.all([ctx.receive({ timeoutMs: 6 }), ctx.receive({ timeoutMs: 6 }), ctx.sleep(3)]);
      return ctx.receive();
    });
    keep("a message before the start", echo.send("early"));
    at(5, () => chat.send("one for the first receiver"));
    at(8, () => echo.send("just in time"));
    at(30, () => {
      const [request] = manager.inbox.list();
      return request === undefined ? undefined : echo.send("yes", { inReplyTo: request.id });
    });
    at(40, () => chat.send("not for those that gave up"));
    at(80, () => echo.send("too late"));
    keep("both", manager.awaitTasks([echo, chat]));
  },
};

export const waiting: readonly Scenario[] = [
  nestedWaits,
  overlappingWaits,
  twoBranches,
  givenUp,
  outcomesLeftEarly,
  waitsGivenUp,
  twoManagers,
  messages,
];
