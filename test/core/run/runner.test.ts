// The runner: a function is called once, at its time and not later, and its end is taken once, whatever it returns and whenever.

import { TaskManager } from "errand";
import { describe, expect, test } from "vitest";
import { allFree, deferred, facts, peek, settled } from "../../support/basics.js";
import { deaf, endsIn, hold, holdDeaf, typesOf, untilStopped, world } from "../../support/program.js";
import { durable, outcome, type Process, started, task } from "../../support/restarts.js";

describe("C1 what a function returns", () => {
  test("is awaited if it has a `then`, also if it is a function itself", async () => {
    const manager = new TaskManager();
    const later = Object.assign(() => "not called", {
      // oxlint-disable-next-line unicorn/no-thenable -- A thenable of a foreign library.
      then: ((yes, no) => Promise.resolve("later").then(yes, no)) satisfies PromiseLike<string>["then"],
    });
    const task = manager.spawn(() => later);
    expect(await task.result()).toBe("later");
    expect(task.record.output).toBe("later");
  });

  test("is asked for its `then` once, and the first that it says counts", async () => {
    const manager = new TaskManager();
    const asked: string[] = [];
    const thenable = (name: string, then: (yes: (value: string) => void, no: (error: unknown) => void) => void) => ({
      get then() {
        asked.push(name);
        return then;
      },
    });
    const boom = new Error("boom");
    const tasks = [
      thenable("value then error", (yes, no) => (yes("first"), no(boom))),
      thenable("error then value", (yes, no) => (no(boom), yes("first"))),
      thenable("value then throw", (yes) => {
        yes("first");
        throw boom;
      }),
      thenable("throw", () => {
        throw boom;
      }),
    ].map((returned) => manager.spawn((): unknown => returned));
    const ends = await Promise.all(tasks.map((each) => each.outcome()));
    expect(ends.map(({ status }) => status)).toEqual(["succeeded", "failed", "succeeded", "failed"]);
    expect(asked).toEqual(["value then error", "error then value", "value then throw", "throw"]);
    allFree(manager);
  });

  test("fails its task, and no other, when its `then` cannot be read", async () => {
    const manager = new TaskManager({ concurrency: 1 });
    const broken = manager.spawn(() => ({
      get then(): never {
        throw new Error("no then");
      },
    }));
    const next = manager.spawn(() => "next");
    expect(await broken.outcome()).toMatchObject({ status: "failed", error: { message: "no then" } });
    expect(await next.result()).toBe("next");
    allFree(manager);
  });
});

describe("C2 a function that is left out there", () => {
  test("is counted until it settles, once, and its late end is reported once, in words when it threw", async () => {
    const { manager, pass } = world({ graceMs: 50 });
    const told = facts(manager);
    const [returns, throws] = [holdDeaf<string>(manager), holdDeaf<string>(manager)];
    await settled();
    for (const { handle } of [returns, throws]) void handle.cancel();
    await pass(50);
    expect(manager.stats().abandoned).toBe(2);
    returns.finish("late");
    await settled();
    expect(manager.stats().abandoned).toBe(1);
    throws.fail(new Error("too late"));
    await settled();
    expect(manager.stats().abandoned).toBe(0);
    expect(told.filter(({ type }) => type === "task.lateSettled")).toMatchObject([
      { taskId: returns.handle.id, settled: "returned" },
      { taskId: throws.handle.id, settled: "threw", message: "too late" },
    ]);
    expect(told.find(({ type }) => type === "task.lateSettled")).not.toHaveProperty("message");
    allFree(manager);
  });

  test("is abandoned once, though both its time and a cancel above it ask for that", async () => {
    const { manager, pass } = world({ graceMs: 50 });
    const told = facts(manager);
    const parent = manager.spawn((ctx) => {
      ctx.spawn(deaf, { id: "child", timeoutMs: 20 });
      return untilStopped(ctx);
    });
    await pass(20);
    void parent.cancel();
    await pass(200);
    expect(typesOf(told, "child").filter((type) => type === "task.abandoned")).toHaveLength(1);
    expect(manager.stats().abandoned).toBe(1);
  });
});

describe("H1 tasks that have returned, and wait for those below", () => {
  test("end with the last of them, upwards in one go, and not above one that is detached", async () => {
    const { manager } = world();
    const told = facts(manager);
    const gate = deferred();
    const line = ["top", "middle", "low"];
    const nest = (depth: number): Parameters<TaskManager["spawn"]>[0] => {
      return (ctx) => {
        const id = line[depth];
        if (id === undefined) return gate.promise;
        ctx.spawn(nest(depth + 1), { id });
        return "returned";
      };
    };
    const outer = manager.spawn(
      (ctx) => {
        ctx.spawn(nest(0), { id: "detached", detached: true });
        return gate.promise;
      },
      { id: "outer" },
    );
    await settled();
    expect([...line.slice(0, 2), "detached"].map((id) => manager.get(id)?.status)).toEqual(Array(3).fill("blocked"));
    gate.resolve();
    await settled();
    expect(endsIn(told).filter((id) => id !== "outer")).toEqual(["low", "middle", "top", "detached"]);
    expect((await outer.outcome()).status).toBe("succeeded");
    expect(endsIn(told)).toHaveLength(5);
  });
});

describe("D4 the next attempt of a task whose process died while it ran", () => {
  /** The next process: the start of the task is decided there, and is not stored yet. */
  async function undecided(): Promise<Process & { readonly runs: number[] }> {
    const runs: number[] = [];
    const kind = durable(async (ctx) => {
      runs.push(ctx.attempt);
      if (ctx.attempt === 1) await untilStopped(ctx);
      return "done";
    });
    const first = await started({ kinds: [kind], graceMs: 50, concurrency: 1 });
    first.manager.spawn(kind, { id: "task" });
    await settled();
    const next = await first.restart();
    next.store.hold();
    await settled();
    expect([runs, task(next, "task").status]).toEqual([[1], "running"]);
    return { ...next, runs };
  }

  test("is called once its start is stored, and not before", async () => {
    const process = await undecided();
    await process.pass(10_000);
    expect(process.runs).toEqual([1]);
    process.store.letThrough();
    await settled();
    expect(process.runs).toEqual([1, 2]);
    expect(await task(process, "task").result()).toBe("done");
    allFree(process.manager);
  });

  test("is not called when a stop came before that: it ends as cancelled, and its slot is back", async () => {
    const process = await undecided();
    const ended = task(process, "task").cancel("no more");
    process.store.letThrough();
    expect(await ended).toMatchObject({ status: "cancelled", reason: "no more" });
    expect(process.runs).toEqual([1]);
    allFree(process.manager);
  });

  test("is not called when its grace is over before that, and leaves no function out there", async () => {
    const process = await undecided();
    void task(process, "task").cancel("no more");
    await process.pass(50);
    expect(task(process, "task").status).toBe("cancelled");
    const next = hold<string>(process.manager, { id: "next" });
    process.store.letThrough();
    await settled();
    expect([process.runs, next.started, process.manager.stats().abandoned]).toEqual([[1], true, 0]);
    next.finish("next");
    await next.handle.result();
    allFree(process.manager);
  });

  test("is not called in a process that closes before that: the next one calls it", async () => {
    const process = await undecided();
    const closing = process.manager.close();
    await process.pass(50);
    await process.pass(50);
    expect((await peek(closing)).is).toBe("fulfilled");
    process.store.letThrough();
    await settled();
    expect(process.runs).toEqual([1]);
    const next = await process.restart();
    await settled();
    expect(process.runs.slice(1)).toHaveLength(1);
    expect(await outcome(next, "task")).toMatchObject({ status: "succeeded" });
  });
});
