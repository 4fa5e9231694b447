// Types of kinds: the input of a spawn, the input of `run`, the type of `result()`. Checked by tsc; nothing here runs.

import { type } from "arktype";
import type { AnyTaskKind, TaskContext, TaskHandle, TaskKind, TaskManager, TaskOutcome } from "errand";
import { defineKind } from "errand";
import { subagent } from "errand/kinds";
import * as v from "valibot";
import { describe, expectTypeOf, test } from "vitest";
import { z } from "zod";

declare const manager: TaskManager;
declare const ctx: TaskContext;

describe("§10 the input of a kind", () => {
  test("is, for its spawner, what the schema takes, and for `run` what it gives: of each library", () => {
    const ofZod = defineKind({
      name: "a",
      input: z.object({ url: z.string(), depth: z.string().default("1").transform(Number) }),
      run: (_ctx, input) => {
        expectTypeOf(input).toEqualTypeOf<{ url: string; depth: number }>();
        return input.depth;
      },
    });
    expectTypeOf(ofZod).toExtend<TaskKind<{ url: string; depth?: string | undefined }, number>>();
    const ofValibot = defineKind({
      name: "b",
      input: v.object({ depth: v.pipe(v.string(), v.transform(Number)) }),
      run: (_ctx, { depth }) => {
        expectTypeOf(depth).toBeNumber();
      },
    });
    const ofArktype = defineKind({
      name: "c",
      input: type({ depth: "string.numeric.parse" }),
      run: (_ctx, { depth }) => {
        expectTypeOf(depth).toBeNumber();
      },
    });
    manager.spawn(ofZod, { input: { url: "x" } });
    manager.spawn(ofValibot, { input: { depth: "1" } });
    ctx.spawn(ofArktype, { input: { depth: "1" } });
    // @ts-expect-error the spawner passes what the schema takes, not what it gives
    manager.spawn(ofZod, { input: { url: "x", depth: 1 } });
    // @ts-expect-error of valibot, too
    manager.spawn(ofValibot, { input: { depth: 1 } });
    // @ts-expect-error of arktype, too
    manager.spawn(ofArktype, { input: { depth: 1 } });
    // @ts-expect-error an input is needed
    manager.spawn(ofZod);
    // @ts-expect-error an input is needed, whatever other options there are
    manager.spawn(ofZod, { name: "x" });
  });

  test("without a schema is what `run` says it takes, and none at all when it takes none", () => {
    const annotated = defineKind({ name: "a", run: (_ctx, input: { n: number }) => input.n });
    expectTypeOf(annotated).toEqualTypeOf<TaskKind<{ n: number }, number>>();
    const none = defineKind({ name: "b", run: () => "x" });
    expectTypeOf(none).toEqualTypeOf<TaskKind<undefined, string>>();
    manager.spawn(none);
    manager.spawn(none, { name: "x" });
    // @ts-expect-error it takes none
    manager.spawn(none, { input: 1 });
    // @ts-expect-error it takes another
    manager.spawn(annotated, { input: { n: "1" } });
  });

  test("by name is unknown, and so is the result", () => {
    expectTypeOf(manager.spawn("a", { input: { anything: 1 } })).toEqualTypeOf<TaskHandle>();
    expectTypeOf(manager.spawn("a").result()).toEqualTypeOf<Promise<unknown>>();
  });
});

describe("§10 the result of a kind", () => {
  test("is what the output schema gives; `run` gives what it takes", () => {
    const kind = defineKind({
      name: "a",
      output: z.object({ n: z.string().transform(Number) }),
      run: () => ({ n: "1" }),
    });
    expectTypeOf(manager.spawn(kind).result()).toEqualTypeOf<Promise<{ n: number }>>();
    expectTypeOf(manager.spawn(kind).outcome()).toEqualTypeOf<Promise<TaskOutcome<{ n: number }>>>();
    expectTypeOf(manager.get("id", kind)).toEqualTypeOf<TaskHandle<{ n: number }> | undefined>();
    // @ts-expect-error what `run` gives does not fit
    defineKind({ name: "b", output: z.string(), run: () => 1 });
  });

  test("without a schema is what `run` gives, awaited", () => {
    expectTypeOf(manager.spawn(defineKind({ name: "a", run: async () => 7 })).result()).toEqualTypeOf<
      Promise<number>
    >();
  });

  test("in awaitTasks stands at the place of its handle", async () => {
    const kind = defineKind({ name: "a", run: () => 7 });
    const { outcomes } = await ctx.awaitTasks([ctx.spawn(kind), ctx.spawn(() => "x")]);
    expectTypeOf(outcomes).toEqualTypeOf<readonly [TaskOutcome<number> | undefined, TaskOutcome<string> | undefined]>();
  });
});

describe("§10 a kind whose work goes on elsewhere", () => {
  test("has the result that its reports give: `run` need give none", () => {
    const started = defineKind({
      name: "a",
      run: async (inner) => {
        inner.link({ remoteTaskId: "r-1" });
      },
      reconcile: () => ({ status: "succeeded", value: 7 }),
    });
    expectTypeOf(manager.spawn(started).result()).toEqualTypeOf<Promise<number>>();
    const reports = defineKind({
      name: "b",
      input: z.object({ n: z.string().transform(Number) }),
      run: (_inner, { n }) => {
        expectTypeOf(n).toBeNumber();
      },
      reconcile: async ({ links }) =>
        links.remoteTaskId === undefined
          ? { status: "running", progress: { current: 1 } }
          : { status: "succeeded", value: "text" },
    });
    expectTypeOf(manager.spawn(reports, { input: { n: "1" } }).result()).toEqualTypeOf<Promise<string>>();
    const checked = defineKind({
      name: "c",
      output: z.string().transform(Number),
      run: () => undefined,
      reconcile: () => ({ status: "succeeded", value: "1" }),
    });
    expectTypeOf(manager.spawn(checked).result()).toEqualTypeOf<Promise<number>>();
  });

  test("may have its result from `run`, too, and then it is of one type", () => {
    const either = defineKind({
      name: "a",
      run: (inner) => (inner.attempt === 1 ? "here" : undefined),
      reconcile: () => ({ status: "succeeded", value: "there" }),
    });
    expectTypeOf(manager.spawn(either).result()).toEqualTypeOf<Promise<string>>();
  });

  test("has an end that is one", () => {
    // @ts-expect-error a success has a value
    defineKind({ name: "a", run: () => undefined, reconcile: () => ({ status: "succeeded" }) });
    // @ts-expect-error a failure says why
    defineKind({ name: "b", run: () => undefined, reconcile: () => ({ status: "failed" }) });
    // @ts-expect-error there is no such status
    defineKind({ name: "c", run: () => undefined, reconcile: () => ({ status: "completed" }) });
    defineKind({
      name: "d",
      output: z.string(),
      run: () => undefined,
      // @ts-expect-error the value does not fit its output
      reconcile: () => ({ status: "succeeded", value: 1 }),
    });
  });
});

describe("§10 the checkpoint of a kind", () => {
  test("is what its schema gives", () => {
    defineKind({
      name: "a",
      checkpoint: z.object({ page: z.number() }),
      run: async (inner) => {
        expectTypeOf(inner.lastCheckpoint).toEqualTypeOf<{ page: number } | undefined>();
        await inner.checkpoint({ page: 1 });
        // @ts-expect-error it is no page
        await inner.checkpoint({ page: "1" });
        const any: TaskContext = inner;
        return any.attempt;
      },
    });
  });
});

describe("§10 the checkpoint of a kind without a schema", () => {
  test("is what the annotation of `ctx` says", () => {
    const paging = defineKind({
      name: "a",
      run: async (inner: TaskContext<{ page: number }>, input: { from: number }) => {
        expectTypeOf(inner.lastCheckpoint).toEqualTypeOf<{ page: number } | undefined>();
        await inner.checkpoint({ page: 1 });
        // @ts-expect-error it is no page
        await inner.checkpoint({ page: "1" });
        return inner.lastCheckpoint?.page ?? input.from;
      },
    });
    expectTypeOf(paging).toEqualTypeOf<TaskKind<{ from: number }, number>>();
    const elsewhere = defineKind({
      name: "b",
      run: async (inner: TaskContext<{ jobId: string }>) => {
        await inner.checkpoint({ jobId: "j-1" });
      },
      reconcile: () => ({ status: "succeeded", value: 7 }),
    });
    expectTypeOf(elsewhere).toEqualTypeOf<TaskKind<undefined, number>>();
    defineKind({
      name: "c",
      run: (inner) => {
        expectTypeOf(inner.lastCheckpoint).toBeUnknown();
      },
    });
  });

  test("is never another one than that of the schema, where there is one", () => {
    const run = async (inner: TaskContext<{ page: number }>) => inner.lastCheckpoint?.page;
    defineKind({ name: "a", checkpoint: z.object({ page: z.number() }), run });
    // @ts-expect-error the schema gives a text
    defineKind({ name: "b", checkpoint: z.object({ page: z.string() }), run });
  });
});

describe("§13 a kind has the types of its definition", () => {
  test("and not those of the variable that takes it", () => {
    // @ts-expect-error its function gives a text
    const result: TaskKind<undefined, number> = defineKind({ name: "a", run: () => "text" });
    // @ts-expect-error its function takes a text
    const input: TaskKind<number, string> = defineKind({ name: "b", run: (_ctx, text: string) => text });
    // @ts-expect-error its report gives a text
    const reported: TaskKind<undefined, number> = defineKind({
      name: "c",
      run: () => undefined,
      reconcile: () => ({ status: "succeeded", value: "text" }),
    });
    // @ts-expect-error it takes a prompt
    const prompted: TaskKind<{ topic: string }, string> = subagent({ loop: () => "text" });
    // @ts-expect-error its function gives a text
    const found: TaskHandle<number> | undefined = manager.get("id", defineKind({ name: "d", run: () => "text" }));
    void [result, input, reported, prompted, found];
  });
});

describe("§13 kinds in hand", () => {
  test("any kind is AnyTaskKind; a kind takes its input contravariantly and gives its result covariantly", () => {
    const kind = defineKind({ name: "a", run: (_ctx, input: { n: number }) => input.n });
    const kinds: readonly AnyTaskKind[] = [kind, subagent({ loop: () => "x" })];
    expectTypeOf(kinds).not.toBeAny();
    expectTypeOf(kind).toExtend<TaskKind<{ n: number; more: string }, number | string>>();
    // @ts-expect-error it needs a number
    const wider: TaskKind<{ n: unknown }, number> = kind;
    void wider;
    // @ts-expect-error a function is no kind
    const fn: AnyTaskKind = () => 1;
    void fn;
    // @ts-expect-error nor is an object with a name
    const named: AnyTaskKind = { name: "a" };
    void named;
  });

  test("a subagent takes a prompt and gives a text, unless it has an input of its own", () => {
    const plain = subagent({ loop: (_ctx, { prompt }) => prompt });
    expectTypeOf(manager.spawn(plain, { input: { prompt: "go" } })).toEqualTypeOf<TaskHandle<string>>();
    // @ts-expect-error it needs a prompt
    manager.spawn(plain, { input: {} });
    // @ts-expect-error it gives a text
    subagent({ loop: () => 1 });
    const own = subagent({
      input: z.object({ topic: z.string(), depth: z.number().default(1) }),
      loop: (_ctx, { topic, depth }) => {
        expectTypeOf(depth).toBeNumber();
        return topic;
      },
    });
    manager.spawn(own, { input: { topic: "ants" } });
    // @ts-expect-error it has an input of its own
    manager.spawn(own, { input: { prompt: "ants" } });
  });
});
