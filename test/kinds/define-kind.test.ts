// A kind (§10) by value and by name: whose retry, schemas, lane and hooks a task has, and what of it is refused.
//
// The input and the output of a kind are tested in test/core/kinds/kinds.test.ts, schemas of three libraries in
// test/core/schema/schemas.test.ts.

import type { KindDefinition, RetryOptions, SpawnOptions, TaskHandle, TaskManager, TaskRecord } from "errand";
import { defineKind, TaskManager as Manager } from "errand";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { facts, settled } from "../support/basics.js";
import { given, refusalOf, refused, typesOf, untilStopped, world } from "../support/program.js";
import { started, task } from "../support/restarts.js";

/** Fails until it has run so often. */
function flaky(succeedsAt: number, more: Partial<KindDefinition<undefined, undefined, string, string, unknown>> = {}) {
  const attempts: number[] = [];
  const kind = defineKind({
    name: "flaky",
    run: (ctx) => {
      attempts.push(ctx.attempt);
      if (attempts.length < succeedsAt) throw new Error(`attempt ${ctx.attempt}`);
      return `attempt ${ctx.attempt}`;
    },
    ...more,
  });
  return { kind, attempts };
}

const thrice: RetryOptions = { maxAttempts: 3, backoffMs: 100, jitter: false };

/** The ways to start a task of a kind. */
const ways: readonly [
  string,
  (manager: TaskManager, kind: ReturnType<typeof flaky>["kind"], options?: SpawnOptions) => TaskHandle,
][] = [
  ["by value", (manager, kind, options) => manager.spawn(kind, options)],
  ["by name", (manager, _kind, options) => manager.spawn("flaky", options)],
  ["by value, of a session", (manager, kind, options) => manager.session("chat").spawn(kind, options)],
];

describe.each(ways)("§10 the retry of a kind that is spawned %s", (_way, spawn) => {
  test("is that of the kind: so many attempts, after its pauses", async () => {
    const { kind, attempts } = flaky(3, { retry: thrice });
    const { manager, pass, clock } = world({ kinds: [kind] });
    const handle = spawn(manager, kind);
    await pass(0);
    expect(handle.record).toMatchObject({ status: "queued", notBeforeAt: 100 });
    await pass(99);
    expect(attempts).toEqual([1]);
    await pass(1);
    expect([attempts, handle.record.notBeforeAt]).toEqual([[1, 2], clock.now() + 200]);
    await pass(200);
    expect(await handle.result()).toBe("attempt 3");
  });

  test("is what the spawn says, if it says one", async () => {
    const { kind, attempts } = flaky(9, { retry: thrice });
    const { manager, pass } = world({ kinds: [kind] });
    const handle = spawn(manager, kind, { retry: { maxAttempts: 1 } });
    await pass(10_000);
    expect([attempts, handle.status]).toEqual([[1], "failed"]);
  });

  test("asks its `retryIf`, with the failure and the number of the attempt", async () => {
    const asked: [string, number][] = [];
    const { kind } = flaky(9, {
      retry: { ...thrice, retryIf: ({ message }, attempt) => (asked.push([message, attempt]), attempt < 2) },
    });
    const { manager, pass } = world({ kinds: [kind] });
    const handle = spawn(manager, kind);
    await pass(10_000);
    expect(asked).toEqual([
      ["attempt 1", 1],
      ["attempt 2", 2],
    ]);
    expect(handle.record).toMatchObject({ status: "failed", attempt: 2, error: { message: "attempt 2" } });
  });
});

describe("§10 the input of each attempt", () => {
  const schemas: readonly [string, z.ZodType<{ list: number[] }> | undefined][] = [
    ["with a schema", z.object({ list: z.array(z.number()) })],
    ["with none", undefined],
  ];
  test.each(schemas)("is what was passed, whatever the attempt before did to its own: %s", async (_which, input) => {
    const seen: string[] = [];
    const kind = defineKind({
      name: "greedy",
      input,
      retry: { maxAttempts: 3, backoffMs: 0 },
      run: (_ctx, given_: { list: number[] }) => {
        seen.push(JSON.stringify(given_));
        given_.list.push(seen.length);
        throw new Error("once more");
      },
    });
    const { manager, pass } = world();
    const handle = manager.spawn(kind, { input: { list: [0] } });
    await pass(10);
    expect([handle.record.attempt, seen]).toEqual([3, ['{"list":[0]}', '{"list":[0]}', '{"list":[0]}']]);
    expect(handle.record.input).toEqual({ list: [0] });
  });
});

describe("§10 a kind that is spawned by value", () => {
  test("and is not registered has all that it says: retry, lane, timeout, schemas, hooks", async () => {
    const heard: string[] = [];
    const wound: string[] = [];
    const kind = defineKind({
      name: "whole",
      input: z.object({ n: z.coerce.number() }),
      output: z.number().transform((n) => n * 10),
      checkpoint: z.object({ page: z.number() }),
      lane: "own",
      timeoutMs: 1_000,
      retry: { maxAttempts: 2, backoffMs: 0 },
      deliver: (_record, { id }) => void heard.push(id),
      cancel: (_record, reason) => void wound.push(reason),
      run: async (ctx, { n }) => {
        if (ctx.attempt === 1) return untilStopped(ctx);
        expect(await refusalOf(() => ctx.checkpoint({ page: "x" } as never))).toMatchObject({ code: "INVALID_INPUT" });
        return n;
      },
    });
    const { manager, pass } = world({ lanes: { own: { concurrency: 1 } } });
    const handle = manager.spawn(kind, { input: { n: 4 } });
    await settled();
    const { id } = await handle.send("x");
    await pass(1_000);
    await pass(10);
    expect(await handle.result()).toBe(40);
    expect(handle.record).toMatchObject({ kind: "whole", lane: "own", attempt: 2, output: 40 });
    expect([heard, wound]).toEqual([[id], ["timeout"]]);
  });

  test("has its own ways, and not those of another kind of its name that is registered", async () => {
    // Hooks that throw are only logged: what is called is noted.
    const wrong: string[] = [];
    const registered = defineKind({
      name: "twin",
      retry: { maxAttempts: 9, backoffMs: 0 },
      checkpoint: z.string(),
      deliver: () => void wrong.push("deliver"),
      cancel: () => void wrong.push("cancel"),
      run: () => "registered",
    });
    const kind = defineKind({
      name: "twin",
      run: async (ctx) => {
        await ctx.checkpoint(7);
        if (ctx.record.tags.includes("fails")) throw new Error("once");
        return untilStopped(ctx);
      },
    });
    const { manager, pass } = world({ kinds: [registered] });
    const failing = manager.spawn(kind, { tags: ["fails"] });
    const stopped = manager.spawn(kind);
    await pass(100);
    expect(failing.record).toMatchObject({ status: "failed", attempt: 1 });
    await stopped.send("x");
    await stopped.cancel();
    await settled();
    expect(wrong).toEqual([]);
    expect(await manager.spawn("twin").result()).toBe("registered");
  });

  test("D4 is gone on with after a restart by the kind that is registered under its name then", async () => {
    const of = (text: string) =>
      defineKind({
        name: "lasting",
        canReattach: () => true,
        run: (ctx) => (ctx.attempt === 1 ? untilStopped(ctx) : `${text} ${ctx.attempt}`),
      });
    const first = await started({});
    const { id } = first.manager.spawn(of("old"));
    await settled();
    const second = await first.restart({ kinds: [of("new")] });
    expect(await task(second, id).result()).toBe("new 2");
  });

  test("is itself, also in a manager that closed over it before: two managers share one value", async () => {
    const { kind } = flaky(1);
    const [one, two] = [world({ kinds: [kind] }), world()];
    expect([await one.manager.spawn(kind).result(), await two.manager.spawn(kind).result()]).toEqual([
      "attempt 1",
      "attempt 1",
    ]);
  });
});

describe("§10 §12 names of kinds", () => {
  test("one that is not registered is UnknownKindError, everywhere a kind is named, and starts nothing", async () => {
    const { kind } = flaky(1);
    const { manager } = world({ kinds: [kind] });
    const session = manager.session("chat");
    for (const spawn of [
      () => manager.spawn("flakey"),
      () => session.spawn("flakey"),
      () => session.tools({ kinds: ["flakey"] }),
    ])
      expect(refused(spawn, "UNKNOWN_KIND")).toMatchObject({
        kind: "flakey",
        message: expect.stringContaining("flaky"),
      });
    const inside = manager.spawn((ctx) => refusalOf(() => ctx.spawn("flakey")));
    expect(await inside.result()).toMatchObject({ code: "UNKNOWN_KIND" });
    expect(manager.list({ parentId: inside.id })).toEqual([]);
  });

  test("two kinds of one name in a manager are a TypeError that names it; the same kind twice is one", () => {
    const kinds = [flaky(1).kind, flaky(1).kind];
    expect(() => new Manager({ kinds })).toThrow(
      expect.objectContaining({ name: "TypeError", message: expect.stringContaining('"flaky"') }),
    );
    const [kind] = kinds;
    expect(new Manager({ kinds: [given(kind), given(kind)] }).spawn("flaky").record.kind).toBe("flaky");
  });

  test("names that objects have are names like any other", async () => {
    const names = ["__proto__", "constructor", "toString", "hasOwnProperty"];
    const { manager } = world();
    for (const name of names) refused(() => manager.spawn(name), "UNKNOWN_KIND");
    const knowing = world({ kinds: names.map((name) => defineKind({ name, run: () => name })) }).manager;
    for (const name of names) expect(await knowing.spawn(name).result()).toBe(name);
  });

  test("get(id, kind) goes by the name, whichever value has it", async () => {
    const { kind } = flaky(1);
    const other = defineKind({ name: "other", run: () => 1 });
    const { manager } = world();
    const { id } = manager.spawn(kind);
    expect(manager.get(id, flaky(2).kind)?.id).toBe(id);
    expect(() => manager.get(id, other)).toThrow(/flaky.*other|other.*flaky/);
  });
});

describe("§10 a failure of a kind is reported faithfully", () => {
  test.each<[string, () => unknown, object]>([
    [
      "a throw",
      () => {
        throw new RangeError("there");
      },
      { code: "error", name: "RangeError", message: "there" },
    ],
    ["a rejection", () => Promise.reject(new Error("later")), { code: "error", message: "later" }],
    [
      "a throw of undefined",
      () => {
        // oxlint-disable-next-line typescript/only-throw-error
        throw undefined;
      },
      { code: "error", message: "undefined" },
    ],
  ])("%s, by name and by value, with an output schema and without", async (_what, run, error) => {
    for (const output of [undefined, z.string()]) {
      const kind = defineKind({ name: "failing", output, run: run as () => string });
      const { manager } = world({ kinds: [kind] });
      for (const handle of [manager.spawn(kind), manager.spawn("failing")])
        expect(await handle.outcome()).toMatchObject({ status: "failed", error });
    }
  });

  test("C1 what an output schema refuses is not tried again, and its events are those of a failure", async () => {
    const kind = defineKind({ name: "checked", output: z.string(), retry: thrice, run: () => 7 as unknown as string });
    const { manager, pass } = world();
    const told = facts(manager);
    const handle = manager.spawn(kind);
    await pass(10_000);
    expect(handle.record).toMatchObject({ status: "failed", attempt: 1, error: { code: "schema_mismatch" } });
    expect(typesOf(told, handle.id)).toEqual(["task.created", "task.started", "task.failed"]);
  });

  test("H1 children of a task whose result does not fit are swept with its code", async () => {
    const kind = defineKind({
      name: "checked",
      output: z.string(),
      run: (ctx) => {
        ctx.spawn(untilStopped);
        return 7 as unknown as string;
      },
    });
    const { manager } = world();
    const handle = manager.spawn(kind);
    expect((await handle.outcome()).status).toBe("failed");
    expect(manager.list({ parentId: handle.id })).toMatchObject([{ status: "cancelled", reason: "schema_mismatch" }]);
  });

  test("C6 the time that an output schema takes counts as the attempt's", async () => {
    const kind = defineKind({
      name: "slow",
      output: z.string().refine(() => new Promise<boolean>(() => undefined)),
      timeoutMs: 1_000,
      run: () => "x",
    });
    const { manager, pass } = world({ graceMs: 100 });
    const handle = manager.spawn(kind);
    await pass(1_000);
    await pass(100);
    expect(handle.record).toMatchObject({ status: "failed", error: { code: "timeout" } });
  });
});

describe("§8 §13 what is recorded of a task and its spawn", () => {
  const recorded = (record: TaskRecord) => {
    const { agent, runId, sessionId, tags, metadata, title, wake, priority, laneKey, children } = record;
    return { agent, runId, sessionId, tags, metadata, title, wake, priority, laneKey, children };
  };

  test("everything that was passed, by value and by name alike; what was not is absent", async () => {
    const { kind } = flaky(1);
    const { manager } = world({ kinds: [kind] });
    const options: SpawnOptions = {
      title: "Crawl",
      agent: "scout",
      createdBy: "planner",
      runId: "run-1",
      tags: ["a", "b", "a"],
      metadata: { a: { b: [1, null] }, at: new Date(0) },
      priority: 3,
      laneKey: "ann",
      children: "detach",
      wake: "onActivity",
    };
    const expected = {
      title: "Crawl",
      agent: "scout",
      runId: "run-1",
      tags: ["a", "b", "a"],
      metadata: { a: { b: [1, null] }, at: "1970-01-01T00:00:00.000Z" },
      priority: 3,
      laneKey: "ann",
      children: "detach",
      wake: "onActivity",
    };
    for (const handle of [manager.spawn(kind, options), manager.spawn("flaky", options)]) {
      expect(recorded(handle.record)).toMatchObject(expected);
      expect(handle.record.createdBy).toBe("planner");
      await handle.result();
    }
    const bare = manager.spawn(kind).record;
    for (const field of ["title", "agent", "createdBy", "runId", "laneKey", "sessionId", "name", "callId", "parentId"])
      expect(bare).not.toHaveProperty(field);
  });

  test("agent and runId are the parent's, createdBy is the parent's agent, unless the spawn says so", async () => {
    const { kind } = flaky(1);
    const { manager } = world({ kinds: [kind] });
    const parent = manager.spawn(
      async (ctx) => {
        const inherited = ctx.spawn(kind);
        const own = ctx.spawn("flaky", { agent: "other", runId: "run-2", createdBy: "me" });
        const changed = ctx.spawn(kind, { agent: "other" });
        const below = ctx.spawn((inner) => inner.spawn(kind).record);
        await ctx.awaitTasks([inherited, own, changed, below]);
        return [inherited.record, own.record, changed.record, await below.result()].map(
          ({ agent, runId, createdBy }) => [agent, runId, createdBy],
        );
      },
      { agent: "scout", runId: "run-1", createdBy: "ann" },
    );
    expect(await parent.result()).toEqual([
      ["scout", "run-1", "scout"],
      ["other", "run-2", "me"],
      ["other", "run-1", "scout"],
      ["scout", "run-1", "scout"],
    ]);
    expect(parent.record.createdBy).toBe("ann");
  });

  test("tags, metadata and title are not inherited", async () => {
    const { manager } = world();
    const parent = manager.spawn((ctx) => ctx.spawn(() => 1).record, {
      tags: ["a"],
      metadata: { a: 1 },
      title: "Parent",
      priority: 3,
      laneKey: "ann",
    });
    expect(await parent.result()).toMatchObject({ tags: [], metadata: {}, priority: 0 });
    expect(await parent.result()).not.toHaveProperty("title");
    expect(await parent.result()).not.toHaveProperty("laneKey");
  });

  test("D2 all of it is the same after a restart", async () => {
    const kind = defineKind({
      name: "lasting",
      canReattach: () => true,
      run: (ctx) => {
        if (ctx.attempt > 1) return untilStopped(ctx);
        ctx.link({ remoteTaskId: "r-1", resourceIds: ["a"] });
        ctx.link({ childSessionId: "s-1", resourceIds: ["b", "a"] });
        ctx.artifact({ name: "log", type: "text/plain", data: "one " });
        ctx.artifact({ name: "log", type: "text/plain", data: "two" });
        ctx.artifact({ name: "dot", type: "image/png", data: new Uint8Array([0, 255, 7]).subarray(1) });
        ctx.artifact({ name: "page", type: "text/html", url: "https://a.b" });
        ctx.summary("half of it");
        ctx.progress({ current: 1, total: 2 });
        return untilStopped(ctx);
      },
    });
    const first = await started({ kinds: [kind] });
    const handle = first.manager.session("chat").spawn(kind, {
      title: "Crawl",
      agent: "scout",
      createdBy: "planner",
      runId: "run-1",
      callId: "call-1",
      tags: ["a"],
      metadata: { a: [1] },
    });
    await settled();
    const before = handle.record;
    expect(before.links).toEqual({ remoteTaskId: "r-1", childSessionId: "s-1", resourceIds: ["a", "b"] });
    expect(before.artifacts).toEqual([
      { name: "log", type: "text/plain", data: "one ", encoding: "utf8" },
      { name: "log", type: "text/plain", data: "two", encoding: "utf8" },
      { name: "dot", type: "image/png", data: "/wc=", encoding: "base64" },
      { name: "page", type: "text/html", url: "https://a.b" },
    ]);
    const second = await first.restart();
    await settled();
    const { attempt, status, runtime, updatedAt, heartbeatAt, ...after } = task(second, handle.id).record;
    const { attempt: _a, status: _s, runtime: _r, updatedAt: _u, heartbeatAt: _h, ...same } = before;
    expect(after).toEqual(same);
    expect([attempt, status, runtime?.pid, updatedAt >= before.updatedAt, heartbeatAt]).toEqual([
      2,
      "running",
      process.pid,
      true,
      undefined,
    ]);
  });
});
