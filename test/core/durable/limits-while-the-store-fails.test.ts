// W2, D1: while the store accepts no writes, time limits and signals end waits, reads answer, and a model's tools answer.

import { AsyncResource } from "node:async_hooks";
import type { AwaitResult, Session, TaskContext, TaskHandle } from "errand";
import { TaskManager } from "errand";
import { manualClock } from "errand/testing";
import { describe, expect, test } from "vitest";
import { peek, settled, unhandled } from "../../support/basics.js";
import type { HeldStore } from "../../support/held-store.js";
import { given, type Held, hold, untilStopped } from "../../support/program.js";
import { type Process, started, take } from "../../support/restarts.js";

interface Stage extends Process {
  /** Runs, and its context can be used from outside. */
  readonly running: Held<string>;
  /** Ended, and the store has not taken that. */
  readonly ended: TaskHandle<string>;
  /** A session whose only task has ended, which the store has not taken either. */
  readonly chat: Session;
  /** Calls as the function of a running task does: the waits are its own. */
  readonly within: <T>(call: () => Promise<T>) => Promise<T>;
  readonly caller: TaskHandle;
}

/** How a store accepts nothing: each append is refused, or none is answered. */
const outages: readonly (readonly [string, (store: HeldStore) => void])[] = [
  ["refuses each append", (store) => (store.failure = new Error("ENOSPC"))],
  ["answers no append", (store) => store.hold()],
];

async function stage(fail: (store: HeldStore) => void): Promise<Stage> {
  const process = await started({ graceMs: 50 });
  const { manager } = process;
  const running = hold<string>(manager, { id: "running" });
  const ending = hold<string>(manager, { id: "ended" });
  const chat = manager.session("chat");
  const chatting = hold(chat, { id: "chatting" });
  hold(chat, { id: "asked" });
  let run: AsyncResource | undefined;
  const caller = manager.spawn((ctx) => {
    run = new AsyncResource("caller");
    return untilStopped(ctx);
  });
  await settled();
  fail(process.store);
  ending.finish("value");
  chatting.finish();
  running.ctx.emit("decided");
  await settled();
  expect(ending.handle.status).toBe("succeeded");
  const inside = given(run);
  return { ...process, running, ended: ending.handle, chat, caller, within: (call) => inside.runInAsyncScope(call) };
}

const LIMIT = 100;
/** Longer than the pause between two tries of a store that fails. */
const LONG = 10_000;

interface Limits {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** Each call that takes a limit, on answers that are decided and not stored, and what the passed limit gives. */
const limited: readonly (readonly [string, (stage: Stage, limits: Limits) => Promise<unknown>, unknown])[] = [
  ["outcome() of an end", ({ ended }, limits) => ended.outcome(limits), undefined],
  ["outcome() of a running task", ({ running }, limits) => running.handle.outcome(limits), undefined],
  ["outcome() in a task", ({ within, ended }, limits) => within(() => ended.outcome(limits)), undefined],
  [
    "awaitTasks() of an end",
    ({ manager, ended }, limits) => reasonOf(manager.awaitTasks([ended], limits)),
    "timeout 1",
  ],
  [
    "awaitTasks() of an end that comes meanwhile",
    ({ manager, running }, limits) => {
      const awaited = manager.awaitTasks([running.handle], limits);
      running.finish("done");
      return reasonOf(awaited);
    },
    "timeout 1",
  ],
  [
    "awaitTasks() that returns on a request",
    ({ manager, running }, limits) => {
      const awaited = manager.awaitTasks([running.handle], { ...limits, stopOnRequest: true });
      void running.ctx.ask({ question: "Which?" }).catch(() => {});
      return reasonOf(awaited);
    },
    "timeout 1",
  ],
  [
    "receive() of a message that is there",
    ({ running }, limits) => {
      void running.handle.send("hello");
      return running.ctx.receive(limits);
    },
    undefined,
  ],
  [
    "receive() of a message that comes",
    ({ running }, limits) => {
      const received = running.ctx.receive(limits);
      void running.handle.send("hello");
      return received;
    },
    undefined,
  ],
  ["nextNotices() of an end", ({ chat }, limits) => chat.nextNotices(limits).then((batch) => batch?.notices.length), 0],
];

/** Those that take a signal alone. */
const signalled: typeof limited = [
  ["result()", ({ ended }, limits) => ended.result(limits), undefined],
  ["cancel()", ({ ended }, { signal }) => ended.cancel("enough", { signal }), undefined],
  ["cancelAll()", ({ manager }, { signal }) => manager.cancelAll({}, "enough", { signal }), undefined],
  ["a step of outcomes()", ({ manager, ended }, limits) => take(manager.outcomes([ended], limits), 1), undefined],
  ["room()", ({ manager }, limits) => manager.room(limits), undefined],
  [
    "idle()",
    ({ manager }, limits) => {
      void manager.cancelAll();
      return manager.idle(limits);
    },
    undefined,
  ],
  [
    "ask() of a question that was answered before",
    async ({ manager, running }, { signal }) => {
      const ask = () => running.ctx.ask({ question: "Which?", key: "k", signal });
      void ask().catch(() => {});
      const [request] = manager.inbox.list();
      void manager.inbox.answer(given(request).id, "this", { by: "ann" });
      await settled();
      return ask();
    },
    undefined,
  ],
];

describe.each(outages)("W2 while the store %s,", (_outage, fail) => {
  test.each(limited)("a passed limit ends %s", async (_what, call, expected) => {
    const set = await stage(fail);
    const answer = call(set, { timeoutMs: LIMIT });
    await settled();
    expect(await peek(answer)).toEqual({ is: "pending" });
    await set.pass(LIMIT);
    expect(await peek(answer)).toEqual({ is: "fulfilled", value: expected });
  });

  test.each(limited)("a limit of 0 ends %s at once", async (_what, call, expected) => {
    const set = await stage(fail);
    expect(await peek(call(set, { timeoutMs: 0 }))).toEqual({ is: "fulfilled", value: expected });
  });

  test.each([...limited, ...signalled])("an aborted signal ends %s", async (_what, call) => {
    const set = await stage(fail);
    const controller = new AbortController();
    const answer = call(set, { signal: controller.signal });
    await settled(20);
    controller.abort("enough");
    expect(await peek(answer)).toEqual({ is: "rejected", error: "enough" });
  });

  test("a stop ends what a task was about to read (C3)", async () => {
    const set = await stage(fail);
    const reading = set.within(() => set.ended.outcome());
    expect((await peek(reading)).is).toBe("pending");
    void set.caller.cancel("enough");
    expect(await peek(reading)).toMatchObject({ is: "rejected", error: { code: "TASK_CANCELLED" } });
  });

  test("what a passed limit did not deliver is delivered later: a message, an outcome, its notice", async () => {
    const set = await stage(fail);
    void set.running.handle.send("hello");
    const received = set.running.ctx.receive({ timeoutMs: 1 });
    const read = set.ended.outcome({ timeoutMs: 1 });
    await set.pass(1);
    expect(await Promise.all([received, read])).toEqual([undefined, undefined]);
    set.store.failure = undefined;
    set.store.letThrough();
    await set.pass(60_000);
    expect((await set.running.ctx.receive())?.content).toEqual([{ type: "text", text: "hello" }]);
    expect(await set.ended.outcome()).toMatchObject({ status: "succeeded", value: "value" });
    expect((await set.chat.nextNotices({ timeoutMs: 0 }))?.notices).toMatchObject([
      { type: "task.succeeded", taskId: "chatting" },
    ]);
  });

  test.each([true, false])(
    "a limit that passes while the task waits for its slot counts once more: recovers %s",
    async (recovers) => {
      const { manager, store, pass } = await started({ concurrency: 1 });
      const place: { read?: Promise<unknown>; awaited?: Held<string> } = {};
      manager.spawn(() => {
        place.awaited = hold<string>(manager, { root: true });
        place.read = place.awaited.handle.outcome({ timeoutMs: LONG });
        return place.read;
      });
      await settled();
      const ahead = hold(manager, { priority: 1_000 });
      await settled();
      fail(store);
      given(place.awaited).finish("value");
      await settled();
      expect(ahead.handle.status).toBe("running");
      await pass(LONG);
      ahead.finish();
      await settled();
      const read = given(place.read);
      expect(await peek(read)).toEqual({ is: "pending" });
      if (recovers) {
        store.failure = undefined;
        store.letThrough();
        await pass(LONG - 1);
        expect(await peek(read)).toMatchObject({ is: "fulfilled", value: { value: "value" } });
      } else {
        await pass(LONG);
        expect(await peek(read)).toEqual({ is: "fulfilled", value: undefined });
      }
    },
  );

  test("a program that polls leaves nothing behind", async () => {
    const set = await stage(fail);
    for (let n = 0; n < 50; n++) {
      const polled = set.ended.outcome({ timeoutMs: 1 });
      await set.pass(1);
      expect(await polled).toBeUndefined();
    }
    set.store.failure = undefined;
    set.store.letThrough();
    await set.pass(60_000);
    expect(await set.ended.result()).toBe("value");
  });

  test("the tools that read answer, and those that act say that the store accepts no writes", async () => {
    const set = await stage(fail);
    const calls: Record<string, object> = {
      list_tasks: {},
      get_task: { task_id: "chatting" },
      await_tasks: { task_ids: ["chatting"], timeout_ms: 10 },
      cancel_task: { task_id: "chatting", wait_ms: 10 },
      message_task: { task_id: "asked", message: "hello" },
    };
    for (const tool of set.chat.tools()) {
      const { name } = tool;
      const input = calls[name];
      if (input === undefined) continue;
      const answer = tool.execute(input);
      await settled();
      await set.pass(10);
      await set.pass(5_000);
      const seen = await peek(answer);
      expect(seen).toMatchObject({ is: "fulfilled" });
      if (["cancel_task", "message_task"].includes(name))
        expect(seen).toMatchObject({ value: { error: /store accepts no writes/ } });
      else expect(seen).not.toHaveProperty("value.error");
    }
  });
});

describe("D1 while the store fails,", () => {
  test("history() gives what is stored", async () => {
    const set = await stage((store) => (store.failure = new Error("ENOSPC")));
    const seen = await peek(set.running.handle.history());
    expect(seen.is === "fulfilled" && seen.value.map(({ type }) => type)).toEqual(["task.created", "task.started"]);
  });
});

describe("C5 no promise of storage ends the process:", () => {
  test("post, checkpoint, send and ack that are not awaited, when the manager closes", async () => {
    const rejections = await unhandled(async () => {
      const set = await stage((store) => (store.failure = new Error("ENOSPC")));
      const { running, manager } = set;
      void running.ctx.post("left");
      void running.ctx.checkpoint(1);
      void running.handle.send("left");
      const closing = manager.close({ graceMs: 10 });
      await settled();
      await set.pass(10);
      await set.pass(10);
      await set.pass(1_000);
      await closing;
      void running.ctx.post("late");
      void running.ctx.checkpoint(2);
      await settled();
    });
    expect(rejections).toEqual([]);
  });

  test("a caught result() of a failed task, in a turn in which something else was decided", async () => {
    const rejections = await unhandled(async () => {
      const process = await started();
      const failed = process.manager.spawn(() => Promise.reject(new Error("no such page")));
      await failed.outcome();
      process.manager.spawn(() => "other work");
      const [one] = await Promise.allSettled([failed.result()]);
      expect(one).toMatchObject({ status: "rejected", reason: { code: "TASK_OUTCOME" } });
      process.manager.spawn(() => "other work");
      const step = process.manager.outcomes([failed])[Symbol.asyncIterator]().next();
      expect((await step).value).toMatchObject({ status: "failed" });
      await process.manager.close();
    });
    expect(rejections).toEqual([]);
  });

  test("a schema that rejects after the manager was closed", async () => {
    const rejections = await unhandled(async () => {
      let refuse: (error: Error) => void = () => {};
      const clock = manualClock();
      const manager = new TaskManager({ clock });
      let context: TaskContext | undefined;
      manager.spawn((ctx) => ((context = ctx), ctx.receive()));
      await settled();
      const schema = {
        "~standard": {
          version: 1 as const,
          vendor: "test",
          validate: (): Promise<{ value: string }> => new Promise((_, reject) => (refuse = reject)),
        },
      };
      given(context)
        .ask({ question: "Which?", schema })
        .catch(() => {});
      const [request] = manager.inbox.list();
      const answered = manager.inbox.answer(given(request).id, "this", { by: "ann" }).catch(() => {});
      const closing = manager.close({ graceMs: 0 });
      await settled();
      await clock.advance(0);
      await closing;
      await answered;
      refuse(new Error("too late"));
      await settled();
    });
    expect(rejections).toEqual([]);
  });
});

async function reasonOf(awaited: Promise<AwaitResult<readonly TaskHandle[]>>): Promise<string> {
  const { reason, pending } = await awaited;
  return `${reason} ${pending.length}`;
}
