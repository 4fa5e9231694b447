// Types of the public API: types inferred at `spawn`, and calls that must not compile. Checked by tsc; nothing here
// runs.

import type { AwaitResult, InterruptReason, Message, TaskContext, TaskHandle, TaskManager, TaskOutcome } from "errand";
import { isErrandError } from "errand";
import { simulate } from "errand/testing";
import { describe, expectTypeOf, test } from "vitest";
import { z } from "zod";

declare const manager: TaskManager;
declare const ctx: TaskContext;

interface Animal {
  readonly name: string;
}
interface Dog extends Animal {
  readonly breed: string;
}

describe("spawn", () => {
  test("§13 the result's type is inferred at spawn, from values, promises and thenables", () => {
    expectTypeOf(manager.spawn(() => 7)).toEqualTypeOf<TaskHandle<number>>();
    expectTypeOf(manager.spawn(async () => "text")).toEqualTypeOf<TaskHandle<string>>();
    expectTypeOf(manager.spawn((): PromiseLike<Dog> => Promise.reject(new Error("no dog")))).toEqualTypeOf<
      TaskHandle<Dog>
    >();
    expectTypeOf(manager.spawn(() => undefined)).toEqualTypeOf<TaskHandle<undefined>>();
    expectTypeOf(manager.spawn(async () => {})).toEqualTypeOf<TaskHandle<void>>();
    expectTypeOf(ctx.spawn(() => 7).result()).toEqualTypeOf<Promise<number>>();
    expectTypeOf(
      manager
        .session("chat")
        .spawn(() => 7)
        .outcome(),
    ).toEqualTypeOf<Promise<TaskOutcome<number>>>();
  });

  test("§13 the function receives a context, and its options are SpawnOptions", () => {
    manager.spawn((inner) => {
      expectTypeOf(inner).toEqualTypeOf<TaskContext>();
      expectTypeOf(inner.signal).toEqualTypeOf<AbortSignal>();
    });
    manager.spawn(() => 1, { name: "scout", lane: undefined, timeoutMs: undefined, signal: undefined });
    // @ts-expect-error no such option
    manager.spawn(() => 1, { timeout: 100 });
    // @ts-expect-error a duration is a number
    manager.spawn(() => 1, { timeoutMs: "100" });
    // @ts-expect-error no such policy
    manager.spawn(() => 1, { children: "wait" });
    // @ts-expect-error the work is a function of the context alone
    manager.spawn((_ctx: TaskContext, extra: string) => extra);
    // @ts-expect-error a number is no work
    manager.spawn(42);
  });

  test("C5 a handle is no promise", () => {
    const handle = manager.spawn(() => 7);
    expectTypeOf<Awaited<typeof handle>>().toEqualTypeOf<TaskHandle<number>>();
    // @ts-expect-error a handle has no then
    void handle.then;
    // @ts-expect-error a status is read, never written
    handle.status = "succeeded";
    // @ts-expect-error a record is frozen
    handle.record.summary = "mine";
  });

  test("§9 outcome is undefined only when a timeout can pass first", () => {
    const handle = manager.spawn(() => 7);
    expectTypeOf(handle.outcome()).toEqualTypeOf<Promise<TaskOutcome<number>>>();
    expectTypeOf(handle.outcome({ timeoutMs: 300 })).toEqualTypeOf<Promise<TaskOutcome<number> | undefined>>();
    expectTypeOf(handle.cancel()).toEqualTypeOf<Promise<TaskOutcome<number>>>();
  });
});

describe("outcomes", () => {
  test("§6 outcomes of awaitTasks are typed by position", async () => {
    const count = manager.spawn(() => 7);
    const text = manager.spawn(() => "text");
    const { outcomes, ended, reason } = await manager.awaitTasks([count, text, "task_3"]);
    expectTypeOf(outcomes[0]).toEqualTypeOf<TaskOutcome<number> | undefined>();
    expectTypeOf(outcomes[1]).toEqualTypeOf<TaskOutcome<string> | undefined>();
    expectTypeOf(outcomes[2]).toEqualTypeOf<TaskOutcome | undefined>();
    expectTypeOf(ended).toEqualTypeOf<readonly (TaskOutcome<number> | TaskOutcome<string> | TaskOutcome)[]>();
    expectTypeOf(reason).toEqualTypeOf<"done" | "timeout" | "request">();
    // @ts-expect-error there is no fourth
    expectTypeOf(outcomes[3]).toBeUndefined();
  });

  test("§6 a list of handles gives a list of outcomes", async () => {
    const handles: TaskHandle<number>[] = [];
    const result = await manager.awaitTasks(handles, { until: 2 });
    expectTypeOf(result).toEqualTypeOf<
      AwaitResult<readonly TaskHandle<number>[]> | AwaitResult<TaskHandle<number>[]>
    >();
    expectTypeOf(result.outcomes[0]).toEqualTypeOf<TaskOutcome<number> | undefined>();
    for await (const outcome of manager.outcomes(handles)) expectTypeOf(outcome).toEqualTypeOf<TaskOutcome<number>>();
    // @ts-expect-error no such condition
    await manager.awaitTasks(handles, { until: "some" });
  });

  test("§1 the status narrows an outcome", async () => {
    const outcome = await manager.spawn(() => 7).outcome();
    if (outcome.status === "succeeded") expectTypeOf(outcome.value).toEqualTypeOf<number>();
    if (outcome.status === "cancelled") expectTypeOf(outcome.reason).toEqualTypeOf<string>();
    if (outcome.status === "interrupted") expectTypeOf(outcome.reason).toEqualTypeOf<InterruptReason>();
    // @ts-expect-error a value only of a task that succeeded
    void outcome.value;
    // @ts-expect-error canceled is no status here: it has two l's
    if (outcome.status === "canceled") return;
    // @ts-expect-error a living task has no outcome
    if (outcome.status === "running") return;
  });
});

describe("handles are covariant", () => {
  test("§13 a handle of a dog is a handle of an animal, and not the other way round", () => {
    const dog = manager.spawn((): Dog => ({ name: "Rex", breed: "mutt" }));
    const animal: TaskHandle<Animal> = dog;
    const anything: TaskHandle = dog;
    expectTypeOf(anything.result()).toEqualTypeOf<Promise<unknown>>();
    // @ts-expect-error not every animal is a dog
    const back: TaskHandle<Dog> = animal;
    void back;
    const mixed: TaskHandle[] = [dog, manager.spawn(() => 1)];
    void manager.awaitTasks(mixed);
  });
});

describe("ask", () => {
  test("§7 the answer is text, one of the choices, or what the schema gives", () => {
    expectTypeOf(ctx.ask({ question: "Which?" })).toEqualTypeOf<Promise<string>>();
    expectTypeOf(ctx.ask({ question: "Which?", choices: ["red", "green"] })).toEqualTypeOf<Promise<"red" | "green">>();
    const schema = z.object({ count: z.coerce.number() });
    expectTypeOf(ctx.ask({ question: "How many?", schema })).toEqualTypeOf<Promise<{ count: number }>>();
    expectTypeOf(ctx.approve("Go on?")).toEqualTypeOf<Promise<void>>();
    expectTypeOf(ctx.receive({ timeoutMs: 10 })).toEqualTypeOf<Promise<Message | undefined>>();
  });

  test("§7 a default is one of the answers", () => {
    void ctx.ask({ question: "Which?", choices: ["red", "green"], onTimeout: { default: "red" } });
    void ctx.ask({ question: "Which?", timeoutMs: 10, onTimeout: "fail" });
    // @ts-expect-error blue is no choice
    void ctx.ask({ question: "Which?", choices: ["red", "green"], onTimeout: { default: "blue" } });
    // @ts-expect-error the schema gives a number
    void ctx.ask({ question: "How many?", schema: z.number(), onTimeout: { default: "many" } });
    // @ts-expect-error a question needs a text
    void ctx.ask({ choices: ["red"] });
    // @ts-expect-error an answer says who gave it
    void manager.inbox.answer("request_1", true);
  });

  test("§7 the variable that takes an answer does not decide its type", async () => {
    // @ts-expect-error without choices and without a schema the answer is a text
    const count: number = await ctx.ask({ question: "How many?" });
    // @ts-expect-error a text, or the default
    const orNone: number = await ctx.ask({ question: "How many?", onTimeout: { default: "none" } });
    // @ts-expect-error green is a choice too
    const colour: "red" | "blue" = await ctx.ask({ question: "Which?", choices: ["red", "green"] });
    // @ts-expect-error the schema gives a text
    const parsed: number = await ctx.ask({ question: "How many?", schema: z.string() });
    // @ts-expect-error a text is no yes
    const sure = async (): Promise<boolean> => ctx.ask({ question: "Delete everything?" });
    void [count, orNone, colour, parsed, sure];
  });

  test("§7 the default of a text question is a text, or joins it", () => {
    const text = ctx.ask({ question: "Which?", onTimeout: { default: "none" } });
    expectTypeOf(text).toEqualTypeOf<Promise<string>>();
    const orNothing = ctx.ask({ question: "Which?", onTimeout: { default: undefined } });
    expectTypeOf(orNothing).toEqualTypeOf<Promise<string | undefined>>();
  });

  test("§7 an answer may be a text where the choices or the schema may be left out", () => {
    const some: { choices?: readonly string[] | undefined } = {};
    expectTypeOf(ctx.ask({ question: "Which?", ...some })).toEqualTypeOf<Promise<string>>();
    const checked: { schema?: z.ZodNumber | undefined } = {};
    expectTypeOf(ctx.ask({ question: "How many?", ...checked })).toEqualTypeOf<Promise<string | number>>();
    const defaulted: { onTimeout?: { default: null } | undefined } = {};
    expectTypeOf(ctx.ask({ question: "Which?", ...defaulted })).toEqualTypeOf<Promise<string | null>>();
  });

  test("§7 an approval is no boolean: a forgotten `if` has nothing to forget", async () => {
    const answer = await ctx.approve("Go on?");
    // @ts-expect-error nothing comes back to branch on
    if (answer) return;
  });
});

describe("the variable that takes a result", () => {
  test("§13 does not decide its type", async () => {
    // @ts-expect-error the function gives a text
    const handle: TaskHandle<number> = manager.spawn(() => "text");
    // @ts-expect-error a name says nothing of the result
    const named: TaskHandle<number> = manager.spawn("kind");
    // @ts-expect-error an id says nothing of the result
    const found: TaskHandle<number> | undefined = manager.get("task_1");
    // @ts-expect-error the function gives texts
    const values: number[] = await ctx.map([1], () => "text", { concurrency: 1 });
    // @ts-expect-error the scenario gives a text
    const simulated: number = await simulate(() => "text");
    void [handle, named, found, values, simulated];
  });
});

describe("map", () => {
  test("§9 map infers items and values, and needs its concurrency", () => {
    const mapped = ctx.map(
      [1, 2],
      async (inner, item, index) => {
        expectTypeOf(inner).toEqualTypeOf<TaskContext>();
        expectTypeOf(item).toEqualTypeOf<number>();
        return `${item}:${index}`;
      },
      { concurrency: 2 },
    );
    expectTypeOf(mapped).toEqualTypeOf<Promise<string[]>>();
    // @ts-expect-error without a bound it is no map
    void ctx.map([1, 2], () => 1);
    // @ts-expect-error without a bound it is no map
    void ctx.map([1, 2], () => 1, {});
  });
});

describe("events", () => {
  test("§13 a listener hears the event of its name", () => {
    expectTypeOf(manager.on("task.created", ({ record }) => record.id)).toEqualTypeOf<() => void>();
    manager.on("task.failed", (event) => {
      expectTypeOf(event.type).toEqualTypeOf<"task.failed">();
      expectTypeOf(event.error.code).toExtend<string>();
      // @ts-expect-error an output only of a task that succeeded
      void event.output;
    });
    // @ts-expect-error no such event
    manager.on("task.done", () => undefined);
    // @ts-expect-error listener.failed is never journalled: it has no seq
    manager.on("listener.failed", ({ seq }) => seq);
  });

  test("§13 the type narrows an event of the journal", async () => {
    for await (const event of manager.events()) {
      if (event.type === "message.sent") expectTypeOf(event.message).toEqualTypeOf<Message>();
      // @ts-expect-error a record only when a task is created
      void event.record;
    }
  });
});

describe("isErrandError", () => {
  test("§12 it narrows by code, in two ways", () => {
    const error: unknown = new Error("any");
    if (isErrandError(error, "NAME_TAKEN")) {
      expectTypeOf(error.taskId).toEqualTypeOf<string>();
      expectTypeOf(error.taskName).toEqualTypeOf<string>();
      // @ts-expect-error of another error
      void error.cycle;
    }
    if (isErrandError(error) && error.code === "AWAIT_CYCLE")
      expectTypeOf(error.cycle).toEqualTypeOf<readonly string[]>();
    if (isErrandError(error, "TASK_OUTCOME")) {
      expectTypeOf(error.outcome.status).toEqualTypeOf<"failed" | "cancelled" | "interrupted">();
    }
    if (isErrandError(error, "TASK_CANCELLED")) expectTypeOf(error.name).toEqualTypeOf<"AbortError">();
    // @ts-expect-error no such code
    if (isErrandError(error, "TASK_CANCELED")) return;
    // @ts-expect-error unknown until narrowed
    void error.code;
  });

  test("§12 a switch over the codes is complete", () => {
    const error: unknown = new Error("any");
    if (!isErrandError(error)) return;
    switch (error.code) {
      case "TASK_CANCELLED":
      case "TASK_OUTCOME":
      case "TASK_NOT_FOUND":
      case "TASK_TERMINATED":
      case "TASK_ELSEWHERE":
      case "AWAIT_CYCLE":
      case "QUEUE_FULL":
      case "LIMIT_EXCEEDED":
      case "SCOPE_CANCELLED":
      case "UNKNOWN_LANE":
      case "REQUEST_NOT_FOUND":
      case "ALREADY_ANSWERED":
      case "INVALID_INPUT":
      case "ID_CONFLICT":
      case "NAME_TAKEN":
      case "RESERVED_NAME":
      case "REQUEST_REJECTED":
      case "REQUEST_EXPIRED":
      case "MANAGER_CLOSED":
      case "UNKNOWN_KIND":
      case "STORE_LOCKED":
      case "STORE_UNAVAILABLE":
      case "JOURNAL_CORRUPT":
      case "EVENTS_COMPACTED":
      case "OUTPUT_LOST":
        return;
      default:
        expectTypeOf(error).toBeNever();
    }
  });
});
