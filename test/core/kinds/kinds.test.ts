// Kinds (§10) and what is refused about them and about stores (§12).

import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { TaskKind, TaskManagerOptions } from "errand";
import { defineKind, TaskManager } from "errand";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { facts, settled, unhandled } from "../../support/basics.js";
import { HeldStore } from "../../support/held-store.js";
import { deaf, errandError, given, refusalOf, refused, untilStopped } from "../../support/program.js";
import { started } from "../../support/restarts.js";

const double = defineKind({
  name: "double",
  description: "Doubles a number.",
  input: z.object({ n: z.number() }),
  run: (_ctx, { n }) => n * 2,
});

/** As the compiler would not let it through. */
function define(definition: unknown): unknown {
  return defineKind(definition as Parameters<typeof defineKind>[0]);
}

/** A manager that knows `kinds`, and what it has told. */
function knowing(...kinds: NonNullable<TaskManagerOptions["kinds"]>) {
  const manager = new TaskManager({ kinds });
  return { manager, told: facts(manager) };
}

describe("§10 a kind", () => {
  test("is spawned by itself and by its name, with its input", async () => {
    const { manager } = knowing(double);
    const byKind = manager.spawn(double, { input: { n: 2 } });
    const byName = manager.spawn("double", { input: { n: 3 } });
    expect([await byKind.result(), await byName.result()]).toEqual([4, 6]);
    expect(byKind.record).toMatchObject({ kind: "double", input: { n: 2 }, output: 4 });
  });

  test("is a value: it has a name and a description, is frozen, and registers nothing", () => {
    expect([double.name, double.description, Object.isFrozen(double)]).toEqual(["double", "Doubles a number.", true]);
    const plain: TaskKind<undefined, number> = defineKind({ name: "plain", run: () => 1 });
    expect(plain.description).toBeUndefined();
    refused(() => knowing().manager.spawn("double", { input: { n: 1 } }), "UNKNOWN_KIND");
  });

  test("is spawned by itself also where it is not registered, and is found by `filter.kind`", async () => {
    const { manager } = knowing();
    const { id } = manager.spawn(double, { input: { n: 1 } });
    manager.spawn(() => 1);
    expect(manager.list({ kind: "double" }).map((record) => record.id)).toEqual([id]);
    expect([manager.list({ kind: "other" }), manager.list()]).toEqual([[], expect.objectContaining({ length: 2 })]);
  });

  test("is spawned by sessions, contexts, and inside a task by its name, as a child", async () => {
    const { manager } = knowing(double);
    const inSession = manager.session("chat").spawn("double", { input: { n: 1 } });
    const parent = manager.spawn(async (ctx) => {
      const one = ctx.spawn(double, { input: { n: 2 } });
      const two = ctx.spawn("double", { input: { n: 3 } });
      return [await one.result(), await two.result(), two.record.parentId];
    });
    expect(await parent.result()).toEqual([4, 6, parent.id]);
    expect((await inSession.outcome()).status).toBe("succeeded");
    expect(inSession.record.sessionId).toBe("chat");
  });

  test("gives its lane and its timeout to a spawn that says none", async () => {
    const slow = defineKind({ name: "slow", lane: "model", timeoutMs: 50, run: untilStopped });
    const { manager, pass } = await started({ lanes: { model: { concurrency: 1 }, other: { concurrency: 1 } } });
    const own = manager.spawn(slow);
    const said = manager.spawn(slow, { lane: "other", timeoutMs: 100 });
    expect([own.record.lane, said.record.lane]).toEqual(["model", "other"]);
    await pass(50);
    expect([own.status, said.status]).toEqual(["failed", "running"]);
    await pass(50);
    expect(said.record.error?.code).toBe("timeout");
  });

  test("keeps the input as it was passed, copied; its function gets what the schema made of it", async () => {
    const kind = defineKind({ name: "dates", input: z.object({ at: z.coerce.date() }), run: (_ctx, { at }) => at });
    const { manager } = knowing(kind);
    const input = { at: "2020-01-01T00:00:00.000Z" as unknown };
    const handle = manager.spawn(kind, { input });
    input.at = "changed";
    expect(await handle.result()).toEqual(new Date("2020-01-01T00:00:00.000Z"));
    expect(handle.record.input).toEqual({ at: "2020-01-01T00:00:00.000Z" });
    expect(Object.isFrozen(handle.record.input)).toBe(true);
  });

  test("without an input takes none, and its record says none", async () => {
    const kind = defineKind({ name: "plain", run: (_ctx, input) => String(input) });
    const { manager } = knowing(kind);
    const handle = manager.spawn(kind);
    expect(await handle.result()).toBe("undefined");
    expect(handle.record).not.toHaveProperty("input");
  });

  test("cannot be distinguished from another of its name by the journal: two of one name in a manager are a TypeError", () => {
    const other = defineKind({ name: "double", run: () => 1 });
    expect(() => new TaskManager({ kinds: [double, other] })).toThrow(
      expect.objectContaining({ name: "TypeError", message: expect.stringContaining('"double"') }),
    );
    expect(new TaskManager({ kinds: [double, double] }).spawn("double", { input: { n: 1 } }).record.kind).toBe(
      "double",
    );
  });
});

describe("§10 the result of a kind", () => {
  const schemas: readonly [string, StandardSchemaV1<unknown, unknown>][] = [
    ["at once", z.object({ n: z.number() })],
    ["later", z.object({ n: z.number() }).refine(async () => true)],
  ];
  test.each(schemas)(
    "is what its output schema makes of it, %s; another fails it with `schema_mismatch`, none with `no_result`",
    async (_when, output) => {
      const kind = defineKind({
        name: "checked",
        output,
        run: (ctx): unknown => {
          const [tag] = ctx.record.tags;
          return tag === "fits" ? { n: 1, more: 2 } : tag === "none" ? undefined : { n: "one" };
        },
      });
      const { manager } = knowing(kind);
      const fits = manager.spawn(kind, { tags: ["fits"] });
      expect(await fits.result()).toEqual({ n: 1 });
      expect(fits.record.output).toEqual({ n: 1 });
      const other = await manager.spawn(kind, { tags: ["other"] }).outcome();
      expect(other).toMatchObject({ status: "failed", error: { code: "schema_mismatch" } });
      expect(other.status === "failed" && other.error.message).toContain('"checked"');
      expect(await manager.spawn(kind, { tags: ["none"] }).outcome()).toMatchObject({ error: { code: "no_result" } });
    },
  );

  test("nothing fits a schema that takes nothing", async () => {
    const kind = defineKind({ name: "void", output: z.undefined(), run: () => undefined });
    expect((await new TaskManager().spawn(kind).outcome()).status).toBe("succeeded");
  });

  test("a schema that throws fails the task, and changes nothing else", async () => {
    const output: StandardSchemaV1<unknown, unknown> = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: () => {
          throw new Error("broken");
        },
      },
    };
    const kind = defineKind({ name: "broken", output, run: () => 1 });
    expect(await new TaskManager().spawn(kind).outcome()).toMatchObject({
      status: "failed",
      error: { code: "schema_mismatch", message: expect.stringContaining("its schema threw: Error: broken") },
    });
  });

  test("of a kind that fails or is stopped is not checked", async () => {
    const kind = defineKind({ name: "checked", output: z.string(), run: untilStopped });
    const handle = new TaskManager().spawn(kind);
    await settled();
    expect(await handle.cancel("enough")).toMatchObject({ status: "cancelled", reason: "enough" });
  });
});

describe("§10 the checkpoint of a kind", () => {
  test("that does not fit its schema is InvalidInputError, and nothing is stored", async () => {
    const kind = defineKind({
      name: "paging",
      checkpoint: z.object({ page: z.number() }),
      run: async (ctx) => {
        await ctx.checkpoint({ page: 1 });
        const error = await refusalOf(() => ctx.checkpoint({ page: "two" } as never));
        return [errandError(error, "INVALID_INPUT").issues.length, ctx.lastCheckpoint];
      },
    });
    const { manager } = knowing(kind);
    expect(await manager.spawn(kind).result()).toEqual([1, { page: 1 }]);
  });

  test("that JSON cannot carry is a TypeError", async () => {
    const { manager } = knowing();
    const task = manager.spawn((ctx) => refusalOf(() => ctx.checkpoint(() => 1)));
    expect(await task.result()).toBeInstanceOf(TypeError);
  });
});

describe("§12 what is refused of a spawn by kind starts nothing", () => {
  const async_: StandardSchemaV1<unknown, unknown> = {
    "~standard": { version: 1, vendor: "test", validate: async (value) => ({ value }) },
  };
  const later = defineKind({ name: "later", input: async_, run: () => 1 });
  const throwing = defineKind({
    name: "throwing",
    input: {
      "~standard": {
        version: 1 as const,
        vendor: "test",
        validate: (): StandardSchemaV1.Result<string> => {
          throw new Error("broken");
        },
      },
    },
    run: () => 1,
  });
  const ring: { self?: unknown } = {};
  ring.self = ring;

  type Expected = { readonly code?: string; readonly name?: string; readonly message?: string };
  const refusals: readonly [what: string, spawn: (manager: TaskManager) => unknown, error: Expected][] = [
    ["a name that no kind has", (m) => m.spawn("nobody"), { code: "UNKNOWN_KIND", message: "nobody" }],
    [
      "an input that does not fit",
      (m) => m.spawn("double", { input: { n: "x" } }),
      { code: "INVALID_INPUT", message: "double" },
    ],
    ["no input where one is needed", (m) => m.spawn("double"), { code: "INVALID_INPUT" }],
    [
      "a schema that answers with a promise",
      (m) => m.spawn(later, { input: 1 }),
      { name: "TypeError", message: "later" },
    ],
    ["a schema that throws", (m) => m.spawn(throwing, { input: "x" } as never), { message: "broken" }],
    ["an input that is a function", (m) => m.spawn("any", { input: () => 1 }), { name: "TypeError", message: "input" }],
    ["an input with a ring in it", (m) => m.spawn("any", { input: ring }), { name: "TypeError", message: "input" }],
    ["an input with a bigint in it", (m) => m.spawn("any", { input: [1n] }), { name: "TypeError", message: "input" }],
    ["an input for a function", (m) => m.spawn(deaf, { input: 1 } as never), { name: "TypeError", message: "input" }],
    [
      "something that is no work",
      (m) => m.spawn({ name: "double" } as never),
      { name: "TypeError", message: "spawn needs a function, a kind" },
    ],
    ["an undeclared lane", (m) => m.spawn("double", { input: { n: 1 }, lane: "none" }), { code: "UNKNOWN_LANE" }],
    [
      "a misspelt option",
      (m) => m.spawn("double", { input: { n: 1 }, inputs: 1 } as never),
      { name: "TypeError", message: "inputs" },
    ],
  ];
  const any = defineKind({ name: "any", run: (_ctx, input: unknown) => input });

  test.each(refusals)("%s", async (_what, spawn, { code, name, message = "" }) => {
    const { manager, told } = knowing(double, any);
    const error = await refusalOf(() => spawn(manager));
    if (code !== undefined) expect(error).toMatchObject({ code });
    if (name !== undefined) expect(error).toMatchObject({ name });
    expect(error).toMatchObject({ message: expect.stringContaining(message) });
    await settled();
    expect([manager.list(), told]).toEqual([[], []]);
  });

  test("UnknownKindError names the kinds there are", () => {
    const { manager } = knowing(double, any);
    const error = refused(() => manager.spawn("nobody"), "UNKNOWN_KIND");
    expect([error.kind, error.message]).toEqual(["nobody", expect.stringMatching(/double.*any/)]);
  });

  test("InvalidInputError has the issues", () => {
    const { manager } = knowing(double);
    const error = refused(() => manager.spawn("double", { input: { n: "x" } }), "INVALID_INPUT");
    expect(error.issues).toMatchObject([{ path: ["n"] }]);
  });

  test("a spawn that is refused for its place parses nothing", async () => {
    let parsed = 0;
    const input: StandardSchemaV1<unknown, unknown> = {
      "~standard": { version: 1, vendor: "test", validate: (value) => (parsed++, { value }) },
    };
    const kind = defineKind({ name: "counting", input, run: () => 1 });
    const { manager } = knowing(kind);
    const task = manager.spawn((ctx) => ctx);
    const ctx = await task.result();
    refused(() => ctx.spawn(kind, { input: 1 }), "TASK_TERMINATED");
    expect(parsed).toBe(0);
  });

  test("C5 a schema that answers with a promise that rejects raises no unhandledRejection", async () => {
    const input: StandardSchemaV1<unknown, unknown> = {
      "~standard": { version: 1, vendor: "test", validate: () => Promise.reject(new Error("later")) },
    };
    const kind = defineKind({ name: "rejecting", input, run: () => 1 });
    const rejections = await unhandled(async () => {
      await expect(refusalOf(() => new TaskManager().spawn(kind, { input: 1 }))).resolves.toBeInstanceOf(TypeError);
    });
    expect(rejections).toEqual([]);
  });
});

describe("§10 the same id, or call", () => {
  const other = defineKind({ name: "other", run: (_ctx, input: unknown) => input });
  const options = { id: "a", input: { n: 1, m: [1] } };

  test("with the same content is the same task: parent, kind, and the JSON of its input in any order of keys", async () => {
    const { manager } = knowing(other);
    const first = manager.spawn(other, options);
    const again = manager.spawn("other", { id: "a", input: { m: [1], n: 1 } });
    expect([again.id, await again.result(), manager.list().length]).toEqual([first.id, { n: 1, m: [1] }, 1]);
  });

  test.each<[string, (manager: TaskManager) => unknown]>([
    ["another input", (m) => m.spawn(other, { ...options, input: { n: 2 } })],
    ["no input", (m) => m.spawn(other, { id: "a" } as never)],
    ["another kind", (m) => m.spawn(double, { id: "a", input: { n: 1 } })],
    ["a plain function", (m) => m.spawn(() => 1, { id: "a" })],
    ["another parent", (m) => m.spawn(other, { ...options, parent: m.spawn(deaf) })],
  ])("with %s is IdConflictError", async (_what, spawn) => {
    const { manager } = knowing(other, double);
    manager.spawn(other, options);
    const before = manager.list().length;
    expect(refused(() => spawn(manager), "ID_CONFLICT").id).toBe("a");
    expect(manager.list({ kind: "other" })).toHaveLength(before);
  });

  test("for a plain function the id alone counts; a kind with it is IdConflictError", () => {
    const { manager } = knowing(other);
    const first = manager.spawn(() => 1, { id: "a" });
    expect(manager.spawn(() => 2, { id: "a" }).id).toBe(first.id);
    refused(() => manager.spawn(other, options), "ID_CONFLICT");
  });

  test("a call is one of its session and run", () => {
    const { manager } = knowing(other);
    const spawn = (session: string, runId: string, input: unknown) =>
      manager.session(session).spawn(other, { callId: "call", runId, input }).id;
    const id = spawn("chat", "run", 1);
    expect(spawn("chat", "run", 1)).toBe(id);
    expect(new Set([id, spawn("chat", "other", 2), spawn("other", "run", 3)]).size).toBe(3);
    expect(spawn("chat", "run", 2)).not.toBe(id);
  });

  test("holds as long as the record is kept", async () => {
    const { manager } = await started({ retention: { maxFinished: 1 } });
    await manager.spawn(other, options).result();
    await manager.spawn(() => 1, { id: "b" }).result();
    expect(manager.get("a")).toBeUndefined();
    expect(await manager.spawn(other, { id: "a", input: 2 }).result()).toBe(2);
  });
});

describe("§12 get(id, kind)", () => {
  test("types the result, is undefined when unknown, and a TypeError that names both when it is of another kind", async () => {
    const { manager } = knowing(double);
    const handle = manager.spawn(double, { id: "a", input: { n: 1 } });
    const plain = manager.spawn(() => 1, { id: "b" });
    const found: Promise<number> = given(manager.get("a", double)).result();
    expect([await found, handle.id, manager.get("nobody", double)]).toEqual([2, "a", undefined]);
    const other = defineKind({ name: "other", run: () => 1 });
    for (const [id, kind, named] of [
      ["a", other, /double.*other|other.*double/],
      [plain.id, double, /double/],
    ] as const) {
      expect(() => manager.get(id, kind)).toThrow(
        expect.objectContaining({ name: "TypeError", message: expect.stringMatching(named) }),
      );
    }
  });
});

describe("§12 defineKind refuses", () => {
  const good = { name: "kind", run: () => 1 };
  test.each<[what: string, definition: unknown, error: string, named: string]>([
    ["nothing", undefined, "TypeError", "definition"],
    ["no name", { run: () => 1 }, "TypeError", "name"],
    ["an empty name", { ...good, name: "" }, "RangeError", "name"],
    ["a name that is no string", { ...good, name: 1 }, "TypeError", "name"],
    ["no function", { name: "kind" }, "TypeError", "run"],
    ["a function that is none", { ...good, run: 1 }, "TypeError", "run"],
    ["an input that is no schema", { ...good, input: {} }, "TypeError", "input"],
    ["an output that is no schema", { ...good, output: {} }, "TypeError", "output"],
    ["a checkpoint that is no schema", { ...good, checkpoint: {} }, "TypeError", "checkpoint"],
    ["canReattach: true", { ...good, canReattach: true }, "TypeError", "canReattach"],
    ["maxAttempts 0", { ...good, retry: { maxAttempts: 0 } }, "RangeError", "retry.maxAttempts"],
    ["maxAttempts 1.5", { ...good, retry: { maxAttempts: 1.5 } }, "RangeError", "retry.maxAttempts"],
    ['maxAttempts "3"', { ...good, retry: { maxAttempts: "3" } }, "TypeError", "retry.maxAttempts"],
    ["an unknown option of retry", { ...good, retry: { times: 3 } }, "TypeError", "times"],
    ["a negative timeout", { ...good, timeoutMs: -1 }, "RangeError", "timeoutMs"],
    ["an empty lane", { ...good, lane: "" }, "RangeError", "lane"],
    ["a description that is no string", { ...good, description: 1 }, "TypeError", "description"],
    ["a misspelt option", { ...good, canReatach: () => true }, "TypeError", "canReatach"],
  ])("%s", async (_what, definition, error, named) => {
    expect(await refusalOf(() => define(definition))).toMatchObject({
      name: error,
      message: expect.stringContaining(named),
    });
  });

  test("an input that is no object as schema with a TypeError that names it", async () => {
    for (const input of [null, 1, "text"])
      expect(await refusalOf(() => define({ ...good, input }))).toMatchObject({
        name: "TypeError",
        message: expect.stringContaining("input"),
      });
  });
});

describe("§12 a manager refuses", () => {
  const store = () => new HeldStore();
  const without = (method: string) => Object.assign(store(), { [method]: undefined });

  test("a `store` in its constructor, and says what to use", () => {
    expect(() => new TaskManager({ store: store() })).toThrow(
      expect.objectContaining({ name: "TypeError", message: expect.stringContaining("TaskManager.open") }),
    );
  });

  test.each<[what: string, options: unknown, named: string]>([
    ["no options", undefined, "options"],
    ["a store that is a path", { store: "./.errand" }, "store"],
    ["a store that is null", { store: null }, "store"],
    ...["open", "append", "read", "compact", "putOutput", "getOutput", "deleteOutputs", "close"].map(
      (method): [string, unknown, string] => [
        `a store without ${method}`,
        { store: without(method) },
        `store.${method}`,
      ],
    ),
    ["a store whose readLists is no method", { store: Object.assign(store(), { readLists: [] }) }, "store.readLists"],
    ["kinds that are no list", { kinds: double }, "kinds"],
    ["a kind that is a function", { kinds: [() => 1] }, "kinds[0]"],
    ["a kind that looks like one", { kinds: [double, { name: "double", "~kind": {} }] }, "kinds[1]"],
    ["another durability", { durability: "none" }, "durability"],
    ["a misspelt option", { stores: store() }, "stores"],
  ])("%s", async (_what, options, named) => {
    expect(await refusalOf(() => TaskManager.open(options as TaskManagerOptions))).toMatchObject({
      name: "TypeError",
      message: expect.stringContaining(named),
    });
  });

  test("a refused `open` has not touched its store", async () => {
    const untouched = store();
    await refusalOf(() => TaskManager.open({ store: untouched, concurrency: 0 }));
    await refusalOf(() => TaskManager.open({ store: untouched, kinds: [{} as never] }));
    expect(untouched.calls).toEqual([]);
  });

  test("`open` without a store is the constructor", async () => {
    const manager = await TaskManager.open({ kinds: [double] });
    expect(await manager.spawn("double", { input: { n: 4 } }).result()).toBe(8);
  });
});
