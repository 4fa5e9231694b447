// Families after a restart (H7): whom the next attempt of a parent finds again, and who ends with the attempt that is gone.

import type { TaskContext, TaskEvent } from "errand";
import { describe, expect, test } from "vitest";
import { deferred, facts, peek, settled } from "../../support/basics.js";
import { deaf, endsIn, given, hold, typesOf, untilStopped } from "../../support/program.js";
import { compacted, durable, outcome, type Process, started, task } from "../../support/restarts.js";

const leaf = durable((ctx) => (ctx.attempt === 1 ? deaf() : `leaf ${ctx.attempt}`), { name: "leaf" });
const stubborn = durable(deaf, { name: "stubborn" });

/** A parent whose attempts do as `run` says, as task `parent`. */
function parentOf<T>(run: (ctx: TaskContext) => T | Promise<T>) {
  return durable(run, { name: "parent" });
}

/** Ends in the order the store has them, from `from` on. */
function storedEnds({ store }: Process, from = 0): string[] {
  return endsIn(store.kept.slice(from));
}

const ways = [
  ["id", { id: "child" }],
  ["callId", { callId: "call" }],
] as const;

describe("H7 children of a reattached parent", () => {
  test.each(ways)("that were spawned with %s go on, and the same spawn gives them", async (_way, options) => {
    const parent = parentOf((ctx) => ctx.spawn(leaf, { ...options, input: { n: 1 } }).result());
    const first = await started({ kinds: [parent, leaf] });
    first.manager.spawn(parent, { id: "parent" });
    await settled();
    const [child] = first.manager.list({ parentId: "parent" });
    const next = await first.restart();
    expect(await task(next, "parent").result()).toBe("leaf 2");
    expect(next.manager.list({ parentId: "parent" }).map(({ id }) => id)).toEqual([child?.id]);
  });

  test.each(ways)(
    "that were spawned with %s and are over are kept: the same spawn gives what they gave",
    async (_way, options) => {
      let runs = 0;
      const parent = parentOf(async (ctx) => {
        const value = await ctx.spawn(() => ++runs, options).result();
        return ctx.attempt === 1 ? deaf() : value;
      });
      const first = await started({ kinds: [parent] });
      first.manager.spawn(parent, { id: "parent" });
      await settled();
      const next = await first.restart();
      expect([await task(next, "parent").result(), runs]).toEqual([1, 1]);
    },
  );

  test("that were spawned without an id are interrupted, kinds too, and a plain function with one", async () => {
    const asked: string[] = [];
    const canReattach = ({ id }: { readonly id: string }) => asked.push(id) > 0;
    const child = durable(deaf, { name: "child", canReattach });
    const parent = durable(
      (ctx) => {
        if (ctx.attempt > 1) return "went on";
        ctx.spawn(child, { name: "unkeyed" });
        ctx.spawn(child, { name: "keyed", id: "keyed" });
        ctx.spawn(deaf, { name: "plain" });
        ctx.spawn(deaf, { name: "plain keyed", id: "plain keyed" });
        return deaf();
      },
      { name: "parent", canReattach },
    );
    const first = await started({ kinds: [parent, child] });
    first.manager.spawn(parent, { id: "top", name: "top" });
    await settled();
    const next = await first.restart();
    expect(asked).toEqual(["top", "keyed"]);
    const byName = Object.fromEntries(next.manager.list().map(({ name, status }) => [name, status]));
    expect(byName).toEqual({
      top: "queued",
      unkeyed: "interrupted",
      keyed: "queued",
      plain: "interrupted",
      "plain keyed": "interrupted",
    });
    for (const name of ["unkeyed", "plain", "plain keyed"]) {
      const [record] = next.manager.list({ name });
      expect(await outcome(next, given(record).id)).toMatchObject({ status: "interrupted", reason: "process_lost" });
    }
  });

  test("all that end of a family end before the first kind is asked, top-down", async () => {
    const first = await started({ kinds: [stubborn] });
    first.manager.spawn(
      (ctx) => {
        ctx.spawn(
          (child) => {
            child.spawn(stubborn, { id: "grandchild" });
            return deaf();
          },
          { id: "child" },
        );
        return deaf();
      },
      { id: "top" },
    );
    first.manager.spawn(stubborn, { id: "other" });
    await settled();
    const statuses: unknown[] = [];
    const asking = durable(deaf, {
      name: "stubborn",
      canReattach: (record) => statuses.push(record.id) > 0,
    });
    const next = await first.restart({ kinds: [asking] });
    // The grandchild's parents are over: it is not asked for.
    expect(statuses).toEqual(["other"]);
    expect(storedEnds(next)).toEqual(["top", "child", "grandchild"]);
    const types = next.store.kept.map(({ type, taskId }) => `${type} ${taskId}`);
    expect(types.indexOf("task.reattached other")).toBeGreaterThan(types.indexOf("task.interrupted grandchild"));
  });

  test("a parent is asked before its children, and when it does not go on they are not asked", async () => {
    const asked: string[] = [];
    const child = durable(deaf, { name: "child", canReattach: ({ id }) => asked.push(id) > 0 });
    const parent = durable(
      (ctx) => {
        ctx.spawn(child, { id: `${ctx.id}.child` });
        return deaf();
      },
      {
        name: "parent",
        async canReattach({ id }) {
          await settled(2);
          asked.push(id);
          return id === "goes";
        },
      },
    );
    const first = await started({ kinds: [parent, child] });
    first.manager.spawn(parent, { id: "goes" });
    first.manager.spawn(parent, { id: "stays" });
    await settled();
    const next = await first.restart();
    expect(asked.toSorted()).toEqual(["goes", "goes.child", "stays"]);
    expect(asked.indexOf("goes.child")).toBeGreaterThan(asked.indexOf("goes"));
    expect(storedEnds(next)).toEqual(["stays", "stays.child"]);
    expect(task(next, "goes.child").record).toMatchObject({ status: "queued", attempt: 2 });
  });

  test("D6 a child that cannot be resumed is interrupted below a parent that is, whose same spawn gives it a new attempt", async () => {
    const child = durable((ctx) => (ctx.attempt === 1 ? deaf() : `attempt ${ctx.attempt}`), {
      name: "child",
      canReattach: () => false,
    });
    const parent = parentOf((ctx) => ctx.spawn(child, { id: "child" }).result());
    const first = await started({ kinds: [parent, child] });
    first.manager.spawn(parent, { id: "parent" });
    await settled();
    const next = await first.restart();
    const told = facts(next.manager);
    expect(await task(next, "parent").result()).toBe("attempt 2");
    // S6: the end of the first attempt is a fact, and the second is a task anew under the same id.
    expect(typesOf(told, "child")).toEqual(["task.created", "task.started", "task.succeeded"]);
    expect(next.store.typesOf("child").filter((type) => type === "task.interrupted")).toHaveLength(1);
    const last = await next.restart();
    expect(task(last, "child").record).toMatchObject({ status: "succeeded", attempt: 2, parentId: "parent" });
    expect(last.manager.tree("parent")[0]?.children).toHaveLength(1);
  });

  test("H7 a child that had failed is given as it ended to a parent that a restart resumes", async () => {
    const runs: number[] = [];
    const parent = parentOf(async (ctx) => {
      const child = ctx.spawn((inner) => (runs.push(inner.attempt), Promise.reject(new Error("no such page"))), {
        id: "page",
      });
      const { status } = await child.outcome();
      return ctx.attempt === 1 ? deaf() : status;
    });
    const first = await started({ kinds: [parent] });
    first.manager.spawn(parent, { id: "parent" });
    await settled();
    const next = await first.restart();
    expect([await task(next, "parent").result(), runs]).toEqual(["failed", [1]]);
  });

  test("D6 a fan-out that is killed half-way runs only what was not done, whatever retention keeps", async () => {
    const runs = new Map<string, number>();
    const gate = deferred();
    const fanOut = parentOf(async (ctx) => {
      const pages = Array.from({ length: 60 }, (_, n) => `page-${n}`);
      const children = pages.map((id, n) =>
        ctx.spawn(
          async () => {
            runs.set(id, (runs.get(id) ?? 0) + 1);
            if (n >= 50 && ctx.attempt === 1) await gate.promise;
          },
          { id },
        ),
      );
      return (await ctx.awaitTasks(children)).ended.length;
    });
    const options = { kinds: [fanOut], retention: { maxFinished: 5 } };
    const first = await started(options);
    first.manager.spawn(fanOut, { id: "parent" });
    await settled(40);
    await compacted(first);
    const next = await first.restart(options);
    expect(await task(next, "parent").result()).toBe(60);
    for (let n = 0; n < 60; n++) expect(runs.get(`page-${n}`), `page-${n}`).toBe(n < 50 ? 1 : 2);
    await settled();
    expect(next.manager.list().length).toBeLessThanOrEqual(7);
  });

  test("a family of any depth goes on as far as each is found again", async () => {
    const kinds = [0, 1, 2, 3].map((depth) =>
      durable(
        async (ctx): Promise<number> => {
          const [next] = kinds.slice(depth + 1);
          if (next === undefined) return ctx.attempt === 1 ? deaf() : ctx.attempt;
          const below: unknown = await ctx.spawn(next, { id: `d${depth + 1}` }).result();
          return Number(below) + 10;
        },
        { name: `d${depth}` },
      ),
    );
    let process = await started({ kinds });
    process.manager.spawn(given(kinds[0]), { id: "d0" });
    await settled();
    await compacted(process);
    process = await process.restart();
    expect(await task(process, "d0").result()).toBe(32);
    expect(process.manager.tree("d0")[0]?.children[0]?.children[0]?.children[0]?.record).toMatchObject({
      id: "d3",
      attempt: 2,
      depth: 3,
      rootId: "d0",
    });
  });

  test("an attached child keeps its parent from ending, and is swept with it (H1, H2)", async () => {
    const parent = parentOf((ctx) => {
      ctx.spawn(stubborn, { id: "child" });
      return ctx.attempt === 1 ? deaf() : "returned";
    });
    const first = await started({ kinds: [parent, stubborn], graceMs: 10 });
    first.manager.spawn(parent, { id: "parent" });
    await settled();
    const next = await first.restart();
    await settled();
    expect(task(next, "parent").record).toMatchObject({
      status: "blocked",
      blockedOn: [{ on: "children", taskIds: ["child"] }],
    });
    void task(next, "parent").cancel();
    await next.pass(10);
    expect(await outcome(next, "child")).toMatchObject({ status: "cancelled" });
    expect(await outcome(next, "parent")).toMatchObject({ status: "succeeded", value: "returned" });
  });

  test("a kept child that the next attempt does not ask for is still its child (H1)", async () => {
    const parent = parentOf((ctx) => {
      if (ctx.attempt > 1) return "returned";
      ctx.spawn(leaf, { id: "child" });
      return deaf();
    });
    const first = await started({ kinds: [parent, leaf] });
    first.manager.spawn(parent, { id: "parent" });
    await settled();
    const next = await first.restart();
    expect(await task(next, "parent").result()).toBe("returned");
    expect(storedEnds(next)).toEqual(["child", "parent"]);
  });

  test("the same id with other content is IdConflictError, also of the next attempt", async () => {
    const parent = parentOf(async (ctx) => {
      try {
        ctx.spawn(leaf, { id: "child", input: { n: ctx.attempt } });
        return await deaf();
      } catch (error) {
        return error instanceof Error && "code" in error && error.code;
      }
    });
    const first = await started({ kinds: [parent, stubborn, leaf] });
    first.manager.spawn(parent, { id: "parent" });
    await settled();
    const next = await first.restart();
    await settled();
    expect(await task(next, "parent").result()).toBe("ID_CONFLICT");
  });
});

describe("H7 the attempt that is gone has no say", () => {
  test("a parent that is a plain function takes its attached children with it, kinds with an id too", async () => {
    const first = await started({ kinds: [stubborn] });
    first.manager.spawn(
      (ctx) => {
        ctx.spawn(stubborn, { id: "child" });
        return deaf();
      },
      { id: "parent" },
    );
    await settled();
    const next = await first.restart();
    expect(await outcome(next, "child")).toMatchObject({ status: "interrupted", reason: "process_lost" });
    expect(storedEnds(next)).toEqual(["parent", "child"]);
  });

  test.each([
    ["`detached: true`", "spawn"],
    ['`children: "detach"`', "return"],
  ])("a detached child goes on by itself: by %s", async (_what, how) => {
    const first = await started({ kinds: [leaf] });
    first.manager.spawn(
      (ctx) => {
        ctx.spawn(leaf, { id: "child", detached: how === "spawn" });
        return how === "spawn" ? deaf() : "returned";
      },
      { id: "parent", ...(how === "return" ? { children: "detach" as const } : {}) },
    );
    await settled();
    await compacted(first);
    const next = await first.restart();
    expect((await outcome(next, "parent")).status).toBe(how === "spawn" ? "interrupted" : "succeeded");
    expect(await task(next, "child").result()).toBe("leaf 2");
    expect(task(next, "child").record).toMatchObject({ parentId: "parent", rootId: "parent", detached: true });
  });

  test("a detached child of a detached child without an id goes on too", async () => {
    const middle = durable(
      (ctx) => {
        ctx.spawn(leaf, { detached: true });
        return deaf();
      },
      { name: "middle", canReattach: () => false },
    );
    const first = await started({ kinds: [middle, leaf] });
    first.manager.spawn(middle, { id: "top" });
    await settled();
    const next = await first.restart();
    const [child] = next.manager.list({ kind: "leaf" });
    expect(await task(next, given(child).id).result()).toBe("leaf 2");
  });

  test("a task that had returned keeps its outcome, is not run again, and ends with its children", async () => {
    let asked = 0;
    const parent = durable(
      (ctx) => {
        ctx.spawn(stubborn, { id: "child" });
        ctx.spawn(deaf, { id: "plain" });
        return { value: "returned" };
      },
      { name: "parent", canReattach: () => ++asked > 0 },
    );
    const first = await started({ kinds: [parent, stubborn] });
    first.manager.spawn(parent, { id: "parent" });
    await settled();
    expect(task(first, "parent").status).toBe("blocked");
    const next = await first.restart();
    expect(asked).toBe(0);
    expect(await task(next, "parent").result()).toEqual({ value: "returned" });
    expect(task(next, "parent").record).toMatchObject({
      status: "succeeded",
      output: { value: "returned" },
      attempt: 1,
    });
    for (const id of ["child", "plain"])
      expect(await outcome(next, id)).toMatchObject({ status: "interrupted", reason: "process_lost" });
    expect(storedEnds(next)).toEqual(["child", "plain", "parent"]);
  });

  test.each(["by its events", "by a snapshot"])(
    "what a returned task gave is kept faithfully %s: a value, none, one that JSON cannot carry, a failure",
    async (how) => {
      const first = await started();
      const gate = deferred();
      const returning = (id: string, work: () => unknown) =>
        first.manager.spawn(
          (ctx) => {
            ctx.spawn(() => gate.promise);
            return work();
          },
          { id },
        );
      returning("value", () => [1]);
      returning("null", () => null);
      returning("none", () => undefined);
      await settled();
      if (how === "by a snapshot") await compacted(first);
      const next = await first.restart();
      expect(await outcome(next, "value")).toEqual({ id: "value", status: "succeeded", value: [1] });
      expect(await outcome(next, "null")).toEqual({ id: "null", status: "succeeded", value: null });
      expect(await outcome(next, "none")).toEqual({ id: "none", status: "succeeded", value: undefined });
      expect(task(next, "none").record).not.toHaveProperty("output");
    },
  );

  const omitted = async (how: "events" | "snapshot") => {
    const first = await started();
    first.manager.spawn(
      (ctx) => {
        ctx.spawn(deaf);
        return 1n;
      },
      { id: "big" },
    );
    await settled();
    if (how === "snapshot") await compacted(first);
    const next = await first.restart();
    expect((await outcome(next, "big")).status).toBe("succeeded");
    return task(next, "big").record.outputOmitted;
  };

  test("§12 a returned task whose value JSON cannot carry says so at its end, restored by a snapshot", async () => {
    expect(await omitted("snapshot")).toEqual(expect.any(String));
  });

  test("§12 a returned task whose value JSON cannot carry says so at its end, restored by its events", async () => {
    expect(await omitted("events")).toEqual(expect.any(String));
  });

  test("H4 H6 counts along the family hold on: limits, usage, the tree", async () => {
    const parent = parentOf(async (ctx) => {
      ctx.spawn(stubborn, { id: "kept" });
      if (ctx.attempt === 1) {
        await ctx.spawn((child) => child.reportUsage({ inputTokens: 5 })).result();
        ctx.spawn(deaf);
        return deaf();
      }
      ctx.spawn(deaf);
      try {
        ctx.spawn(deaf);
      } catch (error) {
        return error instanceof Error && "code" in error && error.code;
      }
      return undefined;
    });
    const first = await started({ kinds: [parent, stubborn], limits: { maxChildren: 2 }, graceMs: 10 });
    first.manager.spawn(parent, { id: "parent" });
    await settled();
    const next = await first.restart();
    expect(task(next, "parent").usage()).toEqual({ inputTokens: 5, outputTokens: 0, costUsd: 0, tasks: 4 });
    await settled();
    expect(await peek(task(next, "parent").result())).toEqual({ is: "pending" });
    void next.manager.cancelAll();
    await next.pass(10);
    expect(await task(next, "parent").result()).toBe("LIMIT_EXCEEDED");
    expect(next.manager.tree("parent")[0]?.children).toHaveLength(4);
  });

  test("an event of each that ended is there, and of each that goes on, before anything else", async () => {
    const parent = parentOf((ctx) => {
      ctx.spawn(leaf, { id: "kept" });
      ctx.spawn(deaf, { id: "gone" });
      return untilStopped(ctx);
    });
    const first = await started({ kinds: [parent, leaf] });
    first.manager.spawn(parent, { id: "parent" });
    await settled();
    const before = first.store.kept.length;
    const next = await first.restart();
    const after: readonly TaskEvent[] = next.store.kept.slice(before);
    expect(after.map(({ type, taskId }) => [type, taskId])).toEqual([
      ["task.interrupted", "gone"],
      ["task.reattached", "parent"],
      ["task.reattached", "kept"],
    ]);
    expect(typesOf(after, "parent")).toEqual(["task.reattached"]);
    expect(hold(next.manager).handle.status).toBe("queued");
  });
});
