// A task that is tried again (§10, C1, C6, H7, S2, S3, A3, L8): what is, how often, after how long, and what is left of the attempt before.

import {
  isErrandError,
  type RetryOptions,
  type SpawnOptions,
  type TaskContext,
  type TaskEvent,
  TaskManager,
} from "errand";
import { manualClock, simulate } from "errand/testing";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { defineKind } from "../../../lib/index.js";
import { allFree, deferred, facts, peek, settled, slots, unhandled } from "../../support/basics.js";
import {
  deaf,
  errandError,
  given,
  isEnd,
  refusalOf,
  refused,
  typesOf,
  untilStopped,
  world,
} from "../../support/program.js";

const FOREVER = { retention: { ttlMs: Number.POSITIVE_INFINITY } } as const;
/** 10 ms before each attempt. */
const EVEN = { backoffMs: 10, factor: 1, jitter: false } as const;
const twice: RetryOptions = { ...EVEN, maxAttempts: 2 };

function retrying(options: ConstructorParameters<typeof TaskManager>[0] = {}) {
  const made = world({ ...FOREVER, ...options });
  return { ...made, told: facts(made.manager) };
}

/** What each attempt of a task does. */
function attempts<T>(...each: readonly ((ctx: TaskContext) => T | Promise<T>)[]): (ctx: TaskContext) => T | Promise<T> {
  return (ctx) => {
    const run = each[ctx.attempt - 1];
    if (run === undefined) throw new Error(`no attempt ${ctx.attempt} was expected`);
    return run(ctx);
  };
}
const fails = (): never => {
  throw new Error("no");
};
const eventsOf = (told: readonly TaskEvent[], taskId: string) =>
  told.filter((event) => event.taskId === taskId).map(({ type, attempt }) => `${type.replace("task.", "")} ${attempt}`);

// ── what, how often, how long ──────────────────────────────────────────────

describe("C1 what is tried again", () => {
  const output = {
    "~standard": {
      version: 1 as const,
      vendor: "test",
      validate: (value: unknown) => (typeof value === "number" ? { value } : { issues: [{ message: "no number" }] }),
    },
  };
  const wrong = defineKind<unknown, undefined, undefined, number>({ name: "wrong", output, run: () => "text" });
  const nothing = defineKind<unknown, undefined, undefined, number>({ name: "nothing", output, run: () => undefined });

  test.each<[string, SpawnOptions, (ctx: TaskContext) => unknown, isTried: boolean]>([
    ["error", {}, fails, true],
    ["error", {}, () => Promise.reject(new Error("no")), true],
    ["error", {}, () => Promise.reject(undefined), true],
    ["timeout", { timeoutMs: 5 }, untilStopped, true],
    ["timeout", { timeoutMs: 5, graceMs: 5 }, deaf, true],
    ["timeout", { timeoutMs: 5 }, (ctx) => untilStopped(ctx).catch(() => "late"), true],
    ["stalled", { stallTimeoutMs: 5 }, untilStopped, true],
    ["total_timeout", { totalTimeoutMs: 5 }, untilStopped, false],
    ["rejected", {}, (ctx) => ctx.approve("May I?"), false],
    ["budget_exceeded", { budget: { tokens: 1 } }, (ctx) => ctx.reportUsage({ inputTokens: 2 }), false],
  ])("%s", async (code, options, run, isTried) => {
    const { manager, pass } = retrying();
    let runs = 0;
    const task = manager.spawn(
      (ctx) => {
        runs++;
        return run(ctx);
      },
      { ...options, retry: twice },
    );
    await settled();
    for (const request of manager.inbox.list()) await manager.inbox.reject(request.id, "no", { by: "ann" });
    for (let n = 0; n < 8; n++) await pass(5);
    for (const request of manager.inbox.list()) await manager.inbox.reject(request.id, "no", { by: "ann" });
    expect(await peek(task.outcome())).toMatchObject({ value: { status: "failed", error: { code } } });
    expect([runs, task.record.attempt]).toEqual(isTried ? [2, 2] : [1, 1]);
    allFree(manager);
  });

  test.each([wrong, nothing])("a result that its kind does not promise is not: $name", async (kind) => {
    const { manager } = retrying({ kinds: [kind] });
    const task = manager.spawn(kind, { retry: twice });
    expect(await peek(task.outcome())).toMatchObject({ value: { status: "failed" } });
    expect(task.record.attempt).toBe(1);
  });

  test("a return, a cancel and a close are not", async () => {
    const { manager, clock } = retrying();
    const done = manager.spawn(() => 1, { retry: twice });
    const cancelled = manager.spawn(untilStopped, { retry: twice });
    const stopped = manager.spawn(untilStopped, { retry: twice });
    const queued = manager.spawn(fails, { retry: twice });
    void queued.cancel();
    await settled();
    void cancelled.cancel();
    await settled();
    await manager.close();
    expect([done, cancelled, stopped, queued].map(({ record }) => [record.status, record.attempt])).toEqual([
      ["succeeded", 1],
      ["cancelled", 1],
      ["interrupted", 1],
      ["cancelled", 1],
    ]);
    expect(clock.nextAt).toBeUndefined();
  });

  test("a failure of a task that a cancel reached first is cancelled, and not tried again", async () => {
    const { manager, clock } = retrying();
    const task = manager.spawn((ctx) => untilStopped(ctx).catch(fails), { retry: twice });
    await settled();
    void task.cancel();
    expect(await peek(task.outcome())).toMatchObject({ value: { status: "cancelled", cause: { message: "no" } } });
    expect(clock.nextAt).toBeUndefined();
  });
});

describe("maxAttempts", () => {
  test.each([1, 2, 5])("%s is how often it runs in all", async (maxAttempts) => {
    const { manager, pass, told } = retrying();
    const seen: number[] = [];
    const task = manager.spawn(
      (ctx) => {
        seen.push(ctx.attempt);
        throw new Error(`attempt ${ctx.attempt}`);
      },
      { retry: { ...EVEN, maxAttempts } },
    );
    for (let n = 0; n < 8; n++) await pass(10);
    expect(seen).toEqual(Array.from({ length: maxAttempts }, (_, n) => n + 1));
    expect(await peek(task.outcome())).toMatchObject({ value: { error: { message: `attempt ${maxAttempts}` } } });
    expect(told.filter(isEnd)).toHaveLength(1);
    const failure = await refusalOf(() => task.result());
    expect(errandError(failure, "TASK_OUTCOME").cause).toMatchObject({ message: `attempt ${maxAttempts}` });
  });

  test("stops at the first that succeeds, and a wait from before gives that one's value", async () => {
    const { manager, pass, told } = retrying();
    const task = manager.spawn(
      attempts<string>(fails, fails, () => "third"),
      { retry: { ...EVEN, maxAttempts: 9 } },
    );
    const result = task.result();
    await pass(9);
    expect((await peek(result)).is).toBe("pending");
    await pass(20);
    expect(await peek(result)).toEqual({ is: "fulfilled", value: "third" });
    expect(eventsOf(told, task.id)).toEqual([
      "created 1",
      "started 1",
      "retried 2",
      "started 2",
      "retried 3",
      "started 3",
      "succeeded 3",
    ]);
    expect(task.record).toMatchObject({ attempt: 3, status: "succeeded" });
    expect(task.record).not.toHaveProperty("error");
    expect(task.record).not.toHaveProperty("notBeforeAt");
  });

  test("Infinity tries for ever, and a cancel ends that", async () => {
    const { manager, pass, clock } = retrying();
    const task = manager.spawn(fails, { retry: { ...EVEN, maxAttempts: Number.POSITIVE_INFINITY } });
    await pass(1_000);
    expect(task.record.attempt).toBe(102);
    void task.cancel();
    await settled();
    expect([task.status, clock.nextAt]).toEqual(["cancelled", undefined]);
  });
});

describe("the pause before an attempt", () => {
  test("is backoffMs, times factor for each one after the first", async () => {
    const { manager, clock, pass, told } = retrying();
    manager.spawn(fails, { retry: { maxAttempts: 5, backoffMs: 100, factor: 3, jitter: false } });
    for (let n = 0; n < 50; n++) await pass(100);
    const starts = told.filter(({ type }) => type === "task.started").map(({ at }) => at);
    expect(starts).toEqual([0, 100, 400, 1_300, 4_000]);
    expect(clock.nextAt).toBeUndefined();
  });

  test("is 1 000 ms and twice as long each time, without an option", async () => {
    const { manager, pass, told } = retrying();
    manager.spawn(fails, { retry: { maxAttempts: 4, jitter: false } });
    for (let n = 0; n < 10; n++) await pass(1_000);
    expect(told.filter(({ type }) => type === "task.started").map(({ at }) => at)).toEqual([0, 1_000, 3_000, 7_000]);
  });

  test("with jitter is between half and all of it, and not always the same", async () => {
    const { manager, told } = retrying();
    for (let n = 0; n < 200; n++) manager.spawn(fails, { retry: { maxAttempts: 2, backoffMs: 1_000 } });
    await settled();
    const pauses = told.flatMap((event) => (event.type === "task.retried" ? [event.notBeforeAt - event.at] : []));
    expect(pauses).toHaveLength(200);
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(500);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(1_000);
    expect(new Set(pauses).size).toBeGreaterThan(20);
  });

  test("with jitter is the same in each run of a simulation with the same seed", async () => {
    const run = () =>
      simulate(
        async ({ manager, clock }) => {
          await manager.spawn(fails, { retry: { maxAttempts: 5, backoffMs: 1_000_000 } }).outcome();
          return clock.now();
        },
        { seed: 7 },
      );
    expect(await run()).toBe(await run());
  });

  test("of 0 ms starts again in a later turn, and leaves others their turn", async () => {
    const { manager, pass } = retrying({ concurrency: 1 });
    const order: string[] = [];
    const task = manager.spawn(
      (ctx) => {
        order.push(`attempt ${ctx.attempt}`);
        throw new Error("no");
      },
      { retry: { maxAttempts: 3, backoffMs: 0 } },
    );
    manager.spawn(() => void order.push("other"));
    await pass(0);
    expect(task.status).toBe("failed");
    expect(order).toEqual(["attempt 1", "other", "attempt 2", "attempt 3"]);
  });

  test("is queued with notBeforeAt and the next attempt's number, in no line and with no slot", async () => {
    const { manager, pass } = retrying({ concurrency: 1, limits: { maxQueued: 0 } });
    const task = manager.spawn(
      attempts<number>(fails, () => 2),
      { retry: { ...twice, backoffMs: 50 } },
    );
    await settled();
    expect(task.record).toMatchObject({ status: "queued", attempt: 2, notBeforeAt: 50, blockedOn: [] });
    expect(slots(manager)).toMatchObject({ held: 0, queued: 0 });
    // Neither bound is used up by it.
    expect(await peek(manager.spawn(() => 1).result())).toMatchObject({ value: 1 });
    expect((await peek(manager.room())).is).toBe("fulfilled");
    expect((await peek(manager.idle())).is).toBe("pending");
    await pass(50);
    expect(task.record.status).toBe("succeeded");
    expect(task.record).not.toHaveProperty("notBeforeAt");
    expect((await peek(manager.idle())).is).toBe("fulfilled");
  });

  test("ends in the line: it waits there for a slot like any start, and a paused lane holds it", async () => {
    const { manager, pass } = retrying({ concurrency: 1 });
    const gate = deferred();
    const task = manager.spawn(
      attempts<number>(fails, () => 2),
      { retry: twice },
    );
    await settled();
    manager.spawn(() => gate.promise);
    await settled();
    manager.pause();
    await pass(10);
    expect([task.status, slots(manager).queued]).toEqual(["queued", 1]);
    gate.resolve();
    await settled();
    expect(task.status).toBe("queued");
    manager.resume();
    expect(await peek(task.result())).toMatchObject({ value: 2 });
    allFree(manager);
  });

  const ends: readonly [
    string,
    (given: ReturnType<typeof retrying> & { readonly id: string; readonly over: AbortController }) => unknown,
    string,
  ][] = [
    ["a cancel", ({ manager, id }) => manager.get(id)?.cancel("enough"), "cancelled"],
    ["cancelAll", ({ manager }) => manager.cancelAll(), "cancelled"],
    ["the signal given to spawn", ({ over }) => over.abort(new Error("enough")), "cancelled"],
    ["totalTimeoutMs", ({ pass }) => pass(95), "failed"],
    ["a close", ({ manager }) => manager.close(), "interrupted"],
  ];
  test.each(ends)("is ended at once by %s, and leaves no timer", async (_what, end, status) => {
    const made = retrying();
    const over = new AbortController();
    const task = made.manager.spawn(fails, {
      retry: { ...twice, backoffMs: 1_000 },
      totalTimeoutMs: 100,
      timeoutMs: 50,
      stallTimeoutMs: 50,
      signal: over.signal,
    });
    await made.pass(5);
    expect(task.status).toBe("queued");
    const ended = end({ ...made, id: task.id, over });
    await new Promise(setImmediate);
    await ended;
    expect(task.status).toBe(status);
    expect(made.clock.nextAt).toBeUndefined();
    allFree(made.manager);
    await made.pass(2_000);
    expect([task.record.attempt, made.told.filter(isEnd).length]).toEqual([2, 1]);
  });

  test("is ended with its parent's: a sweep reaches it (H2)", async () => {
    const { manager, clock } = retrying();
    const parent = manager.spawn(async (ctx) => {
      ctx.spawn(fails, { id: "child", retry: { ...twice, backoffMs: 1_000 } });
      return untilStopped(ctx);
    });
    await settled();
    void parent.cancel("enough");
    await settled();
    expect(manager.get("child")?.record).toMatchObject({ status: "cancelled", reason: "enough", attempt: 2 });
    expect([parent.status, clock.nextAt]).toEqual(["cancelled", undefined]);
  });

  test("keeps its parent waiting (H1), and every wait for it", async () => {
    const { manager, pass } = retrying({ concurrency: 1 });
    const parent = manager.spawn(async (ctx) => {
      const child = ctx.spawn(
        attempts<number>(fails, () => 2),
        { retry: twice },
      );
      void ctx.spawn(
        attempts<number>(fails, () => 3),
        { retry: twice },
      );
      return child.result();
    });
    await settled();
    expect(parent.status).toBe("blocked");
    await pass(10);
    expect(await peek(parent.result())).toMatchObject({ value: 2 });
    allFree(manager);
  });
});

describe("retryIf", () => {
  const withIf = async (retryIf: NonNullable<RetryOptions["retryIf"]>, run: (ctx: TaskContext) => unknown = fails) => {
    const warned: string[] = [];
    const logger = {
      warn: (message: string) => void warned.push(message),
      error: () => undefined,
      info: () => undefined,
      debug: () => undefined,
    };
    const made = retrying({ logger });
    const task = made.manager.spawn(run, { retry: { ...EVEN, maxAttempts: 3, retryIf } });
    await settled();
    return { ...made, task, warned };
  };

  test("is asked with the failure and the number of the attempt that failed, and not for the last", async () => {
    const asked: unknown[] = [];
    const { pass } = await withIf(
      (error, attempt) => asked.push([error.code, error.message, error.cause instanceof Error, attempt]) > 0,
    );
    for (let n = 0; n < 4; n++) await pass(10);
    expect(asked).toEqual([
      ["error", "no", true, 1],
      ["error", "no", true, 2],
    ]);
  });

  test("false ends it with the failure", async () => {
    const { task, clock } = await withIf(() => false);
    expect(await peek(task.outcome())).toMatchObject({ value: { error: { code: "error", message: "no" } } });
    expect([task.record.attempt, clock.nextAt]).toEqual([1, undefined]);
  });

  test("a throw ends it with the failure, and is reported to the logger", async () => {
    const { task, warned } = await withIf(() => {
      throw new Error("hm");
    });
    expect(await peek(task.outcome())).toMatchObject({ value: { error: { message: "no" } } });
    expect(warned).toHaveLength(1);
  });

  test("runs outside of any task: what it spawns has no parent (§4)", async () => {
    const { manager, pass } = retrying();
    const task = manager.spawn(fails, {
      retry: { ...twice, retryIf: () => manager.spawn(() => 1, { id: "aside" }).id === "aside" },
    });
    await pass(10);
    expect(manager.get("aside")?.record).not.toHaveProperty("parentId");
    expect(task.record).toMatchObject({ status: "failed", attempt: 2 });
  });

  test.each<[string, (manager: TaskManager, id: string) => unknown, string]>([
    ["cancels the task itself", (manager, id) => manager.get(id)?.cancel("enough"), "cancelled"],
    ["cancels everything", (manager) => manager.cancelAll({}, "enough"), "cancelled"],
    ["closes the manager", (manager) => manager.close(), "interrupted"],
  ])("that %s decides the outcome, whatever it says", async (_what, act, status) => {
    for (const says of [true, false]) {
      const { manager, clock, told } = retrying();
      const acts: unknown[] = [];
      const task = manager.spawn(fails, {
        retry: {
          ...twice,
          retryIf: () => {
            acts.push(act(manager, task.id));
            return says;
          },
        },
      });
      await settled();
      await Promise.all(acts);
      expect([task.status, task.record.attempt, clock.nextAt]).toEqual([status, 1, undefined]);
      expect(told.filter(isEnd)).toHaveLength(1);
    }
  });

  test("is asked of an abandoned attempt too, once", async () => {
    let asked = 0;
    const { manager, pass } = retrying({ graceMs: 5 });
    const task = manager.spawn(deaf, { timeoutMs: 5, retry: { ...EVEN, maxAttempts: 3, retryIf: () => ++asked < 2 } });
    for (let n = 0; n < 10; n++) await pass(5);
    expect([asked, task.status, task.record.attempt]).toEqual([2, "failed", 2]);
    expect(manager.stats().abandoned).toBe(2);
  });

  test("of a spawn wins over its kind's, and the kind's is used where a spawn says nothing", async () => {
    const kind = defineKind({ name: "shaky", retry: { ...EVEN, maxAttempts: 3 }, run: () => fails() });
    const { manager, pass } = retrying({ kinds: [kind] });
    const runs = [
      manager.spawn(kind),
      manager.spawn("shaky"),
      manager.spawn(kind, { retry: { maxAttempts: 1 } }),
      manager.spawn(kind, { retry: { ...EVEN, maxAttempts: 5 } }),
      manager.spawn(kind, { retry: { ...EVEN, maxAttempts: 5, retryIf: () => false } }),
      manager.spawn(kind, { retry: undefined }),
    ];
    for (let n = 0; n < 8; n++) await pass(10);
    expect(runs.map(({ record }) => [record.status, record.attempt])).toEqual([
      ["failed", 3],
      ["failed", 3],
      ["failed", 1],
      ["failed", 5],
      ["failed", 1],
      ["failed", 3],
    ]);
  });

  test("of a kind that is spawned by value, and not registered, counts too", async () => {
    const kind = defineKind({ name: "loose", retry: { ...EVEN, maxAttempts: 2 }, run: () => fails() });
    const { manager, pass } = retrying();
    const task = manager.spawn(kind);
    await pass(10);
    expect(task.record.attempt).toBe(2);
  });
});

// ── the attempt before ─────────────────────────────────────────────────────

describe("S2 an attempt that failed", () => {
  /** A task whose first attempt failed and left its context, while the second runs. */
  async function superseded(
    options: SpawnOptions = {},
    first: (ctx: TaskContext) => Promise<unknown> = async () => fails(),
  ) {
    const made = retrying({ graceMs: 5 });
    const contexts: TaskContext[] = [];
    const gate = deferred<string>();
    const task = made.manager.spawn(
      (ctx) => {
        contexts.push(ctx);
        return ctx.attempt === 1 ? first(ctx) : Promise.race([gate.promise, untilStopped(ctx)]);
      },
      { retry: twice, ...options },
    );
    for (let n = 0; n < 60 && contexts.length < 2; n++) await made.pass(1);
    expect(task.record).toMatchObject({ status: "running", attempt: 2 });
    return { ...made, task, old: given(contexts[0]), now: given(contexts[1]), gate };
  }

  const writes: readonly [string, (ctx: TaskContext) => unknown][] = [
    ["progress", (ctx) => ctx.progress({ current: 9 })],
    ["summary", (ctx) => ctx.summary("old")],
    ["emit", (ctx) => ctx.emit("old")],
    ["post", (ctx) => ctx.post("old")],
    ["reportUsage", (ctx) => ctx.reportUsage({ inputTokens: 1e9 })],
    ["artifact", (ctx) => ctx.artifact({ name: "old", type: "text/plain", data: "old" })],
    ["link", (ctx) => ctx.link({ remoteTaskId: "old" })],
    ["heartbeat", (ctx) => ctx.heartbeat()],
    ["checkpoint", (ctx) => ctx.checkpoint("old")],
    ["output", (ctx) => ctx.output("stdout", "old")],
  ];
  test.each(writes)("writes nothing any more, and is counted: %s", async (_what, write) => {
    for (const isAbandoned of [false, true]) {
      const made = isAbandoned ? await superseded({ timeoutMs: 5 }, deaf) : await superseded();
      const { manager, task, told, old } = made;
      const [before, events, dropped] = [task.record, told.length, manager.stats().droppedWrites];
      await superseding(async () => write(old));
      await settled();
      expect(task.record).toBe(before);
      expect([told.length, manager.stats().droppedWrites]).toEqual([events, dropped + 1]);
      expect([task.messages(), task.output().text]).toEqual([[], ""]);
    }
  });

  /** What promises storage rejects (S2); other writes are silent. */
  async function superseding(write: () => Promise<unknown>): Promise<void> {
    try {
      await write();
    } catch (error) {
      expect(isErrandError(error, "SCOPE_CANCELLED")).toBe(true);
    }
  }

  test.each(["post", "checkpoint"] as const)("promises no storage: %s rejects in a later macrotask", async (verb) => {
    for (const isAbandoned of [false, true]) {
      const { old } = await (isAbandoned ? superseded({ timeoutMs: 5 }, deaf) : superseded());
      let isRejected = false;
      const written = old[verb]("old").catch((error: unknown) => {
        isRejected = isErrandError(error, "SCOPE_CANCELLED");
      });
      for (let n = 0; n < 5; n++) await Promise.resolve();
      // A loop that swallows the error cannot freeze the process (C3).
      expect(isRejected).toBe(false);
      await written;
      expect(isRejected).toBe(true);
    }
  });

  test("keeps no sign of life for the next one", async () => {
    const { task, old, pass } = await superseded({ stallTimeoutMs: 20, retry: { ...twice, backoffMs: 1 } });
    for (let n = 0; n < 5; n++) {
      old.heartbeat();
      old.output("stdout", "still there");
      await superseding(() => old.post("still there"));
      old.progress({ current: n });
      await pass(5);
    }
    expect(task.record).toMatchObject({ status: "failed", error: { code: "stalled" } });
  });

  const refusals: readonly [string, (ctx: TaskContext, manager: TaskManager) => unknown][] = [
    ["ctx.spawn", (ctx) => ctx.spawn(() => 1)],
    ["a wait", (ctx) => ctx.sleep(1)],
    ["receive", (ctx) => ctx.receive()],
    ["ask", (ctx) => ctx.ask({ question: "Which?" })],
    ["nextNotices", (ctx) => ctx.nextNotices()],
  ];
  test.each(refusals)("is refused %s, while the next runs and when it has succeeded", async (_what, call) => {
    const { manager, task, old, gate } = await superseded();
    expect(errandError(await refusalOf(() => call(old, manager)), "SCOPE_CANCELLED")).toBeDefined();
    gate.resolve("done");
    await settled();
    expect(task.status).toBe("succeeded");
    expect(errandError(await refusalOf(() => call(old, manager)), "SCOPE_CANCELLED")).toBeDefined();
  });

  test("H0 spawns nothing by manager.spawn either: not as a child of the next attempt, and not as a root", async () => {
    const made = retrying();
    const seen: (string | undefined)[] = [];
    const gates = [deferred(), deferred(), deferred()];
    const task = made.manager.spawn(
      (ctx) => {
        if (ctx.attempt === 2) return gates[2]?.promise;
        for (const [n, { promise }] of gates.slice(0, 2).entries()) {
          void promise.then(() => {
            try {
              seen[n] = made.manager.spawn(() => 1).record.parentId ?? "nobody's";
            } catch (error) {
              seen[n] = isErrandError(error) ? error.code : String(error);
            }
          });
        }
        throw new Error("no");
      },
      { retry: twice },
    );
    await made.pass(10);
    gates[0]?.resolve();
    await settled();
    gates[2]?.resolve();
    await settled();
    expect(task.status).toBe("succeeded");
    gates[1]?.resolve();
    await settled();
    expect(seen).toEqual(["SCOPE_CANCELLED", "SCOPE_CANCELLED"]);
  });

  test("that was stopped stays stopped: its signal, isCancelled and cancelled() say so for ever", async () => {
    const { old, now, task } = await superseded({ timeoutMs: 5, retry: { ...twice, backoffMs: 1 } }, deaf);
    expect([old.isCancelled, now.isCancelled]).toEqual([true, false]);
    // Read for the first time only now.
    expect([old.signal.aborted, now.signal.aborted]).toEqual([true, false]);
    expect(old.signal.reason).toMatchObject({ name: "AbortError", code: "TASK_CANCELLED", reason: "timeout" });
    expect((await peek(old.cancelled())).is).toBe("fulfilled");
    void task.cancel("enough");
    await settled();
    expect(now.signal.reason).toMatchObject({ reason: "enough" });
    expect(old.signal.reason).toMatchObject({ reason: "timeout" });
  });

  test("that was not stopped does not look stopped by what stops the next", async () => {
    const { old, now, task } = await superseded();
    void task.cancel("enough");
    await settled();
    expect([old.isCancelled, old.signal.aborted, now.isCancelled, now.signal.aborted]).toEqual([
      false,
      false,
      true,
      true,
    ]);
    expect((await peek(old.cancelled())).is).toBe("pending");
  });

  test("says its own number, and the record is the task's", async () => {
    const { old, now } = await superseded();
    expect([old.attempt, now.attempt, old.record.attempt]).toEqual([1, 2, 2]);
  });

  test("has left none of its waits: neither what it waited for nor what it left pending wakes anybody", async () => {
    const { manager, pass, told } = retrying({ concurrency: 1 });
    const errors: unknown[] = [];
    const task = manager.spawn(
      attempts<unknown>(
        (ctx) => {
          for (const wait of [ctx.sleep(5), ctx.receive(), ctx.ask({ question: "Which?" }), ctx.sleep(1e6)])
            wait.catch((error: unknown) => errors.push(error));
          throw new Error("no");
        },
        () => deaf(),
      ),
      { retry: twice },
    );
    await settled();
    expect(errors.map((error) => isErrandError(error, "SCOPE_CANCELLED"))).toEqual([true, true, true, true]);
    await pass(10);
    expect(task.record).toMatchObject({ status: "running", blockedOn: [] });
    expect(typesOf(told, task.id)).not.toContain("task.resumed");
    expect(slots(manager).held).toBe(1);
  });
});

describe("S3, §8 what a task keeps over its attempts", () => {
  test("startedAt is the first start; usage adds up; progress, artifacts and the checkpoint stay", async () => {
    const { manager, pass } = retrying();
    const seen: unknown[] = [];
    const task = manager.spawn(
      async (ctx) => {
        seen.push([ctx.lastCheckpoint, ctx.record.summary, ctx.record.usage.inputTokens]);
        ctx.reportUsage({ inputTokens: 5, costUsd: 0.25 });
        ctx.summary(`attempt ${ctx.attempt}`);
        ctx.artifact({ name: "log", type: "text/plain", data: String(ctx.attempt) });
        await ctx.checkpoint(ctx.attempt);
        if (ctx.attempt < 3) fails();
      },
      { retry: { ...EVEN, maxAttempts: 3 } },
    );
    await pass(7);
    expect(task.record.startedAt).toBe(0);
    await pass(20);
    expect(seen).toEqual([
      [undefined, undefined, 0],
      [1, "attempt 1", 5],
      [2, "attempt 2", 10],
    ]);
    expect(task.record).toMatchObject({
      startedAt: 0,
      finishedAt: 20,
      usage: { inputTokens: 15, costUsd: 0.75, tasks: 1 },
      summary: "attempt 3",
    });
    expect(task.record.artifacts).toHaveLength(3);
  });

  test("unread messages are the next attempt's, those that were read are not, and all are listed", async () => {
    const { manager, pass } = retrying();
    const task = manager.spawn(
      attempts<unknown>(
        async (ctx) => {
          await ctx.receive();
          fails();
        },
        async (ctx) => {
          const seen: unknown[] = [];
          for (;;) {
            const message = await ctx.receive({ timeoutMs: 1 });
            if (message === undefined) return seen;
            seen.push(...message.content.map((part) => (part.type === "text" ? part.text : part.data)));
          }
        },
      ),
      { retry: twice },
    );
    await settled();
    await task.send("one");
    await settled();
    await task.send("two, in the pause");
    await pass(5);
    await task.send("three, in the pause");
    for (let n = 0; n < 10; n++) await pass(1);
    expect(await peek(task.result())).toMatchObject({ value: ["two, in the pause", "three, in the pause"] });
    expect(task.messages()).toHaveLength(3);
  });

  test("a message that a wait had and did not give, because its attempt failed first, is the next one's", async () => {
    // The wait has its message and stands in line for a slot, while code beside it throws.
    const { manager, pass } = retrying({ concurrency: 1 });
    const [beside, rival] = [deferred(), deferred()];
    const task = manager.spawn(
      attempts<unknown>(
        (ctx) => Promise.race([ctx.receive(), beside.promise]),
        (ctx) => ctx.receive({ timeoutMs: 1 }).then((message) => message?.content),
      ),
      { retry: twice },
    );
    await settled();
    manager.spawn(() => rival.promise);
    await settled();
    await task.send("hello");
    expect(task.record.blockedOn).toEqual([{ on: "slot" }]);
    beside.reject(new Error("no"));
    await settled();
    rival.resolve();
    for (let n = 0; n < 12; n++) await pass(1);
    expect(await peek(task.result())).toMatchObject({ value: [{ type: "text", text: "hello" }] });
  });

  test("A3 a question with a key stays open over attempts, answered in the pause or not; one without is withdrawn", async () => {
    for (const answeredIn of ["the first", "the pause", "the second"]) {
      const { manager, pass, told } = retrying();
      const gate = deferred();
      const task = manager.spawn(
        attempts<unknown>(
          async (ctx) => {
            void ctx.ask({ question: "Keyed?", key: "k" }).catch(() => undefined);
            void ctx.ask({ question: "Not?" }).catch(() => undefined);
            await gate.promise;
            fails();
          },
          (ctx) => ctx.ask({ question: "Keyed?", key: "k" }),
        ),
        { retry: twice },
      );
      await settled();
      const [keyed, plain] = manager.inbox.list();
      const answer = () => manager.inbox.answer(given(keyed).id, "yes", { by: "ann" });
      if (answeredIn === "the first") await answer();
      await settled();
      gate.resolve();
      await settled();
      expect(manager.inbox.get(given(plain).id)?.status).toBe("withdrawn");
      expect(manager.inbox.get(given(keyed).id)?.status).toBe(answeredIn === "the first" ? "answered" : "open");
      if (answeredIn === "the pause") await answer();
      await pass(10);
      if (answeredIn === "the second") {
        expect(task.record.blockedOn).toEqual([{ on: "input", requestId: keyed?.id }]);
        await answer();
      }
      expect(await peek(task.result())).toMatchObject({ value: "yes" });
      expect(told.filter(({ type }) => type === "request.opened")).toHaveLength(2);
    }
  });

  test("A3 a question with a key, that the next attempts do not ask, is withdrawn with the task's end", async () => {
    const { manager, pass } = retrying();
    manager.spawn(
      attempts<unknown>(
        (ctx) => {
          void ctx.ask({ question: "Keyed?", key: "k" }).catch(() => undefined);
          fails();
        },
        () => 1,
      ),
      { retry: twice },
    );
    await settled();
    const { id } = given(manager.inbox.list()[0]);
    await pass(10);
    expect(manager.inbox.get(id)?.status).toBe("withdrawn");
  });

  test("A3 a question's own timeout goes on over the attempts", async () => {
    const { manager, pass } = retrying();
    const task = manager.spawn(
      attempts<unknown>(
        (ctx) => {
          void ctx
            .ask({ question: "Keyed?", key: "k", timeoutMs: 30, onTimeout: { default: "late" } })
            .catch(() => undefined);
          fails();
        },
        (ctx) => ctx.ask({ question: "Keyed?", key: "k", timeoutMs: 30, onTimeout: { default: "late" } }),
      ),
      { retry: twice },
    );
    await pass(29);
    expect(task.status).toBe("blocked");
    await pass(1);
    expect(await peek(task.result())).toMatchObject({ value: "late" });
  });

  test("a name stays taken, an id the same task, and a spawn's signal in force", async () => {
    const { manager, pass } = retrying();
    const over = new AbortController();
    const chat = manager.session("chat");
    const task = chat.spawn(fails, {
      name: "scout",
      id: "job",
      retry: { ...EVEN, maxAttempts: 3 },
      signal: over.signal,
    });
    await settled();
    refused(() => chat.spawn(() => 1, { name: "scout" }), "NAME_TAKEN");
    expect(chat.spawn(() => 1, { id: "job" }).id).toBe(task.id);
    await pass(10);
    over.abort(new Error("enough"));
    await settled();
    expect(task.record).toMatchObject({ status: "cancelled", reason: "enough" });
    expect(chat.spawn(() => 1, { name: "scout" }).id).toBeDefined();
  });
});

describe("C6 the times of an attempt", () => {
  test("timeoutMs is whole again for each, and counts only what runs", async () => {
    const { manager, pass, told } = retrying();
    const task = manager.spawn(
      async (ctx) => {
        await ctx.sleep(50);
        return untilStopped(ctx);
      },
      { timeoutMs: 20, retry: { ...EVEN, maxAttempts: 3 } },
    );
    for (let n = 0; n < 60; n++) await pass(5);
    expect(told.filter(({ type }) => type === "task.started").map(({ at }) => at)).toEqual([0, 80, 160]);
    expect(task.record).toMatchObject({ status: "failed", error: { code: "timeout" }, finishedAt: 230 });
  });

  test("of a first attempt that failed with most of its time used, the second has all of it", async () => {
    const { manager, clock, pass } = retrying();
    const task = manager.spawn(
      attempts<unknown>(
        () => clock.sleep(19).then(fails),
        () => clock.sleep(19).then(() => "in time"),
      ),
      { timeoutMs: 20, retry: twice },
    );
    for (let n = 0; n < 60; n++) await pass(1);
    expect(await peek(task.result())).toMatchObject({ value: "in time" });
    expect(clock.nextAt).toBeUndefined();
  });

  test("the time in the pause counts for none but totalTimeoutMs, which goes on over all attempts and sweeps what is below", async () => {
    const { manager, pass } = retrying();
    const task = manager.spawn(
      async (ctx) => {
        if (ctx.attempt === 1) fails();
        ctx.spawn(untilStopped, { id: "below" });
        return untilStopped(ctx);
      },
      { timeoutMs: 50, stallTimeoutMs: 50, totalTimeoutMs: 130, retry: { ...twice, backoffMs: 100 } },
    );
    expect(task.record.totalDeadlineAt).toBe(130);
    await pass(100);
    expect(task.record).toMatchObject({ status: "running", totalDeadlineAt: 130 });
    await pass(30);
    expect(task.record).toMatchObject({ status: "failed", error: { code: "total_timeout" }, finishedAt: 130 });
    expect(manager.get("below")?.record).toMatchObject({ status: "cancelled", reason: "total_timeout" });
  });

  test("S5 the stop of an attempt is that attempt's: the next one starts without, and can be stopped by another", async () => {
    const { manager, pass } = retrying();
    const task = manager.spawn((ctx) => untilStopped(ctx), { timeoutMs: 5, retry: twice });
    await pass(5);
    expect(task.record).toMatchObject({ status: "queued", attempt: 2 });
    expect(task.record).not.toHaveProperty("stopReason");
    await pass(10);
    void task.cancel("enough");
    await settled();
    expect(task.record).toMatchObject({ status: "cancelled", stopReason: "cancel", reason: "enough" });
  });
});

// ── what is below ──────────────────────────────────────────────────────────

describe("H7 before the next attempt starts", () => {
  const family = async (code: "error" | "timeout") => {
    const made = retrying({ lanes: { shut: { concurrency: 1 } } });
    const { manager } = made;
    manager.pause("shut");
    const ready = deferred();
    const task = manager.spawn(
      attempts<unknown>(
        async (ctx) => {
          ctx.spawn((child) => child.spawn(untilStopped, { id: "leaf" }).result(), { id: "obeys" });
          ctx.spawn(deaf, { id: "ignores", graceMs: 100 });
          ctx.spawn(deaf, { id: "apart", detached: true });
          ctx.spawn(deaf, { id: "queued", lane: "shut" });
          await ready.promise;
          if (code === "error") fails();
          return untilStopped(ctx);
        },
        (ctx) => ctx.list({ status: ["running", "blocked", "queued"] }).map(({ id }) => id),
      ),
      { retry: twice, timeoutMs: 5 },
    );
    await settled();
    ready.resolve();
    return { ...made, task };
  };

  test.each(["error", "timeout"] as const)(
    "the children of the last are swept with its code (%s), and have ended, also those that ignore it and are abandoned",
    async (code) => {
      const { manager, pass, told, task, clock } = await family(code);
      await pass(code === "error" ? 0 : 5);
      const failedAt = clock.now();
      expect(task.record).toMatchObject({ status: "queued", attempt: 2, notBeforeAt: failedAt + 10 });
      for (const id of ["obeys", "leaf", "queued"])
        expect([id, manager.get(id)?.record]).toMatchObject([id, { status: "cancelled", reason: code }]);
      await pass(99);
      expect([task.status, manager.get("ignores")?.status]).toEqual(["queued", "running"]);
      await pass(1);
      expect(await peek(task.result())).toMatchObject({ value: ["apart"] });
      expect(manager.get("ignores")?.record).toMatchObject({ status: "cancelled", reason: code });
      const places = told.map(({ type, taskId }) => `${type} ${taskId}`);
      const started = places.lastIndexOf(`task.started ${task.id}`);
      for (const id of ["obeys", "leaf", "queued", "ignores"]) {
        const ended = places.indexOf(`task.cancelled ${id}`);
        expect([id, ended >= 0 && ended < started]).toEqual([id, true]);
      }
      expect(places.indexOf("task.cancelled leaf")).toBeLessThan(places.indexOf("task.cancelled obeys"));
    },
  );

  test("a child that the sweep finds returning is not tried again under it", async () => {
    const { manager, pass } = retrying();
    const task = manager.spawn(
      attempts<unknown>(
        (ctx) => {
          ctx.spawn((child) => untilStopped(child).catch(fails), { id: "child", retry: { ...EVEN, maxAttempts: 5 } });
          return new Promise((_, reject) => setImmediate(() => reject(new Error("no"))));
        },
        () => 2,
      ),
      { retry: twice },
    );
    await settled();
    expect(manager.get("child")?.record).toMatchObject({ status: "cancelled", attempt: 1 });
    await pass(10);
    expect(task.status).toBe("succeeded");
  });

  /** Fails when what it has spawned runs. */
  const spawnsAndFails = (work: (ctx: TaskContext) => Promise<never>) => async (ctx: TaskContext) => {
    ctx.spawn(work, { id: `child of ${ctx.id}` });
    await new Promise(setImmediate);
    return fails();
  };

  test("a pause whose children are over, but whose time has not come, waits for its time; and the other way round", async () => {
    const { manager, pass } = retrying({ graceMs: 30 });
    const quick = manager.spawn(
      attempts<number>(spawnsAndFails(untilStopped), () => 2),
      {
        retry: { ...twice, backoffMs: 50 },
      },
    );
    const slow = manager.spawn(
      attempts<number>(spawnsAndFails(deaf), () => 2),
      { retry: twice },
    );
    await pass(29);
    expect([quick.status, slow.status]).toEqual(["queued", "queued"]);
    await pass(1);
    expect([quick.status, slow.status]).toEqual(["queued", "succeeded"]);
    await pass(20);
    expect(quick.status).toBe("succeeded");
  });

  test("a cancel in a pause that waits for a child that ignores it ends the task with that child, and no later attempt", async () => {
    const { manager, pass, clock, told } = retrying({ graceMs: 30 });
    const task = manager.spawn(spawnsAndFails(deaf), { retry: { ...EVEN, maxAttempts: 5 }, id: "task" });
    await pass(20);
    expect(task.status).toBe("queued");
    void task.cancel("enough");
    await settled();
    expect(task.status).toBe("queued");
    await pass(10);
    expect(task.record).toMatchObject({ status: "cancelled", reason: "enough", attempt: 2 });
    expect(manager.get("child of task")?.status).toBe("cancelled");
    expect([
      clock.nextAt,
      told.filter(({ type, taskId }) => type === "task.started" && taskId === task.id).length,
    ]).toEqual([undefined, 1]);
    allFree(manager);
  });

  test("what is spawned under it in the pause, by name of its parent, is the next attempt's", async () => {
    const { manager, pass } = retrying();
    const gate = deferred<number>();
    const task = manager.spawn(
      attempts<unknown>(
        (ctx) => {
          ctx.spawn(deaf, { id: "of the first", graceMs: 100 });
          return fails();
        },
        (ctx) => given(ctx.get("of the second")).result(),
      ),
      { retry: twice },
    );
    await settled();
    manager.spawn(() => gate.promise, { id: "of the second", parent: task });
    await settled();
    expect(manager.get("of the second")?.status).toBe("running");
    await pass(100);
    expect(task.record.blockedOn).toEqual([{ on: "tasks", taskIds: ["of the second"] }]);
    gate.resolve(7);
    expect(await peek(task.result())).toMatchObject({ value: 7 });
  });

  test("what was spawned in a pause is swept when the next attempt fails", async () => {
    const { manager, pass } = retrying();
    const task = manager.spawn(fails, { retry: { ...EVEN, maxAttempts: 3 } });
    await settled();
    manager.spawn(untilStopped, { id: "child", parent: task });
    await pass(10);
    expect(manager.get("child")?.record).toMatchObject({ status: "cancelled", reason: "error" });
    await pass(10);
    expect(task.status).toBe("failed");
  });

  test("a detached child of an attempt goes on over the next, and is its session's no less", async () => {
    const { manager, pass } = retrying();
    const gate = deferred<number>();
    const task = manager.spawn(
      attempts<unknown>(
        (ctx) => {
          ctx.spawn(() => gate.promise, { id: "apart", detached: true });
          return fails();
        },
        (ctx) => given(ctx.get("apart")).result(),
      ),
      { retry: twice },
    );
    await pass(10);
    gate.resolve(3);
    expect(await peek(task.result())).toMatchObject({ value: 3 });
  });

  test("children: detach is of a return alone: a failed attempt sweeps", async () => {
    const { manager, pass } = retrying();
    const task = manager.spawn(
      attempts<unknown>(
        (ctx) => {
          ctx.spawn(untilStopped, { id: "child" });
          return fails();
        },
        () => 1,
      ),
      { retry: twice, children: "detach" },
    );
    await settled();
    expect(manager.get("child")?.status).toBe("cancelled");
    await pass(10);
    expect(task.status).toBe("succeeded");
  });
});

describe("a listener that hears of a retry", () => {
  test.each<[string, (manager: TaskManager, id: string) => unknown, status: string, attempt: number]>([
    ["may cancel the task", (manager, id) => manager.get(id)?.cancel("enough"), "cancelled", 2],
    ["may close the manager", (manager) => manager.close(), "interrupted", 2],
    [
      "may send it a message, which is the next attempt's",
      (manager, id) => manager.get(id)?.send("hello"),
      "succeeded",
      2,
    ],
    ["may spawn below it", (manager, id) => manager.spawn(() => 1, { parent: id }), "succeeded", 2],
    [
      "may throw, which changes nothing else",
      () => {
        throw new Error("hm");
      },
      "succeeded",
      2,
    ],
    [
      "sees what is so: queued, as the next attempt",
      (manager, id) => expect(manager.get(id)?.record).toMatchObject({ status: "queued", attempt: 2 }),
      "succeeded",
      2,
    ],
  ])("%s", async (_what, act, status, attempt) => {
    const { manager, pass, clock, told } = retrying();
    const troubles: unknown[] = [];
    manager.on("listener.failed", ({ error }) => troubles.push(error));
    const task = manager.spawn((ctx) => (ctx.attempt === 1 ? fails() : ctx.receive({ timeoutMs: 1 })), {
      retry: twice,
    });
    manager.on("task.retried", (event) => {
      expect(event).toMatchObject({
        taskId: task.id,
        attempt: 2,
        error: { code: "error", message: "no" },
        notBeforeAt: 10,
      });
      return act(manager, task.id);
    });
    for (let n = 0; n < 15; n++) await pass(1);
    expect([task.status, task.record.attempt, clock.nextAt]).toEqual([status, attempt, undefined]);
    expect(told.filter((event) => event.taskId === task.id && isEnd(event))).toHaveLength(1);
    expect(troubles.map(String)).toEqual(_what.includes("throw") ? ["Error: hm"] : []);
    if (status === "succeeded" && _what.includes("message"))
      expect(await task.result()).toMatchObject({ content: [{ text: "hello" }] });
  });
});

// ── slots ──────────────────────────────────────────────────────────────────

describe("L8 the slot of an attempt", () => {
  test("is given back with its failure, also when it waited or stood in line for one", async () => {
    const { manager, pass } = retrying({ concurrency: 1 });
    const [beside, rival] = [deferred(), deferred()];
    const task = manager.spawn(
      attempts<unknown>(
        (ctx) => Promise.race([ctx.sleep(5), beside.promise]),
        () => 2,
      ),
      { retry: twice },
    );
    await settled();
    manager.spawn(() => rival.promise);
    await pass(5);
    expect(task.record.blockedOn).toEqual([{ on: "slot" }]);
    beside.reject(new Error("no"));
    await settled();
    expect(task.record).toMatchObject({ status: "queued", attempt: 2 });
    expect(slots(manager)).toMatchObject({ held: 1, queued: 0 });
    rival.resolve();
    await pass(10);
    expect(task.status).toBe("succeeded");
    allFree(manager);
  });

  test("of an abandoned one comes back with its grace; in a lane that holds it, with its real end, and the next needs its own", async () => {
    for (const holdAbandoned of [false, true]) {
      const { manager, pass, told } = retrying({ lanes: { work: { concurrency: 2, holdAbandoned } }, graceMs: 5 });
      const first = deferred<string>();
      const task = manager.spawn(
        attempts<unknown>(() => first.promise, untilStopped),
        { lane: "work", timeoutMs: 5, retry: twice },
      );
      await pass(5);
      expect(slots(manager, "work").held).toBe(1);
      await pass(5);
      expect(task.record).toMatchObject({ status: "queued", attempt: 2 });
      expect([slots(manager, "work").held, manager.stats().abandoned]).toEqual([holdAbandoned ? 1 : 0, 1]);
      await pass(10);
      expect(task.record).toMatchObject({ status: "running", attempt: 2 });
      expect(slots(manager, "work").held).toBe(holdAbandoned ? 2 : 1);
      first.resolve("late");
      await settled();
      expect(slots(manager, "work").held).toBe(1);
      expect(manager.stats().abandoned).toBe(0);
      const late = told.filter(({ type }) => type === "task.lateSettled");
      expect(late).toMatchObject([{ taskId: task.id, attempt: 1, settled: "returned" }]);
      expect(task.record).toMatchObject({ status: "running", attempt: 2 });
      void task.cancel();
      await settled();
      allFree(manager);
    }
  });

  test("held by an abandoned attempt keeps the next one in line where the lane has no other", async () => {
    const { manager, pass } = retrying({ lanes: { work: { concurrency: 1, holdAbandoned: true } }, graceMs: 5 });
    const first = deferred<string>();
    const task = manager.spawn(
      attempts<unknown>(
        () => first.promise,
        () => "second",
      ),
      { lane: "work", timeoutMs: 5, retry: twice },
    );
    for (let n = 0; n < 10; n++) await pass(5);
    expect(task.record).toMatchObject({ status: "queued", attempt: 2 });
    expect(slots(manager, "work")).toMatchObject({ held: 1, queued: 1 });
    first.reject(new Error("late"));
    expect(await peek(task.result())).toMatchObject({ value: "second" });
    allFree(manager);
  });

  test("held by an abandoned attempt comes back when its task is over meanwhile, once", async () => {
    const { manager, pass, told } = retrying({ lanes: { work: { concurrency: 2, holdAbandoned: true } }, graceMs: 5 });
    const first = deferred<string>();
    const task = manager.spawn(
      attempts<unknown>(
        () => first.promise,
        () => "second",
      ),
      { lane: "work", timeoutMs: 5, retry: twice },
    );
    await pass(10);
    await pass(10);
    expect(task.status).toBe("succeeded");
    expect(slots(manager, "work").held).toBe(1);
    first.resolve("late");
    await settled();
    allFree(manager);
    expect(typesOf(told, task.id).slice(-2)).toEqual(["task.succeeded", "task.lateSettled"]);
    expect(await task.result()).toBe("second");
  });

  test("every attempt may be abandoned: each gives back its own slot, whichever ends first", async () => {
    const { manager, pass, told } = retrying({ lanes: { work: { concurrency: 3, holdAbandoned: true } }, graceMs: 5 });
    const gates = [deferred<string>(), deferred<string>(), deferred<string>()];
    const task = manager.spawn((ctx) => given(gates[ctx.attempt - 1]).promise, {
      lane: "work",
      timeoutMs: 5,
      retry: { ...EVEN, maxAttempts: 3 },
    });
    for (let n = 0; n < 12; n++) await pass(5);
    expect(task.record).toMatchObject({ status: "failed", attempt: 3, error: { code: "timeout" } });
    expect([slots(manager, "work").held, manager.stats().abandoned]).toEqual([3, 3]);
    for (const n of [1, 2, 0]) {
      gates[n]?.resolve("late");
      await settled();
    }
    allFree(manager);
    expect(told.filter(({ type }) => type === "task.lateSettled").map(({ attempt }) => attempt)).toEqual([2, 3, 1]);
    expect(manager.stats().abandoned).toBe(0);
  });

  test("an abandoned attempt that begins a wait gives back what it held, and freezes there", async () => {
    const { manager, pass } = retrying({ lanes: { work: { concurrency: 2, holdAbandoned: true } }, graceMs: 5 });
    const gate = deferred();
    let isPast = false;
    const task = manager.spawn(
      attempts<unknown>(async (ctx) => {
        await gate.promise;
        await ctx.sleep(1);
        isPast = true;
      }, deaf),
      { lane: "work", timeoutMs: 5, retry: { ...twice, retryIf: (_, attempt) => attempt === 1 } },
    );
    await pass(10);
    await pass(10);
    expect(slots(manager, "work").held).toBe(2);
    gate.resolve();
    await pass(2);
    expect([slots(manager, "work").held, isPast, task.record.attempt]).toEqual([1, false, 2]);
  });

  test("the next attempt runs in the async context of the spawn, and its ambient task is itself", async () => {
    const { manager, pass } = retrying();
    const seen: unknown[] = [];
    const task = manager.spawn(
      (ctx) => {
        const child = manager.spawn(() => 1);
        seen.push([child.record.parentId === ctx.id, ctx.attempt]);
        return fails();
      },
      { retry: twice },
    );
    await pass(10);
    expect([seen, task.status]).toEqual([
      [
        [true, 1],
        [true, 2],
      ],
      "failed",
    ]);
  });

  test("C5 no attempt that fails raises an unhandledRejection, and 500 of them leave nothing", async () => {
    const { manager, clock, pass } = retrying({ concurrency: 3, graceMs: 5 });
    const seen = await unhandled(async () => {
      for (let n = 0; n < 500; n++)
        manager.spawn(
          (ctx) => {
            void ctx.sleep(1e6);
            void ctx.spawn(untilStopped).result();
            if (ctx.attempt < 3) return Promise.reject(new Error("no"));
            return n;
          },
          { retry: { ...EVEN, maxAttempts: 3 }, children: "cancel" },
        );
      for (let n = 0; n < 60; n++) await pass(10);
    });
    expect(seen).toEqual([]);
    expect(manager.stats()).toMatchObject({ queued: 0, running: 0, blocked: 0, abandoned: 0 });
    expect(clock.nextAt).toBeUndefined();
    allFree(manager);
  });

  test("free + held is the concurrency at every step of any program of attempts", async () => {
    const how = fc.constantFrom("fails", "times out", "ignores", "waits and fails", "returns", "spawns and fails");
    const work = fc.record({
      attempts: fc.array(how, { minLength: 1, maxLength: 4 }),
      cancelledAt: fc.option(fc.nat(60), { nil: undefined }),
      endsAt: fc.nat(100),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(work, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 3 }),
        fc.boolean(),
        async (works, concurrency, holdAbandoned) => {
          const clock = manualClock();
          const manager = new TaskManager({
            clock,
            graceMs: 3,
            lanes: { work: { concurrency, holdAbandoned } },
            ...FOREVER,
          });
          const gates = works.map(() => deferred());
          const tasks = works.map((plan, index) =>
            manager.spawn(
              async (ctx) => {
                switch (plan.attempts[ctx.attempt - 1] ?? "returns") {
                  case "fails":
                    return fails();
                  case "times out":
                    return untilStopped(ctx);
                  case "ignores":
                    return gates[index]?.promise;
                  case "waits and fails":
                    await ctx.sleep(4);
                    return fails();
                  case "spawns and fails":
                    ctx.spawn(deaf, { lane: "work" });
                    return fails();
                  default:
                    return 1;
                }
              },
              { lane: "work", timeoutMs: 5, retry: { ...EVEN, maxAttempts: 4 } },
            ),
          );
          for (let now = 0; now < 160; now++) {
            for (const [index, plan] of works.entries()) {
              if (plan.cancelledAt === now) void tasks[index]?.cancel();
              if (plan.endsAt === now) gates[index]?.resolve();
            }
            await clock.advance(1);
            slots(manager, "work");
          }
          // In a lane that holds the abandoned, what is deaf for ever has its slot for ever: the rest starves behind it.
          const isStuck = holdAbandoned && works.some((plan) => plan.attempts.includes("spawns and fails"));
          if (isStuck) {
            await manager.close();
            return;
          }
          expect(tasks.map(({ status }) => status)).not.toContain("running");
          expect(tasks.map(({ status }) => status)).not.toContain("queued");
          allFree(manager);
          expect(clock.nextAt).toBeUndefined();
          await manager.close();
        },
      ),
      { numRuns: 60 },
    );
  });
});

// ── bad input ──────────────────────────────────────────────────────────────

describe("§12 bad input", () => {
  const wrong: readonly [unknown, string, new () => Error][] = [
    [{}, "maxAttempts", TypeError],
    [{ maxAttempts: 0 }, "maxAttempts", RangeError],
    [{ maxAttempts: -1 }, "maxAttempts", RangeError],
    [{ maxAttempts: 1.5 }, "maxAttempts", RangeError],
    [{ maxAttempts: Number.NaN }, "maxAttempts", RangeError],
    [{ maxAttempts: "3" }, "maxAttempts", TypeError],
    [{ maxAttempts: null }, "maxAttempts", TypeError],
    [{ maxAttempts: 2, backoffMs: -1 }, "backoffMs", RangeError],
    [{ maxAttempts: 2, backoffMs: Number.NaN }, "backoffMs", RangeError],
    [{ maxAttempts: 2, backoffMs: Number.POSITIVE_INFINITY }, "backoffMs", RangeError],
    [{ maxAttempts: 2, backoffMs: "1" }, "backoffMs", TypeError],
    [{ maxAttempts: 2, factor: 0.5 }, "factor", RangeError],
    [{ maxAttempts: 2, factor: Number.NaN }, "factor", RangeError],
    [{ maxAttempts: 2, factor: "2" }, "factor", TypeError],
    [{ maxAttempts: 2, jitter: 1 }, "jitter", TypeError],
    [{ maxAttempts: 2, retryIf: true }, "retryIf", TypeError],
    [{ maxAttempts: 2, retries: 3 }, "retries", TypeError],
    [3, "retry", TypeError],
    [null, "retry", TypeError],
    ["twice", "retry", TypeError],
  ];
  test.each(wrong)("retry %j names %s", (retry, option, error) => {
    const { manager } = retrying();
    const options = { retry } as SpawnOptions;
    const call = () => manager.spawn(() => 1, options);
    expect(call).toThrow(error);
    expect(call).toThrow(option);
    expect(manager.list()).toEqual([]);
    const define = () => defineKind({ name: "k", retry: retry as RetryOptions, run: () => 1 });
    expect(define).toThrow(error);
    expect(define).toThrow(option);
  });

  test("undefined is left out, and what is given is not changed", async () => {
    const { manager, pass } = retrying();
    const retry = Object.freeze({
      maxAttempts: 2,
      backoffMs: undefined,
      factor: undefined,
      jitter: undefined,
      retryIf: undefined,
    });
    const task = manager.spawn(fails, { retry });
    await pass(1_000);
    expect(task.record.attempt).toBe(2);
    expect(manager.spawn(() => 1, { retry: undefined }).id).toBeDefined();
  });

  test("times over 2^31−1 ms work", async () => {
    const { manager, pass } = retrying();
    const task = manager.spawn(
      attempts<number>(fails, () => 2),
      { retry: { ...twice, backoffMs: 2 ** 33 } },
    );
    await pass(2 ** 33 - 1);
    expect(task.status).toBe("queued");
    await pass(1);
    expect(task.status).toBe("succeeded");
  });

  test("a factor that grows past every number still has a notBeforeAt that JSON can carry", async () => {
    const { manager, pass } = retrying();
    const task = manager.spawn(fails, { retry: { maxAttempts: 9, backoffMs: 1, factor: 1e300, jitter: false } });
    await pass(1);
    await pass(1);
    const { notBeforeAt } = task.record;
    expect(JSON.parse(JSON.stringify({ notBeforeAt }))).toEqual({ notBeforeAt: expect.any(Number) });
    void task.cancel();
    await settled();
    expect(task.status).toBe("cancelled");
  });
});
