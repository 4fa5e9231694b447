// Waiting for tasks: every `until`, what counts as a result, and that nothing is missed or left behind (W1–W4).

import { getEventListeners } from "node:events";
import {
  type AwaitOptions,
  type Clock,
  type TaskContext,
  type TaskHandle,
  TaskManager,
  type TaskManagerOptions,
} from "errand";
import { countedIds, manualClock } from "errand/testing";
import { describe, expect, test } from "vitest";
import { allFree, deferred, facts, peek, settled, unhandled } from "../../support/basics.js";

function world(options: Omit<TaskManagerOptions, "clock" | "ids"> = {}) {
  const clock = manualClock();
  const manager = new TaskManager({ clock, ids: countedIds(), ...options });
  const pass = async (ms: number): Promise<void> => {
    await clock.advance(ms);
    await settled();
  };
  return { clock, manager, pass };
}

/** A task the test ends as it likes. */
function held(manager: TaskManager) {
  const gate = deferred<string>();
  const handle = manager.spawn(() => gate.promise);
  return {
    handle,
    id: handle.id,
    succeed: async (value = "value"): Promise<void> => {
      gate.resolve(value);
      await settled();
    },
    fail: async (): Promise<void> => {
      gate.reject(new Error("no"));
      await settled();
    },
  };
}

async function answerAll(manager: TaskManager, value: unknown = "yes"): Promise<void> {
  for (const request of manager.inbox.list()) await manager.inbox.answer(request.id, value, { by: "ada" });
  await settled();
}

const statuses = (outcomes: readonly ({ readonly status: string } | undefined)[]): readonly (string | undefined)[] =>
  outcomes.map((outcome) => outcome?.status);

describe("until", () => {
  test("W1 all is the default: it returns when every one has ended", async () => {
    const { manager } = world();
    const [a, b] = [held(manager), held(manager)];
    const wait = manager.awaitTasks([a.handle, b.handle]);
    await b.succeed("second");
    expect(await peek(wait)).toEqual({ is: "pending" });
    await a.fail();
    expect(await wait).toMatchObject({
      reason: "done",
      outcomes: [
        { id: a.id, status: "failed", error: { code: "error", message: "no" } },
        { id: b.id, status: "succeeded", value: "second" },
      ],
      ended: [{ id: b.id }, { id: a.id }],
      pending: [],
    });
  });

  test("§2 the record says what was waited for when the wait began, whenever it is read", async () => {
    const { manager } = world();
    const [a, b, c] = [held(manager), held(manager), held(manager)];
    await a.succeed();
    const told = facts(manager);
    const waiters = [1, 2].map(() => manager.spawn((ctx) => ctx.awaitTasks([a.id, b.id, c.id])));
    await settled();
    const early = waiters[0]?.record.blockedOn;
    expect(early).toEqual([{ on: "tasks", taskIds: [b.id, c.id] }]);
    await b.succeed();
    expect(waiters.map(({ record }) => record.blockedOn)).toEqual([early, early]);
    expect(told.find(({ type }) => type === "task.blocked")).toMatchObject({ blockedOn: early });
    await c.succeed();
    await manager.idle();
  });

  test("W1 any returns with the first to end, whichever way", async () => {
    const { manager } = world();
    const [a, b, c] = [held(manager), held(manager), held(manager)];
    const wait = manager.awaitTasks([a.id, b.id, c.id], { until: "any" });
    await b.fail();
    const result = await wait;
    expect(result.reason).toBe("done");
    expect(statuses(result.outcomes)).toEqual([undefined, "failed", undefined]);
    expect(result.ended.map((outcome) => outcome.id)).toEqual([b.id]);
    expect(result.pending.map((record) => record.id)).toEqual([a.id, c.id]);
    expect(result.pending[0]).toMatchObject({ status: "running" });
  });

  test("W1 a number returns when that many have ended", async () => {
    const { manager } = world();
    const [a, b, c] = [held(manager), held(manager), held(manager)];
    const wait = manager.awaitTasks([a.handle, b.handle, c.handle], { until: 2 });
    await c.succeed();
    expect(await peek(wait)).toEqual({ is: "pending" });
    await a.fail();
    const result = await wait;
    expect(result.ended.map((outcome) => outcome.id)).toEqual([c.id, a.id]);
    expect(statuses(result.outcomes)).toEqual(["failed", undefined, "succeeded"]);
  });

  test("W1 success returns with the first that succeeded", async () => {
    const { manager } = world();
    const [a, b, c] = [held(manager), manager.spawn((ctx) => ctx.sleep(1e6)), held(manager)];
    const wait = manager.awaitTasks([a.handle, b, c.handle], { until: "success" });
    await a.fail();
    await b.cancel();
    expect(await peek(wait)).toEqual({ is: "pending" });
    await c.succeed();
    expect(statuses((await wait).outcomes)).toEqual(["failed", "cancelled", "succeeded"]);
  });

  test("W1 success returns when none can succeed any more", async () => {
    const { manager } = world();
    const [a, b] = [held(manager), held(manager)];
    const wait = manager.awaitTasks([a.handle, b.handle], { until: "success" });
    await a.fail();
    expect(await peek(wait)).toEqual({ is: "pending" });
    await b.fail();
    expect(await wait).toMatchObject({ reason: "done", pending: [] });
  });

  test("W1 failure returns with the first that ended otherwise", async () => {
    const { manager } = world();
    const [a, b, c] = [held(manager), held(manager), held(manager)];
    const wait = manager.awaitTasks([a.handle, b.handle, c.handle], { until: "failure" });
    await a.succeed();
    expect(await peek(wait)).toEqual({ is: "pending" });
    await c.fail();
    expect(statuses((await wait).outcomes)).toEqual(["succeeded", undefined, "failed"]);
  });

  test("W1 failure counts a cancelled task", async () => {
    const { manager } = world();
    const [a, b] = [held(manager), manager.spawn((ctx) => ctx.sleep(1e6))];
    await settled();
    const wait = manager.awaitTasks([a.handle, b], { until: "failure" });
    await b.cancel();
    expect(statuses((await wait).outcomes)).toEqual([undefined, "cancelled"]);
  });

  test("W1 failure returns when all succeeded", async () => {
    const { manager } = world();
    const [a, b] = [held(manager), held(manager)];
    const wait = manager.awaitTasks([a.handle, b.handle], { until: "failure" });
    await a.succeed();
    await b.succeed();
    expect(await wait).toMatchObject({ reason: "done", pending: [] });
  });

  test.each(["all", "any", "success", "failure"] as const)("W1 nothing, until %s, is done at once", async (until) => {
    const { manager } = world();
    expect(await peek(manager.awaitTasks([], { until }))).toEqual({
      is: "fulfilled",
      value: { reason: "done", outcomes: [], ended: [], pending: [] },
    });
  });

  test("W2 duplicates have the same outcome at each place and count once", async () => {
    const { manager } = world();
    const [a, b] = [held(manager), held(manager)];
    const wait = manager.awaitTasks([a.handle, b.id, a.id, a.handle], { until: 2 });
    await a.succeed();
    expect(await peek(wait)).toEqual({ is: "pending" });
    await b.succeed();
    const result = await wait;
    expect(result.outcomes.map((outcome) => outcome?.id)).toEqual([a.id, b.id, a.id, a.id]);
    expect(result.ended.map((outcome) => outcome.id)).toEqual([a.id, b.id]);
  });

  test.each([0, -1, 1.5, 3, NaN, Infinity])("W2 until %d of two tasks is a RangeError", async (until) => {
    const { manager } = world();
    const [a, b] = [held(manager), held(manager)];
    const wait = async (): Promise<unknown> => manager.awaitTasks([a.id, b.id, a.id], { until });
    await expect(wait()).rejects.toBeInstanceOf(RangeError);
  });

  test("W1 the outcomes are typed by position", async () => {
    const { manager } = world();
    const [count, word] = [manager.spawn(() => 41), manager.spawn(async () => "word")];
    const {
      outcomes: [first, second, third],
    } = await manager.awaitTasks([count, word, count.id]);
    if (first?.status !== "succeeded" || second?.status !== "succeeded") throw new Error("not ended");
    const [sum, upper]: [number, string] = [first.value + 1, second.value.toUpperCase()];
    expect([sum, upper, third?.status]).toEqual([42, "WORD", "succeeded"]);
  });
});

describe("never missing", () => {
  test("W1 a task that ended before the call counts", async () => {
    const { manager } = world();
    const [a, b] = [held(manager), held(manager)];
    await a.succeed();
    const any = await manager.awaitTasks([a.id, b.id], { until: "any" });
    expect(statuses(any.outcomes)).toEqual(["succeeded", undefined]);
    await b.fail();
    expect(statuses((await manager.awaitTasks([a.id, b.id])).outcomes)).toEqual(["succeeded", "failed"]);
  });

  test("W1 `ended` is in order of ending, for those that ended before the call too", async () => {
    const { manager } = world();
    const tasks = Array.from({ length: 6 }, () => held(manager));
    const byEnd = [4, 1, 5, 0, 3, 2].flatMap((index) => tasks[index] ?? []);
    for (const task of byEnd.slice(0, 4)) await task.succeed();
    const wait = manager.awaitTasks(tasks.map((task) => task.id));
    for (const task of byEnd.slice(4)) await task.fail();
    const result = await wait;
    expect(result.ended.map((outcome) => outcome.id)).toEqual(byEnd.map((task) => task.id));
    expect(result.outcomes.map((outcome) => outcome?.id)).toEqual(tasks.map((task) => task.id));
  });

  test("W1 a task that ends any number of microtasks around the call is seen", async () => {
    for (let offset = -8; offset <= 8; offset += 1) {
      const { manager } = world({ concurrency: 1 });
      const gate = deferred();
      const task = manager.spawn(() => gate.promise);
      await settled(2);
      let wait: Promise<unknown> = Promise.resolve();
      const acts = [
        () => gate.resolve(),
        () => {
          wait = manager.awaitTasks([task]);
        },
      ];
      for (const [index, act] of (offset < 0 ? acts : acts.reverse()).entries()) {
        if (index > 0) for (let hop = 0; hop < Math.abs(offset); hop += 1) await Promise.resolve();
        act();
      }
      expect(await peek(wait)).toMatchObject({ is: "fulfilled", value: { reason: "done" } });
    }
  });

  test("W1 a task cancelled in the turn of the call is seen", async () => {
    const { manager } = world();
    const task = manager.spawn(() => 1);
    const wait = manager.awaitTasks([task]);
    void task.cancel();
    expect(statuses((await wait).outcomes)).toEqual(["cancelled"]);
  });

  test("W1 an evicted task counts while its handle is in hand", async () => {
    const { manager } = world({ retention: { maxFinished: 1 } });
    const old = manager.spawn(() => "kept in hand");
    const bad = manager.spawn((): string => {
      throw new Error("no");
    });
    await settled();
    for (let index = 0; index < 5; index += 1) {
      manager.spawn(() => index);
      await settled();
    }
    expect(manager.get(old.id)).toBeUndefined();
    expect(old.status).toBe("succeeded");
    await expect(old.result()).resolves.toBe("kept in hand");
    await expect(old.outcome()).resolves.toEqual({ id: old.id, status: "succeeded", value: "kept in hand" });
    await expect(old.cancel()).resolves.toMatchObject({ status: "succeeded" });
    await expect(bad.result()).rejects.toMatchObject({ code: "TASK_OUTCOME", outcome: { status: "failed" } });
    const live = held(manager);
    expect(statuses((await manager.awaitTasks([live.handle, old, bad], { until: 2 })).outcomes)).toEqual([
      undefined,
      "succeeded",
      "failed",
    ]);
    const seen: string[] = [];
    for await (const outcome of manager.outcomes([bad, old])) seen.push(outcome.id);
    expect([...seen].sort()).toEqual([old.id, bad.id].sort());
    const inside = manager.spawn((ctx) => ctx.awaitTasks([old, bad]));
    expect((await inside.result()).outcomes.map((outcome) => outcome?.id)).toEqual([old.id, bad.id]);
  });

  test("W2 an evicted task is unknown by its id", async () => {
    const { manager } = world({ retention: { maxFinished: 1 } });
    const old = manager.spawn(() => 1);
    await settled();
    for (let index = 0; index < 3; index += 1) {
      manager.spawn(() => index);
      await settled();
    }
    await expect(manager.awaitTasks([old.id])).rejects.toMatchObject({ code: "TASK_NOT_FOUND", taskId: old.id });
  });

  test("W1 a wait in flight gets its outcome although the record goes at once", async () => {
    const { manager } = world({ retention: { maxFinished: 1 } });
    const tasks = Array.from({ length: 20 }, () => held(manager));
    const wait = manager.awaitTasks(tasks.map((task) => task.id));
    for (const task of tasks) await task.succeed();
    const result = await wait;
    expect(result.ended).toHaveLength(20);
    expect(result.pending).toEqual([]);
  });

  test("W1 a task of another manager is waited for by its handle", async () => {
    const [here, there] = [world(), world()];
    const far = held(there.manager);
    const wait = here.manager.awaitTasks([far.handle]);
    await far.succeed("far");
    expect((await wait).outcomes).toMatchObject([{ status: "succeeded", value: "far" }]);
  });

  test("C6 what a wait gives is fixed when it is decided, not when its task has a slot again", async () => {
    const { manager } = world({ lanes: { one: { concurrency: 1 } } });
    const [a, b] = [held(manager), held(manager)];
    const waiter = manager.spawn((ctx) => ctx.awaitTasks([a.id, b.id], { until: "any" }), { lane: "one" });
    const gate = deferred();
    manager.spawn(() => gate.promise, { lane: "one" });
    await settled();
    await a.succeed();
    expect(waiter.record.blockedOn).toEqual([{ on: "slot" }]);
    await b.succeed();
    gate.resolve();
    expect(statuses((await waiter.result()).outcomes)).toEqual(["succeeded", undefined]);
    allFree(manager);
  });
});

describe("what is a result and what is not", () => {
  test("W2 a timeout is a result, and the tasks go on", async () => {
    const { clock, manager } = world();
    const [a, b] = [held(manager), held(manager)];
    const wait = manager.awaitTasks([a.handle, b.handle], { timeoutMs: 100 });
    await a.succeed();
    await clock.advance(99);
    expect(await peek(wait)).toEqual({ is: "pending" });
    await clock.advance(1);
    const result = await wait;
    expect(result.reason).toBe("timeout");
    expect(statuses(result.outcomes)).toEqual(["succeeded", undefined]);
    expect(result.pending).toMatchObject([{ id: b.id, status: "running" }]);
    await b.succeed();
    expect(b.handle.status).toBe("succeeded");
  });

  test("W2 a task that ended in time is done, not timed out", async () => {
    const { clock, manager } = world();
    const a = held(manager);
    const wait = manager.awaitTasks([a.handle], { timeoutMs: 100 });
    await clock.advance(99);
    await a.succeed();
    await clock.advance(1_000);
    expect((await wait).reason).toBe("done");
  });

  test("W2 `outcome` with a timeout gives nothing when it passes first, and the same work goes on", async () => {
    const { clock, manager } = world();
    const a = held(manager);
    const first = a.handle.outcome({ timeoutMs: 300 });
    await clock.advance(300);
    await expect(first).resolves.toBeUndefined();
    await a.succeed("late");
    await expect(a.handle.outcome({ timeoutMs: 300 })).resolves.toMatchObject({ status: "succeeded", value: "late" });
  });

  test("W2 a failed task rejects no wait but `result`", async () => {
    const { manager } = world();
    const seen = await unhandled(async () => {
      const cause = new TypeError("broken");
      const task = manager.spawn(() => {
        throw cause;
      });
      await expect(manager.awaitTasks([task])).resolves.toMatchObject({ reason: "done" });
      await expect(task.outcome()).resolves.toMatchObject({ status: "failed", error: { name: "TypeError", cause } });
      await expect(task.result()).rejects.toMatchObject({ code: "TASK_OUTCOME", taskId: task.id, cause });
    });
    expect(seen).toEqual([]);
  });

  test("W2 an aborted signal rejects with its reason, and the tasks go on", async () => {
    const { manager } = world();
    const a = held(manager);
    const giveUp = new AbortController();
    const waits = [
      manager.awaitTasks([a.id], { signal: giveUp.signal }),
      a.handle.result({ signal: giveUp.signal }),
      a.handle.outcome({ signal: giveUp.signal }),
      manager.outcomes([a.id], { signal: giveUp.signal })[Symbol.asyncIterator]().next(),
      manager.idle({ signal: giveUp.signal }),
    ];
    await settled();
    const why = { my: "reason" };
    giveUp.abort(why);
    expect(await Promise.all(waits.map((wait) => peek<unknown>(wait)))).toEqual(
      waits.map(() => ({ is: "rejected", error: why })),
    );
    expect(a.handle.status).toBe("running");
    await a.succeed();
    expect(a.handle.status).toBe("succeeded");
  });

  test("W2 a signal aborted before the call rejects with its reason", async () => {
    const { manager } = world();
    const a = held(manager);
    const why = new Error("before");
    await expect(manager.awaitTasks([a.id], { signal: AbortSignal.abort(why) })).rejects.toBe(why);
    await expect(a.handle.result({ signal: AbortSignal.abort(why) })).rejects.toBe(why);
  });

  test("W2 a cancel withdrawn by its signal is asked for all the same", async () => {
    const { manager } = world();
    const a = held(manager);
    await settled();
    const why = new Error("not waiting for that");
    const giveUp = new AbortController();
    const cancelled = a.handle.cancel("stop", { signal: giveUp.signal });
    giveUp.abort(why);
    await expect(cancelled).rejects.toBe(why);
    expect(a.handle.record).toMatchObject({ stopReason: "cancel", reason: "stop" });
  });

  test("W2 an unknown id is refused before anything waits", async () => {
    const { manager } = world();
    const told = facts(manager);
    const a = held(manager);
    const giveUp = new AbortController();
    const { signal } = giveUp;
    const unknown = { code: "TASK_NOT_FOUND", taskId: "nobody" };
    await expect(manager.awaitTasks([a.id, "nobody"], { signal, timeoutMs: 10 })).rejects.toMatchObject(unknown);
    const step = async (): Promise<unknown> => {
      for await (const outcome of manager.outcomes([a.id, "nobody"], { signal })) return outcome;
      return "the end";
    };
    await expect(step()).rejects.toMatchObject(unknown);
    const inside = manager.spawn((ctx) => ctx.awaitTasks([a.id, "nobody"], { signal }));
    await expect(inside.result()).rejects.toMatchObject({ cause: unknown });
    expect(told.filter((event) => event.type === "task.blocked")).toEqual([]);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });
});

describe("stopOnRequest", () => {
  test("W4 a question is reported to the caller that waits longest, also when it waits for a task farther above", async () => {
    const { manager } = world();
    const children: TaskHandle[] = [];
    const ask = deferred();
    const top = manager.spawn(async (ctx) => {
      children.push(ctx.spawn((child) => ask.promise.then(() => child.ask({ question: "Which?" }))));
    });
    await settled();
    const [child] = children;
    if (child === undefined) throw new Error("no child");
    const first = manager.awaitTasks([top], { stopOnRequest: true });
    const second = manager.awaitTasks([child], { stopOnRequest: true });
    ask.resolve();
    await settled();
    expect([await peek(first), (await peek(second)).is]).toMatchObject([
      { is: "fulfilled", value: { reason: "request" } },
      "pending",
    ]);
  });

  test("W4 it returns when a watched task asks", async () => {
    const { manager } = world();
    const other = held(manager);
    const asker = manager.spawn((ctx) => ctx.ask({ question: "Which?" }));
    const wait = manager.awaitTasks([other.handle, asker], { stopOnRequest: true });
    const result = await wait;
    expect(result.reason).toBe("request");
    expect(result.outcomes).toEqual([undefined, undefined]);
    expect(result.pending.map((record) => record.id)).toEqual([other.id, asker.id]);
  });

  test("W4 it returns at once for a question that was asked before the call", async () => {
    const { manager } = world();
    const asker = manager.spawn((ctx) => ctx.approve("Delete it?"));
    await settled();
    expect(asker.status).toBe("blocked");
    expect(await peek(manager.awaitTasks([asker], { stopOnRequest: true }))).toMatchObject({
      is: "fulfilled",
      value: { reason: "request" },
    });
  });

  test("W4 it returns when a descendant of a watched task asks", async () => {
    const { manager } = world();
    const go = deferred();
    const top = manager.spawn((ctx) =>
      ctx
        .spawn((child) =>
          child
            .spawn(async (low) => {
              await go.promise;
              return low.ask({ question: "Deep?" });
            })
            .result(),
        )
        .result(),
    );
    const wait = manager.awaitTasks([top], { stopOnRequest: true });
    expect(await peek(wait)).toEqual({ is: "pending" });
    go.resolve();
    expect(await peek(wait)).toMatchObject({ is: "fulfilled", value: { reason: "request" } });
    await answerAll(manager);
    await expect(top.result()).resolves.toBe("yes");
  });

  test("W4 it returns once for each request: the same one does not stop a second wait, a new one does", async () => {
    const { manager } = world();
    const asker = manager.spawn(async (ctx) => {
      const first = await ctx.ask({ question: "First?" });
      return first + (await ctx.ask({ question: "Second?" }));
    });
    const options = { stopOnRequest: true };
    expect((await manager.awaitTasks([asker], options)).reason).toBe("request");
    const second = manager.awaitTasks([asker], options);
    expect(await peek(second)).toEqual({ is: "pending" });
    await answerAll(manager, "a");
    expect(await peek(second)).toMatchObject({ is: "fulfilled", value: { reason: "request" } });
    const third = manager.awaitTasks([asker], options);
    expect(await peek(third)).toEqual({ is: "pending" });
    await answerAll(manager, "b");
    expect(await third).toMatchObject({ reason: "done", outcomes: [{ status: "succeeded", value: "ab" }] });
  });

  test("W4 C6 a wait that the end of a task rejected before that end was delivered to it cancels no task", async () => {
    const { manager } = world();
    const x = held(manager);
    let loose: TaskHandle<void> | undefined;
    const options = { until: "any", cancelRest: true } as const;
    const q = manager.spawn(async (ctx) => {
      const p = ctx.spawn(async (inner) => {
        loose = inner.spawn((nap) => nap.sleep(60_000), { detached: true });
        await inner.awaitTasks([x.handle, loose], options);
      });
      await ctx.awaitTasks([x.handle, p], options);
    });
    await settled();
    // The end of x is the end of q's wait, which stops p and so rejects p's: that one was never done.
    await x.succeed();
    expect((await q.outcome()).status).toBe("succeeded");
    expect([loose?.status, loose?.record.stopReason]).toEqual(["blocked", undefined]);
    await loose?.cancel();
  });

  test("W4 a session is one owner, however often it is asked for", async () => {
    const { manager } = world();
    const chat = () => manager.session("chat");
    const asker = chat().spawn((ctx) => ctx.ask({ question: "Well?" }));
    await settled();
    const options = { stopOnRequest: true, timeoutMs: 0 };
    expect((await chat().awaitTasks([asker], options)).reason).toBe("request");
    expect((await chat().awaitTasks([asker], options)).reason).toBe("timeout");
    expect((await manager.session("other").awaitTasks([asker], options)).reason).toBe("request");
    await answerAll(manager);
  });

  test("W4 each owner gets its own notices once", async () => {
    const { manager } = world();
    const gate = deferred();
    const asker = manager.spawn((ctx) => ctx.ask({ question: "Well?" }));
    await settled();
    const told = async (ctx: TaskContext): Promise<readonly string[]> => {
      const first = await ctx.awaitTasks([asker], { stopOnRequest: true });
      await gate.promise;
      const second = await ctx.awaitTasks([asker], { stopOnRequest: true });
      return [first.reason, second.reason];
    };
    const owners = [manager.spawn(told), manager.spawn(told)];
    expect((await manager.awaitTasks([asker], { stopOnRequest: true })).reason).toBe("request");
    gate.resolve();
    await settled();
    await answerAll(manager);
    for (const owner of owners) await expect(owner.result()).resolves.toEqual(["request", "done"]);
  });

  test("W4 it does not return for a task that is not watched, nor without being asked to", async () => {
    const { manager } = world();
    const watched = held(manager);
    const asker = manager.spawn((ctx) => ctx.ask({ question: "Me?" }));
    const waits = [
      manager.awaitTasks([watched.handle], { stopOnRequest: true }),
      manager.awaitTasks([watched.handle, asker]),
    ];
    for (const wait of waits) expect(await peek<unknown>(wait)).toEqual({ is: "pending" });
    await answerAll(manager);
    await watched.succeed();
    for (const wait of waits) expect((await wait).reason).toBe("done");
  });

  test("W4 without it a question that is open already is no reason to return", async () => {
    const { manager } = world();
    const asker = manager.spawn((ctx) => ctx.ask({ question: "Me?" }));
    await settled();
    const wait = manager.awaitTasks([asker]);
    expect(await peek(wait)).toEqual({ is: "pending" });
    await answerAll(manager);
    expect((await wait).reason).toBe("done");
  });

  test("W4 it tells who asks and for what: the pending record names the request", async () => {
    const { manager } = world();
    const asker = manager.spawn((ctx) => ctx.ask({ question: "Which?" }));
    const { pending } = await manager.awaitTasks([asker], { stopOnRequest: true });
    const [request] = manager.inbox.list();
    expect(pending).toMatchObject([{ status: "blocked", blockedOn: [{ on: "input", requestId: request?.id }] }]);
  });

  test("W4 it returns when a watched task of another manager asks", async () => {
    const [here, there] = [world(), world()];
    const far = there.manager.spawn((ctx) => ctx.ask({ question: "From afar?" }));
    const wait = here.manager.awaitTasks([far], { stopOnRequest: true });
    expect(await peek(wait)).toMatchObject({ is: "fulfilled", value: { reason: "request" } });
  });

  test("W4 all ended is done, also when one of them had asked", async () => {
    const { manager } = world();
    const asker = manager.spawn((ctx) => ctx.ask({ question: "Early?" }));
    await settled();
    await answerAll(manager);
    expect((await manager.awaitTasks([asker], { stopOnRequest: true })).reason).toBe("done");
  });
});

describe("cancelRest", () => {
  const three = (ctx: TaskContext): readonly [TaskHandle<string>, TaskHandle<void>, TaskHandle<void>] => [
    ctx.spawn(
      async (child) => {
        await child.receive();
        return "first";
      },
      { name: "first" },
    ),
    ctx.spawn((child) => child.sleep(1e6), { name: "second" }),
    ctx.spawn((child) => child.sleep(1e6), { name: "third" }),
  ];
  const named = (manager: TaskManager, name: string) => {
    const [record] = manager.list({ name });
    const handle = record === undefined ? undefined : manager.get(record.id);
    if (handle === undefined) throw new Error(`no task ${name}`);
    return handle;
  };

  test("W4 on done it cancels the caller's own children that have not ended", async () => {
    const { manager } = world({ concurrency: 1 });
    const parent = manager.spawn((ctx) => ctx.awaitTasks(three(ctx), { until: "any", cancelRest: true }));
    await settled();
    await named(manager, "first").send("end");
    await settled();
    const result = await parent.result();
    expect(statuses(result.outcomes)).toEqual(["succeeded", "cancelled", "cancelled"]);
    expect([result.reason, result.ended[0]?.status, result.pending]).toEqual(["done", "succeeded", []]);
    expect(["second", "third"].map((name) => named(manager, name).status)).toEqual(["cancelled", "cancelled"]);
    allFree(manager);
  });

  /** Work that needs `ms` to end once it was cancelled, and a wait of the program that cancels it. */
  function slowRest(options: AwaitOptions = {}) {
    const made = world({ graceMs: 50 });
    const { manager, clock } = made;
    const quick = held(manager);
    const slow = manager.spawn(async (ctx) => {
      await ctx.cancelled();
      await new Promise<void>((resolve) => clock.setTimeout(resolve, 20));
      throw new Error("wound down");
    });
    const deaf = manager.spawn(() => new Promise<never>(() => {}), { graceMs: 30 });
    const awaited = manager.awaitTasks([quick.handle, slow, deaf], { until: "any", cancelRest: true, ...options });
    return { ...made, quick, slow, deaf, awaited };
  }

  test("W4 it returns when what it stopped has ended, within their grace", async () => {
    const { quick, slow, deaf, awaited, pass } = slowRest();
    await settled();
    await quick.succeed("first");
    expect(await peek(awaited)).toEqual({ is: "pending" });
    await pass(20);
    expect([slow.status, (await peek(awaited)).is]).toEqual(["cancelled", "pending"]);
    await pass(10);
    const { reason, outcomes, ended, pending } = await awaited;
    expect([reason, statuses(outcomes), pending]).toEqual(["done", ["succeeded", "cancelled", "cancelled"], []]);
    expect(ended.map(({ id }) => id)).toEqual([quick.handle.id, slow.id, deaf.id]);
  });

  test("W4 a limit that passes meanwhile reports what is done, and what it stopped as pending", async () => {
    const { quick, slow, deaf, awaited, pass } = slowRest({ timeoutMs: 25 });
    await settled();
    await quick.succeed("first");
    await pass(25);
    const { reason, outcomes, pending } = await awaited;
    expect([reason, statuses(outcomes)]).toEqual(["done", ["succeeded", "cancelled", undefined]]);
    expect(pending.map(({ id }) => id)).toEqual([deaf.id]);
    expect(slow.status).toBe("cancelled");
  });

  test("W4 it waits for what it stopped also when it was done at once", async () => {
    const { manager, pass } = world({ graceMs: 20 });
    const over = manager.spawn(() => 1);
    await over.outcome();
    const deaf = manager.spawn(() => new Promise<never>(() => {}));
    await settled();
    const awaited = manager.awaitTasks([over, deaf], { until: "any", cancelRest: true });
    await settled();
    expect(await peek(awaited)).toEqual({ is: "pending" });
    await pass(20);
    expect(statuses((await awaited).outcomes)).toEqual(["succeeded", "cancelled"]);
  });

  test("W4 a timeout cancels nothing", async () => {
    const { clock, manager } = world();
    const parent = manager.spawn(async (ctx) => {
      const { reason } = await ctx.awaitTasks(three(ctx), { timeoutMs: 10, cancelRest: true });
      await ctx.receive();
      return reason;
    });
    await settled();
    await clock.advance(10);
    await settled();
    expect(["first", "second", "third"].map((name) => named(manager, name).status)).toEqual([
      "blocked",
      "blocked",
      "blocked",
    ]);
    expect(parent.record.blockedOn).toEqual([{ on: "message" }]);
  });

  test("W4 a request cancels nothing", async () => {
    const { manager } = world();
    const parent = manager.spawn(async (ctx) => {
      const children = [...three(ctx), ctx.spawn((child) => child.ask({ question: "?" }), { name: "asker" })];
      const { reason } = await ctx.awaitTasks(children, { stopOnRequest: true, cancelRest: true });
      await ctx.receive();
      return reason;
    });
    await settled();
    expect(["second", "asker"].map((name) => named(manager, name).status)).toEqual(["blocked", "blocked"]);
    expect(parent.record.blockedOn).toEqual([{ on: "message" }]);
  });

  test("W4 it cancels neither another's task nor a grandchild", async () => {
    const { manager } = world();
    const foreign = manager.spawn((ctx) => ctx.sleep(1e6));
    const parent = manager.spawn(async (ctx) => {
      const [first, second] = three(ctx);
      const low = deferred<TaskHandle<void>>();
      ctx.spawn(async (child) => {
        low.resolve(child.spawn((grandchild) => grandchild.sleep(1e6), { name: "grandchild" }));
        await child.receive();
      });
      const grandchild = await low.promise;
      await ctx.awaitTasks([first, second, foreign, grandchild], { until: "any", cancelRest: true });
      await ctx.receive();
    });
    await settled();
    await named(manager, "first").send("end");
    await settled();
    expect(parent.record.blockedOn).toEqual([{ on: "message" }]);
    expect([named(manager, "second").status, foreign.status, named(manager, "grandchild").status]).toEqual([
      "cancelled",
      "blocked",
      "blocked",
    ]);
    // A child that was not waited for is none of its business.
    expect(named(manager, "third").status).toBe("blocked");
  });

  test("W4 a session cancels none of another session's tasks", async () => {
    const { manager } = world();
    const [mine, theirs] = [manager.session("mine"), manager.session("theirs")];
    const quick = mine.spawn(() => 1);
    const foreign = theirs.spawn((ctx) => ctx.sleep(1e6));
    await mine.awaitTasks([quick, foreign], { until: "any", cancelRest: true });
    await settled();
    expect(foreign.status).toBe("blocked");
  });

  test("W4 it spares a child for which there is another wait, in a task or outside", async () => {
    const { manager } = world();
    const parent = manager.spawn(async (ctx) => {
      await ctx.awaitTasks(three(ctx), { until: "any", cancelRest: true });
      await ctx.receive();
    });
    await settled();
    const outside = named(manager, "second").outcome();
    const inside = manager.spawn((ctx) => ctx.awaitTasks([named(manager, "third")]));
    await settled();
    await named(manager, "first").send("end");
    await settled();
    expect(parent.record.blockedOn).toEqual([{ on: "message" }]);
    expect(["second", "third"].map((name) => named(manager, name).status)).toEqual(["blocked", "blocked"]);
    await parent.cancel();
    await expect(outside).resolves.toMatchObject({ status: "cancelled" });
    await expect(inside.result()).resolves.toMatchObject({ reason: "done" });
  });
});

describe("outcomes", () => {
  test("W1 it gives each outcome once, in order of ending, and then ends", async () => {
    const { manager } = world();
    const tasks = Array.from({ length: 5 }, () => held(manager));
    const byEnd = [3, 0, 4, 2, 1].flatMap((index) => tasks[index] ?? []);
    for (const task of byEnd.slice(0, 2)) await task.succeed();
    const seen: string[] = [];
    const loop = (async () => {
      for await (const outcome of manager.outcomes([...tasks, ...tasks].map((task) => task.id))) seen.push(outcome.id);
    })();
    await settled();
    expect(seen).toEqual(byEnd.slice(0, 2).map((task) => task.id));
    for (const task of byEnd.slice(2)) await task.fail();
    await loop;
    expect(seen).toEqual(byEnd.map((task) => task.id));
  });

  test("W1 what ends between two steps is kept for the next", async () => {
    const { manager } = world();
    const tasks = Array.from({ length: 4 }, () => held(manager));
    const seen: string[] = [];
    const slow = deferred();
    const loop = (async () => {
      for await (const outcome of manager.outcomes(tasks.map((task) => task.handle))) {
        seen.push(outcome.id);
        await slow.promise;
      }
    })();
    for (const task of [...tasks].reverse()) await task.succeed();
    slow.resolve();
    await loop;
    expect(seen).toEqual([...tasks].reverse().map((task) => task.id));
  });

  test("W1 of nothing it ends at once", async () => {
    const { manager } = world();
    await expect(manager.outcomes([])[Symbol.asyncIterator]().next()).resolves.toMatchObject({ done: true });
  });

  test("W2 an abort between two steps rejects the next with the signal's reason", async () => {
    const { manager } = world();
    const [a, b] = [held(manager), held(manager)];
    const giveUp = new AbortController();
    const why = new Error("enough");
    const loop = peek(
      (async () => {
        for await (const outcome of manager.outcomes([a.handle, b.handle], { signal: giveUp.signal })) {
          expect(outcome.status).toBe("succeeded");
          giveUp.abort(why);
        }
      })(),
    );
    void a.succeed();
    expect(await loop).toEqual({ is: "rejected", error: why });
    expect(getEventListeners(giveUp.signal, "abort")).toEqual([]);
  });

  test("W3 leaving the loop withdraws it", async () => {
    const { manager } = world();
    const [a, b] = [held(manager), held(manager)];
    const { signal } = new AbortController();
    const loop = (async () => {
      for await (const _ of manager.outcomes([a.handle, b.handle], { signal })) break;
    })();
    await a.succeed();
    await loop;
    expect(getEventListeners(signal, "abort")).toEqual([]);
    await b.succeed();
    expect(b.handle.status).toBe("succeeded");
  });

  test("W3 leaving ends a step that is waited for, and every later one", async () => {
    const { manager } = world();
    const a = held(manager);
    const steps = manager.outcomes([a.handle])[Symbol.asyncIterator]();
    const step = steps.next();
    expect(await peek(step)).toEqual({ is: "pending" });
    const over = { done: true, value: undefined };
    expect(await steps.return?.()).toEqual(over);
    expect(await peek(step)).toEqual({ is: "fulfilled", value: over });
    await a.succeed();
    expect(await steps.next()).toEqual(over);
  });

  test("W3 left before its first step it watches nothing", async () => {
    const { manager } = world();
    const a = held(manager);
    const steps = manager.outcomes([a.handle])[Symbol.asyncIterator]();
    expect(await steps.return?.()).toEqual({ done: true, value: undefined });
    await a.succeed();
    expect(await steps.next()).toEqual({ done: true, value: undefined });
  });

  test("W3 a step that is withdrawn leaves no link: no wait for the tasks remains", async () => {
    const { manager } = world();
    const slow = held(manager);
    const giveUp = new AbortController();
    const steps = manager.outcomes([slow.handle], { signal: giveUp.signal })[Symbol.asyncIterator]();
    const step = steps.next();
    giveUp.abort("no");
    await expect(step).rejects.toBe("no");
    expect(await steps.next()).toEqual({ done: true, value: undefined });
    void manager.awaitTasks([slow.handle, manager.spawn(() => 1)], { until: "any", cancelRest: true });
    await settled();
    expect(slow.handle.record).toMatchObject({ stopReason: "cancel", reason: "no longer needed" });
  });

  test("§12 a step begun while another is waited for is a TypeError, and the first goes on", async () => {
    const { manager } = world();
    const a = held(manager);
    const steps = manager.outcomes([a.handle])[Symbol.asyncIterator]();
    const first = steps.next();
    await expect(steps.next()).rejects.toThrow(
      new TypeError("outcomes() takes one step at a time: await next() before the next call"),
    );
    await a.succeed("first");
    await expect(first).resolves.toMatchObject({ value: { value: "first" } });
  });

  test("§2 the record says for which tasks a step waits", async () => {
    const { manager } = world();
    const [a, b] = [held(manager), held(manager)];
    const task = manager.spawn(async (ctx) => {
      for await (const _ of ctx.outcomes([a.handle, b.handle])) await Promise.resolve();
    });
    await settled();
    expect(task.record.blockedOn).toEqual([{ on: "tasks", taskIds: [a.id, b.id] }]);
    await a.succeed();
    expect(task.record.blockedOn).toEqual([{ on: "tasks", taskIds: [b.id] }]);
    await b.succeed();
    expect(task.status).toBe("succeeded");
  });

  test("W3 a loop over 10 000 tasks takes a step each, not a look at all of them", async () => {
    const { manager } = world({ concurrency: 10, limits: { maxQueued: 10_000 } });
    const tasks = Array.from({ length: 10_000 }, (_, index) => manager.spawn(() => index));
    let sum = 0;
    for await (const outcome of manager.outcomes(tasks)) sum += outcome.status === "succeeded" ? outcome.value : NaN;
    expect(sum).toBe((9_999 * 10_000) / 2);
  });
});

describe("nothing is left behind", () => {
  test("W3 20 000 waiters on one task are all answered", async () => {
    const { manager } = world();
    const a = held(manager);
    const waits = Array.from({ length: 20_000 }, (_, index) =>
      index % 2 === 0 ? manager.awaitTasks([a.handle], { until: "any" }) : a.handle.outcome(),
    );
    await a.succeed();
    expect(await Promise.all(waits)).toHaveLength(20_000);
  });

  test("W3 no listener stays on the signal, whichever way the wait ended", async () => {
    const { clock, manager } = world();
    const giveUp = new AbortController();
    const { signal } = giveUp;
    const listeners = (): number => getEventListeners(signal, "abort").length;
    const [a, b] = [held(manager), held(manager)];
    const waits: Promise<unknown>[] = [
      manager.awaitTasks([a.handle], { signal }),
      manager.awaitTasks([a.handle, b.handle], { signal, timeoutMs: 10 }),
      manager.awaitTasks([a.handle, b.handle], { signal, until: "any" }),
      a.handle.result({ signal }),
      a.handle.outcome({ signal, timeoutMs: 10 }),
    ];
    await settled();
    expect(listeners()).toBeGreaterThan(0);
    await a.succeed();
    await clock.advance(10);
    await Promise.all(waits);
    expect(listeners()).toBe(0);
    const rejected = manager.awaitTasks([b.handle], { signal });
    giveUp.abort();
    await peek(rejected);
    expect(listeners()).toBe(0);
    await manager.awaitTasks([a.handle], { signal }).catch(() => undefined);
    expect(listeners()).toBe(0);
  });

  test("W3 no timer stays on the clock, whichever way the wait ended", async () => {
    const clock = manualClock();
    const live = new Set<unknown>();
    const counted: Clock = {
      now: () => clock.now(),
      setTimeout: (fn, ms) => {
        const timer = clock.setTimeout(() => {
          live.delete(timer);
          fn();
        }, ms);
        live.add(timer);
        return timer;
      },
      clearTimeout: (timer) => {
        live.delete(timer);
        clock.clearTimeout(timer);
      },
    };
    const manager = new TaskManager({ clock: counted, ids: countedIds() });
    const [a, b] = [held(manager), held(manager)];
    // Retention has a timer of its own from the first end on.
    await held(manager).succeed();
    const before = live.size;
    const giveUp = new AbortController();
    const waits: Promise<unknown>[] = [
      manager.awaitTasks([a.handle], { timeoutMs: 1_000 }),
      manager.awaitTasks([a.handle, b.handle], { timeoutMs: 10 }),
      manager.awaitTasks([b.handle], { timeoutMs: 1_000, signal: giveUp.signal }).catch(() => undefined),
      a.handle.outcome({ timeoutMs: 1_000 }),
      b.handle.outcome({ timeoutMs: 10 }),
    ];
    await settled();
    expect(live.size).toBeGreaterThan(before);
    await clock.advance(10);
    await a.succeed();
    giveUp.abort();
    await Promise.all(waits);
    expect(live.size).toBe(before);
  });

  test("W3 a wait without a timeout has no timer", async () => {
    const { clock, manager } = world();
    const a = held(manager);
    const waits = [manager.awaitTasks([a.handle]), a.handle.outcome()];
    expect(clock.nextAt).toBeUndefined();
    await a.succeed();
    await Promise.all<unknown>(waits);
  });

  test("W3 a waiting task that is cancelled leaves no listener on the signal it passed", async () => {
    const { manager } = world();
    const a = held(manager);
    const { signal } = new AbortController();
    const task = manager.spawn((ctx) =>
      Promise.all([
        ctx.awaitTasks([a.handle], { signal }),
        ctx.sleep(1e6, { signal }),
        ctx.receive({ signal }),
        ctx.ask({ question: "?", signal }),
        a.handle.result({ signal }),
      ]),
    );
    await settled();
    expect(getEventListeners(signal, "abort").length).toBeGreaterThan(0);
    await task.cancel();
    await settled();
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });
});

test("W3 a step of outcomes that is refused leaves no link: no wait for the task remains", async () => {
  const { manager } = world();
  const slow = held(manager);
  const loop = async () => {
    for await (const outcome of manager.outcomes([slow.handle], { signal: AbortSignal.abort("no") })) return outcome;
    return undefined;
  };
  await expect(loop()).rejects.toBe("no");
  void manager.awaitTasks([slow.handle, manager.spawn(() => 1)], { until: "any", cancelRest: true });
  await settled();
  expect(slow.handle.record.stopReason).toBe("cancel");
});
