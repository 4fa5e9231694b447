// Close and idle, in memory: what is refused, how work ends, and that no promise stays out (D8).

import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { TaskHandle } from "errand";
import { TaskManager } from "errand";
import { manualClock } from "errand/testing";
import { describe, expect, test } from "vitest";
import { allFree, deferred, facts, peek, settled } from "../../support/basics.js";
import {
  deaf,
  endsIn,
  errandError,
  given,
  hold,
  holdDeaf,
  refusalOf,
  refused,
  rejected,
  typesOf,
  untilStopped,
  world,
} from "../../support/program.js";

describe("D8 close", () => {
  test("D8 from the call on, spawns, sends and answers are refused with ManagerClosedError", async () => {
    const { manager, pass } = world();
    const asking = manager.spawn((ctx) => ctx.ask({ question: "which?" }).catch(() => untilStopped(ctx)));
    const running = holdDeaf(manager);
    await settled();
    const request = given(manager.inbox.list()[0]);
    const closed = manager.close();
    const calls = async (): Promise<void> => {
      refused(() => manager.spawn(() => 1), "MANAGER_CLOSED");
      refused(() => manager.session("chat").spawn(() => 1), "MANAGER_CLOSED");
      await rejected(() => running.handle.send("hello"), "MANAGER_CLOSED");
      await rejected(() => manager.inbox.answer(request.id, "this", { by: "ann" }), "MANAGER_CLOSED");
      await rejected(() => manager.inbox.reject(request.id, "no", { by: "ann" }), "MANAGER_CLOSED");
    };
    await calls();
    await pass(5_000);
    await closed;
    await calls();
    expect(manager.list()).toHaveLength(2);
    expect((await asking.outcome()).status).toBe("interrupted");
  });

  test("D8 every signal aborts with `shutdown`, and pending waits reject with it", async () => {
    const { manager } = world();
    const task = hold(manager);
    let caught: unknown;
    const waiting = manager.spawn((ctx) =>
      ctx.receive().catch((error: unknown) => {
        caught = error;
        throw error;
      }),
    );
    await settled();
    const { signal } = task.ctx;
    await manager.close();
    expect(errandError(signal.reason, "TASK_CANCELLED").reason).toBe("shutdown");
    expect(errandError(caught, "TASK_CANCELLED")).toMatchObject({ reason: "shutdown", taskId: waiting.id });
    expect(task.handle.record).toMatchObject({ status: "interrupted", stopReason: "shutdown" });
  });

  test("D8 until the grace a return is succeeded and a rejection is interrupted; at the grace silence is interrupted", async () => {
    const { manager, pass } = world({ graceMs: 100 });
    const told = facts(manager);
    const returning = manager.spawn(async (ctx) => {
      await ctx.cancelled();
      return "saved";
    });
    const rejecting = manager.spawn(async (ctx) => {
      await ctx.cancelled();
      throw new Error("no time to save");
    });
    const silent = holdDeaf(manager);
    await settled();
    const closed = manager.close();
    await settled();
    expect(await returning.outcome()).toMatchObject({ status: "succeeded", value: "saved" });
    expect(await rejecting.outcome()).toMatchObject({ status: "interrupted", reason: "shutdown" });
    expect([silent.handle.status, (await peek(closed)).is]).toEqual(["running", "pending"]);
    await pass(99);
    expect((await peek(closed)).is).toBe("pending");
    await pass(1);
    expect((await peek(closed)).is).toBe("fulfilled");
    expect(await silent.handle.outcome()).toMatchObject({
      id: silent.handle.id,
      status: "interrupted",
      reason: "shutdown",
    });
    const error = await rejected(() => silent.handle.result(), "TASK_OUTCOME");
    expect(error.outcome).toMatchObject({ status: "interrupted", reason: "shutdown" });
    expect(endsIn(told).toSorted()).toEqual([returning.id, rejecting.id, silent.handle.id].toSorted());
  });

  test("D8 C2 at the grace a task whose function has returned is not abandoned with the child it waits for", async () => {
    const { manager, pass } = world({ graceMs: 100 });
    const told = facts(manager);
    const parent = manager.spawn((ctx) => {
      ctx.spawn(deaf, { id: "deaf" });
      return "value";
    });
    await settled();
    const closed = manager.close();
    await pass(100);
    await closed;
    expect(await parent.outcome()).toEqual({ id: parent.id, status: "succeeded", value: "value" });
    expect(told.filter(({ type }) => type === "task.abandoned").map(({ taskId }) => taskId)).toEqual(["deaf"]);
    expect(manager.stats().abandoned).toBe(1);
  });

  test("D8 close({ graceMs }) is the grace of this close", async () => {
    const { manager, pass } = world({ graceMs: 1_000 });
    const silent = holdDeaf(manager);
    await settled();
    const closed = manager.close({ graceMs: 20 });
    await pass(19);
    expect(silent.handle.status).toBe("running");
    await pass(1);
    expect(silent.handle.status).toBe("interrupted");
    expect((await peek(closed)).is).toBe("fulfilled");
  });

  test("D8 queued work is interrupted within the call and never starts", async () => {
    const { manager } = world({ concurrency: 1 });
    const told = facts(manager);
    hold(manager);
    const queued = hold(manager);
    await settled();
    const closed = manager.close();
    expect(queued.handle.record).toMatchObject({ status: "interrupted", stopReason: "shutdown" });
    await closed;
    expect(queued.started).toBe(false);
    expect(await queued.handle.outcome()).toMatchObject({ status: "interrupted", reason: "shutdown" });
    expect(typesOf(told, queued.handle.id).at(-1)).toBe("task.interrupted");
  });

  test("S5 a task stopped before the close keeps its first stop reason", async () => {
    const { manager, pass } = world();
    const cancelled = holdDeaf(manager);
    const late = holdDeaf(manager, { timeoutMs: 50 });
    await settled();
    void cancelled.handle.cancel("stop");
    await pass(50);
    const closed = manager.close();
    cancelled.fail(new Error("stopped"));
    late.finish();
    await closed;
    expect(await cancelled.handle.outcome()).toMatchObject({ status: "cancelled", reason: "stop" });
    expect(await late.handle.outcome()).toMatchObject({ status: "failed", error: { code: "timeout" } });
  });

  test("H1 a task that had returned keeps its outcome; its children are interrupted, and end before it", async () => {
    const { manager } = world();
    const told = facts(manager);
    const parent = manager.spawn((ctx) => {
      ctx.spawn(untilStopped, { id: "child" });
      return "value";
    });
    await settled();
    await manager.close();
    expect(await parent.outcome()).toMatchObject({ status: "succeeded", value: "value" });
    expect(manager.get("child")?.record).toMatchObject({ status: "interrupted", stopReason: "shutdown" });
    expect(endsIn(told)).toEqual(["child", parent.id]);
  });

  test("D8 a family ends leaf first also when it is silent", async () => {
    const { manager, pass } = world({ graceMs: 10 });
    const told = facts(manager);
    const root = holdDeaf(manager);
    await settled();
    const child = holdDeaf(root.ctx);
    await settled();
    const leaf = holdDeaf(child.ctx);
    await settled();
    const closed = manager.close();
    await pass(10);
    await closed;
    expect(endsIn(told)).toEqual([leaf, child, root].map(({ handle }) => handle.id));
  });

  test("D8 twice is once, and also after it", async () => {
    const { manager } = world();
    const told = facts(manager);
    hold(manager);
    await settled();
    await Promise.all([manager.close(), manager.close()]);
    const ended = told.length;
    await manager.close();
    expect(told.length).toBe(ended);
    expect(endsIn(told)).toHaveLength(1);
  });

  test("D8 promises still out settle: a wait for the ended task with its outcome, room() with ManagerClosedError", async () => {
    const { manager } = world({ concurrency: 1, limits: { maxQueued: 1 } });
    const task = hold(manager);
    hold(manager);
    await settled();
    const room = refusalOf(() => manager.room());
    const outcome = task.handle.outcome();
    const awaited = manager.awaitTasks([task.handle]);
    const idle = manager.idle().then(
      () => "over",
      () => "over",
    );
    await settled();
    await manager.close();
    expect((await outcome).status).toBe("interrupted");
    expect((await awaited).reason).toBe("done");
    expect(await idle).toBe("over");
    errandError(await room, "MANAGER_CLOSED");
  });

  test("D8 an answer whose schema never answers rejects with ManagerClosedError, and one that is late is not taken", async () => {
    for (const isLate of [false, true]) {
      const { manager, pass } = world({ graceMs: 10 });
      const parse = deferred<{ value: string }>();
      const schema: StandardSchemaV1<unknown, string> = {
        "~standard": { version: 1, vendor: "test", validate: () => parse.promise },
      };
      const asker = manager.spawn((ctx) => ctx.ask({ question: "Which?", schema }));
      await settled();
      const [request] = manager.inbox.list();
      const answer = refusalOf(() => manager.inbox.answer(request?.id ?? "", "this", { by: "ada" }));
      await settled();
      const closed = manager.close();
      if (isLate) parse.resolve({ value: "this" });
      await pass(10);
      await closed;
      errandError(await answer, "MANAGER_CLOSED");
      expect(asker.status).toBe("interrupted");
    }
  });

  test("§12 a manager that reading a spawn's metadata closes takes no such task", async () => {
    const { manager } = world();
    const metadata = {
      get sly() {
        void manager.close();
        return 1;
      },
    };
    expect(() => manager.spawn((ctx) => ctx.receive(), { metadata })).toThrow(
      expect.objectContaining({ code: "MANAGER_CLOSED" }),
    );
    await manager.close();
    expect(manager.list()).toEqual([]);
  });

  test("D8 what an abandoned function left out there is closed: its writes are dropped, its spawns refused", async () => {
    const { manager, pass } = world({ graceMs: 10 });
    const task = holdDeaf(manager);
    await settled();
    const { ctx } = task;
    const closed = manager.close();
    await pass(10);
    await closed;
    ctx.summary("late");
    expect(task.handle.record.summary).toBeUndefined();
    const error = await refusalOf(() => ctx.spawn(() => 1));
    expect(["MANAGER_CLOSED", "SCOPE_CANCELLED"]).toContain(
      error instanceof Error && "code" in error ? error.code : error,
    );
    task.finish();
    await settled();
    expect(task.handle.status).toBe("interrupted");
  });

  test("D8 after the close records are still there to read", async () => {
    const { manager } = world();
    const done = manager.spawn(() => "done");
    await done.result();
    await manager.close();
    expect(manager.get(done.id)?.record).toMatchObject({ status: "succeeded", output: "done" });
    expect(manager.list()).toHaveLength(1);
    expect(await done.result()).toBe("done");
    expect(manager.stats()).toMatchObject({ queued: 0, running: 0, blocked: 0 });
    allFree(manager);
  });

  test("D8 a manager with nothing to do closes at once, and reports the end of its work before close resolves", async () => {
    await world().manager.close();
    const { manager } = world();
    const ends: string[] = [];
    manager.on("task.interrupted", ({ taskId }) => ends.push(taskId));
    const task = hold(manager);
    await settled();
    await manager.close();
    expect(ends).toEqual([task.handle.id]);
  });

  test("L3 close inside a task is refused with AwaitCycleError, and closes nothing", async () => {
    const { manager } = world();
    const task = manager.spawn(async () => refusalOf(() => manager.close()));
    const error = errandError(await task.result(), "AWAIT_CYCLE");
    expect(error.cycle).toEqual([task.id, task.id]);
    expect(await manager.spawn(() => "still open").result()).toBe("still open");
  });

  test("D8 `await using` a manager closes it", async () => {
    let kept: TaskManager | undefined;
    let task: TaskHandle | undefined;
    {
      await using manager = world().manager;
      kept = manager;
      task = manager.spawn(untilStopped);
      await settled();
    }
    refused(() => given(kept).spawn(() => 1), "MANAGER_CLOSED");
    expect(task.status).toBe("interrupted");
  });

  test("D8 a close on the platform's own clock waits for the work to settle, not for the grace", async () => {
    const manager = new TaskManager({ graceMs: 3_600_000 });
    const task = hold(manager);
    await settled();
    await manager.close();
    expect(task.handle.status).toBe("interrupted");
  });
});

describe("idle", () => {
  test("§13 idle resolves when every task is over, those spawned meanwhile and the finishing ones too", async () => {
    const { manager, pass } = world({ concurrency: 1 });
    const gate = deferred();
    manager.spawn(async (ctx) => {
      ctx.spawn(() => gate.promise);
      await ctx.sleep(10);
    });
    const idle = manager.idle();
    expect((await peek(idle)).is).toBe("pending");
    manager.spawn((ctx) => ctx.sleep(100));
    gate.resolve();
    await pass(50);
    expect((await peek(idle)).is).toBe("pending");
    await pass(100);
    expect((await peek(idle)).is).toBe("fulfilled");
    expect(manager.stats()).toMatchObject({ queued: 0, running: 0, blocked: 0 });
  });

  test("§13 idle resolves at once when there is nothing", async () => {
    const { manager } = world();
    expect((await peek(manager.idle())).is).toBe("fulfilled");
    await manager.spawn(() => 1).result();
    expect((await peek(manager.idle())).is).toBe("fulfilled");
  });

  test("§13 idle waits for a question to be answered", async () => {
    const { manager } = world();
    manager.spawn((ctx) => ctx.ask({ question: "which?" }));
    await settled();
    const idle = manager.idle();
    expect((await peek(idle)).is).toBe("pending");
    await manager.inbox.answer(given(manager.inbox.list()[0]).id, "this", { by: "ann" });
    expect((await peek(idle)).is).toBe("fulfilled");
  });

  test("L3 idle inside a task is refused with AwaitCycleError", async () => {
    const { manager } = world();
    const task = manager.spawn(async () => refusalOf(() => manager.idle()));
    expect(errandError(await task.result(), "AWAIT_CYCLE").cycle).toEqual([task.id, task.id]);
  });

  test("§3 idle is withdrawn by its signal and rejects with the reason", async () => {
    const { manager } = world();
    hold(manager);
    await settled();
    const controller = new AbortController();
    const idle = refusalOf(() => manager.idle({ signal: controller.signal }));
    controller.abort("enough");
    expect(await idle).toBe("enough");
  });
});

test("D8 the grace given to close is the grace of every task, also a longer one than the manager's", async () => {
  const clock = manualClock();
  const manager = new TaskManager({ clock, graceMs: 20 });
  const task = manager.spawn(() => clock.sleep(100).then(() => "cleaned up"));
  await settled();
  const closed = manager.close({ graceMs: 1_000 });
  await clock.advance(100);
  await closed;
  expect(await task.outcome()).toMatchObject({ status: "succeeded", value: "cleaned up" });
});

test("§8 events() of a closed manager ends, also as the first call", async () => {
  const manager = new TaskManager();
  await manager.close();
  for await (const event of manager.events()) expect.unreachable(event.type);
});

describe("D8 close called again while its first call runs", () => {
  test("D8 from code of the user inside its first step, it takes that step once and gives the same promise", async () => {
    const inner: Promise<void>[] = [];
    const base = manualClock();
    let isClosing = false;
    const clock = {
      ...base,
      setTimeout: (fn: () => void, ms: number) => {
        if (isClosing) inner.push(manager.close());
        return base.setTimeout(fn, ms);
      },
    };
    const manager = new TaskManager({ clock, graceMs: 100 });
    const task = manager.spawn(deaf);
    await settled();
    isClosing = true;
    const outer = manager.close();
    expect(inner.length).toBeGreaterThan(0);
    for (const each of inner) expect(each).toBe(outer);
    await base.advance(100);
    await outer;
    expect((await task.outcome()).status).toBe("interrupted");
  });

  test("D8 from an abort handler and from a listener, it has no further effect", async () => {
    const { manager } = world({ graceMs: 100 });
    const told = facts(manager);
    const again: Promise<void>[] = [];
    const task = manager.spawn(async (ctx) => {
      ctx.signal.addEventListener("abort", () => again.push(manager.close({ graceMs: 0 })));
      await ctx.cancelled();
      return "saved";
    });
    manager.on("task.succeeded", () => again.push(manager.close()));
    await settled();
    const outer = manager.close();
    await outer;
    await Promise.all(again);
    expect(again).toHaveLength(2);
    expect(await task.outcome()).toMatchObject({ status: "succeeded", value: "saved" });
    expect(typesOf(told, task.id).filter((type) => type === "task.cancelRequested")).toHaveLength(1);
  });
});
