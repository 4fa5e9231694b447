// The ambient task (H0) as code deep in a program meets it: `manager.current`, and a session that is used inside one of its tasks.

import type { TaskContext } from "errand";
import { defineKind, TaskManager } from "errand";
import { describe, expect, test } from "vitest";
import { deferred, facts, peek, settled, slots } from "../../support/basics.js";
import { deaf, given, hold, refusalOf, untilStopped, world } from "../../support/program.js";

describe("H0 manager.current", () => {
  test("is the context of the task whose function calls, from its first line on and after every await", async () => {
    const { manager, pass } = world();
    expect(manager.current).toBeUndefined();
    const handle = manager.spawn(async (ctx) => {
      const seen = [manager.current?.id];
      await Promise.resolve();
      seen.push(manager.current?.id);
      await ctx.sleep(10);
      seen.push(manager.current?.id);
      const below = ctx.spawn(() => manager.current?.id);
      seen.push(await below.result(), manager.current?.id);
      return seen.map((id) => (id === ctx.id ? "own" : id === below.id ? "child" : id));
    });
    await pass(10);
    expect(await handle.result()).toEqual(["own", "own", "own", "child", "own"]);
    expect(manager.current).toBeUndefined();
  });

  test("can do what `ctx` can: spawn, wait, write, be stopped", async () => {
    const { manager } = world({ concurrency: 1 });
    /** A tool that was handed nothing. */
    const tool = async (): Promise<string> => {
      const ctx = given(manager.current);
      ctx.summary("in a tool");
      ctx.reportUsage({ inputTokens: 3 });
      const answer = await ctx.ask({ question: "May I?" });
      return `${answer} ${await ctx.spawn(() => "child").result()} ${ctx.attempt} ${ctx.isCancelled}`;
    };
    const handle = manager.spawn(async () => tool());
    await settled();
    expect(handle.record).toMatchObject({ status: "blocked", summary: "in a tool", usage: { inputTokens: 3 } });
    expect(slots(manager).held).toBe(0);
    await manager.inbox.answer(given(manager.inbox.list()[0]).id, "yes", { by: "ann" });
    expect(await handle.result()).toBe("yes child 1 false");
    expect(manager.list({ parentId: handle.id })).toHaveLength(1);
  });

  test("is absent once its function is over, also while the task waits for its children, and after a stop that abandoned it", async () => {
    const { manager, pass } = world({ graceMs: 100 });
    const gate = deferred();
    const left: Promise<unknown>[] = [];
    const leave = (): void => void left.push(gate.promise.then(() => manager.current?.id));
    const child = deferred();
    const waiting = manager.spawn((ctx) => {
      leave();
      ctx.spawn(() => child.promise);
    });
    const failed = manager.spawn(() => {
      leave();
      throw new Error("over");
    });
    const abandoned = manager.spawn(() => {
      leave();
      return deaf();
    });
    await settled();
    void abandoned.cancel();
    await pass(100);
    expect([waiting.status, failed.status, abandoned.status]).toEqual(["blocked", "failed", "cancelled"]);
    gate.resolve();
    expect(await Promise.all(left)).toEqual([undefined, undefined, undefined]);
    child.resolve();
  });

  test("is that of a stopped task until its function is over", async () => {
    const { manager } = world();
    const handle = manager.spawn(async (ctx) => {
      await ctx.cancelled();
      return [manager.current?.id === ctx.id, manager.current?.isCancelled];
    });
    await settled();
    expect(await handle.cancel()).toMatchObject({ value: [true, true] });
  });

  test("is absent with `ambient: false`, and in a task of another manager", async () => {
    const [off, one, two] = [world({ ambient: false }).manager, world().manager, world().manager];
    expect(await off.spawn(() => off.current).result()).toBeUndefined();
    expect(await one.spawn((ctx) => [one.current?.id === ctx.id, two.current]).result()).toEqual([true, undefined]);
    // Inside a task of `two` that a task of `one` started: each manager sees its own nearest.
    const nested = one.spawn(() => two.spawn((ctx) => [one.current, two.current?.id === ctx.id]).result());
    expect(await nested.result()).toEqual([undefined, true]);
  });

  test("is another for each attempt", async () => {
    const { manager, pass } = world();
    const contexts: (TaskContext | undefined)[] = [];
    const gate = deferred();
    const handle = manager.spawn(
      async (ctx) => {
        contexts.push(manager.current);
        if (ctx.attempt === 2) return gate.promise;
        throw new Error("once more");
      },
      { retry: { maxAttempts: 2, backoffMs: 0 } },
    );
    await pass(1);
    expect(contexts.map((ctx) => ctx?.attempt)).toEqual([1, 2]);
    contexts[0]?.summary("of the first");
    contexts[1]?.summary("of the second");
    expect(handle.record.summary).toBe("of the second");
    expect(manager.stats().droppedWrites).toBe(1);
    gate.resolve();
    await handle.result();
  });

  test("is absent in a listener, a logger, a schema's caller outside, retryIf, and a callback of the platform set up outside", async () => {
    const { manager, pass } = world();
    const seen: Record<string, unknown> = {};
    const note = (what: string): void => void (seen[what] = manager.current?.id ?? "nobody");
    manager.on("task.created", () => note("listener"));
    manager.on("custom", () => note("listener of its own event"));
    const outside = new EventTarget();
    outside.addEventListener("x", () => note("an event target, called inside"));
    const handle = manager.spawn(
      (ctx) => {
        ctx.emit("hello");
        outside.dispatchEvent(new Event("x"));
        throw new Error("over");
      },
      { retry: { maxAttempts: 2, backoffMs: 0, retryIf: () => (note("retryIf"), false) } },
    );
    await pass(1);
    expect(seen).toEqual({
      listener: "nobody",
      "listener of its own event": "nobody",
      retryIf: "nobody",
      // Called by the function itself: its own code.
      "an event target, called inside": handle.id,
    });
  });
});

describe("H0 a spawn from a listener", () => {
  test.each(["task.created", "task.started", "message.sent", "task.succeeded"] as const)(
    "is a root, whatever started it: %s",
    async (type) => {
      const { manager } = world();
      const made: string[] = [];
      const off = manager.on(type, () => {
        off();
        made.push(manager.spawn(() => 1).id, manager.session("chat").spawn(() => 1).id);
      });
      const parent = manager.session("chat").spawn(async (ctx) => {
        await ctx.post("x");
        await manager.spawn(() => 1).result();
      });
      await parent.result();
      await settled();
      expect(made.map((id) => manager.get(id)?.record.parentId)).toEqual([undefined, undefined]);
      expect(made.map((id) => manager.get(id)?.record.sessionId)).toEqual([undefined, "chat"]);
    },
  );

  test("is a root from a kind's hooks, too", async () => {
    const { manager, pass } = world();
    const made: string[] = [];
    const spawn = (): void => void made.push(manager.spawn(() => 1).id);
    const kind = defineKind<unknown>({
      name: "hooked",
      run: () => undefined,
      deliver: spawn,
      reconcile: () => (made.length < 2 && spawn(), { status: "running" }),
      cancel: spawn,
    });
    const handle = manager.spawn(kind);
    await pass(0);
    await handle.send("x");
    await pass(1_000);
    await manager.spawn(() => handle.cancel(), { root: true }).result();
    await settled();
    expect(made.length).toBeGreaterThanOrEqual(3);
    expect(made.map((id) => manager.get(id)?.record.parentId)).toEqual(made.map(() => undefined));
  });
});

describe("§9 H0 a named session inside one of its own tasks", () => {
  test("spawns that task's child, and reads that task's notices, not the session's", async () => {
    const { manager } = world();
    const session = manager.session("chat");
    const quiet = session.spawn(() => "for the session");
    const handle = session.spawn(async (ctx) => {
      const inside = manager.session("chat");
      const child = inside.spawn(() => "for the task", { wake: "onTerminal" });
      expect(child.record).toMatchObject({ parentId: ctx.id, sessionId: "chat", depth: 1 });
      const batch = given(await inside.nextNotices());
      await batch.ack();
      return batch.notices.map(({ taskId }) => (taskId === child.id ? "child" : taskId));
    });
    expect((await peek(handle.outcome())).is).toBe("fulfilled");
    expect(handle.record.output).toEqual(["child"]);
    const outside = given(await session.nextNotices({ timeoutMs: 0 }));
    expect(outside.notices.map(({ taskId }) => taskId)).toEqual([quiet.id]);
  });

  test("a child that it spawns wakes the loop of its parent by itself: a session's spawns are notified", async () => {
    const { manager } = world();
    const handle = manager.session("chat").spawn(async () => {
      const session = manager.session("chat");
      session.spawn(() => 1);
      const batch = await session.nextNotices();
      return batch?.notices.map(({ type }) => type);
    });
    await settled();
    expect(handle.record).toMatchObject({ status: "succeeded", output: ["task.succeeded"] });
  });

  test("reads them as that task's wait: it lends its slot", async () => {
    const { manager } = world({ concurrency: 1 });
    const handle = manager.session("chat").spawn(async (ctx) => {
      ctx.spawn(() => 1, { wake: "onTerminal" });
      return (await manager.session("chat").nextNotices())?.notices.length;
    });
    await settled();
    expect(handle.record).toMatchObject({ status: "succeeded", output: 1 });
  });

  test("deep below, is that of the task that calls", async () => {
    const { manager } = world();
    const handle = manager.session("chat").spawn((ctx) =>
      ctx
        .spawn((inner) => {
          const child = manager.session("chat").spawn(() => 1);
          return [child.record.parentId === inner.id, child.record.depth];
        })
        .result(),
    );
    expect(await handle.result()).toEqual([true, 2]);
  });

  test("another session's is that session's root, and its notices are that session's", async () => {
    const { manager } = world();
    const handle = manager.session("chat").spawn(async () => {
      const other = manager.session("other");
      const task = other.spawn(() => 1);
      const batch = await other.nextNotices();
      return [task.record.parentId ?? "root", batch?.notices.map(({ taskId }) => taskId === task.id)];
    });
    await settled();
    expect(handle.record.output).toEqual(["root", [true]]);
  });

  test("once that task's function is over it is the session again", async () => {
    const { manager } = world();
    const gate = deferred();
    const left: Promise<string | undefined>[] = [];
    const session = manager.session("chat");
    const handle = session.spawn(() => {
      left.push(gate.promise.then(() => session.spawn(() => 1).record.parentId));
    });
    await handle.result();
    gate.resolve();
    expect(await Promise.all(left)).toEqual([undefined]);
  });

  test("with `ambient: false` it is the session everywhere", async () => {
    const { manager } = world({ ambient: false });
    const session = manager.session("chat");
    const handle = session.spawn(() => session.spawn(() => 1).record.parentId ?? "root");
    await settled();
    expect(handle.record.output).toBe("root");
  });

  test("of a stopped task refuses the spawn", async () => {
    const { manager } = world();
    const session = manager.session("chat");
    const errors: unknown[] = [];
    const handle = session.spawn(async (ctx) => {
      await ctx.cancelled();
      errors.push(await refusalOf(() => session.spawn(() => 1)), await refusalOf(() => manager.spawn(() => 1)));
      return untilStopped(ctx);
    });
    await settled();
    await handle.cancel();
    expect(errors).toMatchObject([{ code: "SCOPE_CANCELLED" }, { code: "SCOPE_CANCELLED" }]);
    expect(manager.list()).toHaveLength(1);
  });
});

describe("H0 what a tool does inside a task is that task's", () => {
  test("its tools, of the session or of `manager.current`, spawn children and wait as it does", async () => {
    const kind = defineKind({ name: "work", run: () => "worked" });
    const { manager } = world({ kinds: [kind], concurrency: 1 });
    const session = manager.session("chat");
    const ofSession = session.tools({ only: ["spawn_task"] });
    const handle = session.spawn(async (ctx) => {
      const tools = [...ofSession, ...given(manager.current).tools({ only: ["spawn_task"] })];
      for (const [index, tool] of tools.entries())
        await tool.execute({ kind: "work", wait_ms: 60_000 }, { callId: `call-${index}` });
      return ctx.list().map(({ parentId, output }) => [parentId === ctx.id, output]);
    });
    await settled();
    expect(handle.record.output).toEqual([
      [true, "worked"],
      [true, "worked"],
    ]);
  });
});

test("H0 tasks of two managers, one in the other, keep each its own: a wait belongs to the task whose code waits", async () => {
  const [outer, inner] = [new TaskManager({ concurrency: 1 }), new TaskManager({ concurrency: 1 })];
  const told = facts(outer);
  const gate = hold(inner);
  const handle = outer.spawn(async () => {
    const other = inner.spawn(() => 1);
    await settled();
    gate.finish();
    return [other.record.parentId ?? "root", await other.result()];
  });
  expect(await handle.result()).toEqual(["root", 1]);
  expect(told.filter(({ type }) => type === "task.blocked")).toHaveLength(1);
});
