// Scenarios of asking: approvals, keyed questions, answers that meet a cancel (§7, W4).

import type { Scenario } from "./sweep-stage.js";

const approvals: Scenario = {
  name: "approvals during cancel",
  options: { concurrency: 1 },
  ends: { cancelled: 6, succeeded: 3 },
  play({ manager, compute, at, keep }) {
    const deploy = (name: string) =>
      manager.spawn(
        async (ctx) => {
          const [check] = [ctx.spawn((ctx) => compute(ctx, 8)), ctx.spawn((ctx) => ctx.approve(`${name}, part two?`))];
          await ctx.approve(`deploy ${name}?`, { details: { name } });
          await check.result();
          await compute(ctx, 5);
          return name;
        },
        { title: name },
      );
    const [red, green, blue] = [deploy("red"), deploy("green"), deploy("blue")];
    const by = { by: "ann" };
    at(10, () => {
      const [first, second, third, ...others] = manager.inbox.list();
      if (first !== undefined) keep("a yes, then a cancel", manager.inbox.answer(first.id, true, by));
      keep("the cancel after it", red.cancel("changed my mind"));
      keep("a cancel, then a yes", green.cancel());
      if (second !== undefined) keep("the yes after it", manager.inbox.answer(second.id, true, by));
      if (third !== undefined) keep("a no", manager.inbox.reject(third.id, "not today", by));
      for (const { id } of others) keep("another yes", manager.inbox.answer(id, true, by));
    });
    at(15, () => manager.inbox.list().map(({ id }) => keep("a late yes", manager.inbox.answer(id, true, by))));
    at(40, () => blue.cancel("nobody answers"));
  },
};

const keyedQuestions: Scenario = {
  name: "keyed questions",
  options: { concurrency: 1 },
  ends: { succeeded: 2, failed: 1 },
  play({ manager, compute, at, answering, signal, keep }) {
    answering("north", 12);
    const given = signal();
    const walker = manager.spawn(async (ctx) => {
      const where = { question: "where to?", key: "where" };
      const together = await Promise.all([ctx.ask(where), ctx.ask({ ...where, timeoutMs: 99 }), compute(ctx, 2)]);
      const given2 = { question: "how fast?", key: "speed", signal: given, timeoutMs: 5 } as const;
      const fast = await ctx.ask({ ...given2, onTimeout: { default: "slowly" } }).catch(() => "not asked any more");
      const again = await ctx.ask({ ...given2, onTimeout: { default: "slowly" } }).catch(() => "never asked");
      const conflict = await ctx
        .ask({ question: "where from?", key: "where" })
        .catch(({ code }: { code: string }) => code);
      return [...together, fast, again, conflict, await ctx.ask(where)];
    });
    const rejected = manager.spawn(async (ctx) => {
      const child = ctx.spawn((ctx) => ctx.ask({ question: "may I?", key: "may" }));
      const { reason } = await ctx.awaitTasks([child], { stopOnRequest: true });
      const [request] = manager.inbox.list({ taskId: child.id });
      if (request !== undefined) await manager.inbox.reject(request.id, reason, { by: "the parent" });
      return child.outcome();
    });
    at(60, () => walker.cancel());
    keep("both", manager.awaitTasks([walker, rejected]));
  },
};

const onceEach: Scenario = {
  name: "each question stops its owner once",
  options: { concurrency: 2 },
  ends: { succeeded: 3 },
  play({ manager, compute, answering, keep }) {
    answering("yes", 3);
    const root = manager.spawn(async (ctx) => {
      const asking = ctx.spawn(async (ctx) => {
        for (const question of ["one?", "two?"]) await ctx.ask({ question }).then(() => compute(ctx, 2));
        const below = ctx.spawn((ctx) => ctx.approve("three?"));
        await below.result();
      });
      let requests = 0;
      while ((await ctx.awaitTasks([asking], { stopOnRequest: true })).reason === "request") requests += 1;
      if (requests < 3) throw new Error(`stopped ${requests} times`);
    });
    keep("the root", root.result());
  },
};

const someOfThem: Scenario = {
  name: "awaitTasks with cancelRest and stopOnRequest",
  options: { concurrency: 2 },
  ends: { succeeded: 3, cancelled: 3 },
  play({ manager, compute, deaf, answering, keep }) {
    answering("yes", 3);
    const root = manager.spawn(async (ctx) => {
      const asking = ctx.spawn((ctx) => ctx.ask({ question: "go on?" }));
      const fast = ctx.spawn((ctx) => compute(ctx, 4));
      const slow = ctx.spawn((ctx) => compute(ctx, 90));
      const watched = ctx.spawn((ctx) => compute(ctx, 15));
      const hears = ctx.spawn(() => deaf(80));
      const tasks = [asking, fast, slow, watched, hears] as const;
      keep("one that is watched", watched.result());
      while ((await ctx.awaitTasks(tasks, { until: 2, stopOnRequest: true, cancelRest: true })).reason === "request") {
        await compute(ctx, 1);
      }
      await ctx.awaitTasks(tasks, { until: "failure", timeoutMs: 20, cancelRest: true });
      await ctx.awaitTasks([slow, hears], { until: "success", cancelRest: true });
      return ctx.awaitTasks(tasks, { until: "any" });
    });
    keep("the first question below it", manager.awaitTasks([root], { stopOnRequest: true }));
    keep("the root alone", manager.awaitTasks([root], { until: "success", cancelRest: true }));
  },
};

export const asking: readonly Scenario[] = [approvals, keyedQuestions, onceEach, someOfThem];
