// Tools: the set, the call, and the refusals of all six (§9).

import { defineKind, isErrandError, TaskManager } from "errand";
import { memoryStore } from "errand/testing";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { agent, echo, kinds, refusalIn, textIn, toolsOf } from "../../support/agent.js";
import { peek, settled } from "../../support/basics.js";
import { given, hold, holdDeaf, refusalOf } from "../../support/program.js";

const HERE = { kind: "dig", input: { where: "here" } };
const HELLO = { kind: "echo", input: { text: "hello" } };

describe("§9 the set", () => {
  test("is six tools in one order, or those that are asked for", () => {
    const { session } = agent();
    const names = ["spawn_task", "list_tasks", "get_task", "await_tasks", "message_task", "cancel_task"];
    expect(session.tools().map(({ name }) => name)).toEqual(names);
    expect(session.tools({ only: ["cancel_task", "spawn_task"] }).map(({ name }) => name)).toEqual([
      "spawn_task",
      "cancel_task",
    ]);
  });

  test("has no spawn_task where there is no kind to start", () => {
    const session = new TaskManager().session("chat");
    expect(session.tools().map(({ name }) => name)).not.toContain("spawn_task");
  });

  test("offers the kinds of its options, by name or by value, and no others", async () => {
    const { session } = agent();
    const call = toolsOf(session, { kinds: ["dig", echo] });
    expect(refusalIn(await call("spawn_task", { kind: "fail", input: { why: "no" } }))).toContain("one of dig, echo");
    expect(await call("spawn_task", HELLO)).toMatchObject({ status: "queued" });
  });

  test.each([
    [{ kinds: ["sow"] }, "There is no kind"],
    [{ kinds: [defineKind({ name: "sow", run: () => 1 })] }, "There is no kind"],
    [{ kinds: [5] }, "kinds[0] must be a kind or its name, got 5"],
    [{ kinds: "dig" }, 'kinds must be a list of kinds and their names, got "dig"'],
    [{ only: ["start_task"] }, "only[0] must be one of"],
    [{ only: "get_task" }, "only must be a list of tools"],
    [{ maxResultBytes: 511 }, "maxResultBytes must be an integer ≥ 512, got 511"],
    [{ maxBytes: 2_048 }, 'tools has no option "maxBytes"'],
    [{ spawn: { title: "all of them" } }, 'tools.spawn has no option "title"'],
    [{ spawn: { wake: "always" } }, "spawn.wake must be one of"],
    [{ spawn: { budget: { tokens: -1 } } }, "budget.tokens must be an integer ≥ 0, got -1"],
    [{ spawn: { timeoutMs: "5" } }, 'spawn.timeoutMs must be a number of milliseconds ≥ 0, got "5"'],
    [{ spawn: { metadata: "m" } }, 'spawn.metadata must be an object, got "m"'],
    [{ spawn: { weight: { tokens: -1 } } }, "weight.tokens must be a finite number ≥ 0, got -1"],
  ])("§12 refuses %j", async (options, message) => {
    const error = await refusalOf(() => agent().session.tools(options as object));
    expect((error as Error).message).toContain(message);
  });
});

describe("§9 a call", () => {
  test("has the same answer whether what is left out is absent, null or empty", async () => {
    const { call, manager } = agent();
    await call("spawn_task", { ...HELLO, name: null, title: "", wait_ms: null });
    expect(manager.list()).toMatchObject([{ kind: "echo" }]);
    expect(given(manager.list()[0])).not.toHaveProperty("title");
    expect(await call("list_tasks", undefined)).toEqual(await call("list_tasks", null));
  });

  test("rejects when its signal has aborted, with its reason, and has done nothing", async () => {
    const { call, manager } = agent();
    const reason = new Error("the user left");
    expect(await refusalOf(() => call("spawn_task", HELLO, { signal: AbortSignal.abort(reason) }))).toBe(reason);
    expect(manager.list()).toEqual([]);
  });

  test("rejects when its signal aborts while it waits; what it started goes on", async () => {
    const { call, manager } = agent();
    const stop = new AbortController();
    const waiting = [
      call("spawn_task", { ...HERE, wait_ms: 1_000 }, { signal: stop.signal }),
      call("await_tasks", {}, { signal: stop.signal }),
    ];
    const reason = new Error("the user left");
    stop.abort(reason);
    for (const each of waiting) expect(await refusalOf(() => each)).toBe(reason);
    await settled();
    expect(manager.list()).toMatchObject([{ status: "running" }]);
  });

  test("D8 rejects once the manager is closed, whatever the tool", async () => {
    const { session, manager } = agent();
    const tools = session.tools();
    await manager.close();
    for (const tool of tools) {
      const error = await refusalOf(() => tool.execute({}));
      expect(isErrandError(error, "MANAGER_CLOSED")).toBe(true);
    }
  });

  test("D8 that waits when the manager closes tells how the tasks ended by that", async () => {
    const { call, manager } = agent();
    holdDeaf(manager.session("chat"));
    const waiting = call("await_tasks");
    await manager.close({ graceMs: 0 });
    expect(await waiting).toMatchObject({ ended: [{ status: "interrupted", reason: "shutdown" }] });
  });

  test("C3 rejects when the task whose loop makes it is stopped", async () => {
    const { manager } = agent();
    const parent = hold(manager);
    await settled();
    const call = toolsOf(parent.ctx);
    await call("spawn_task", HERE);
    const waiting = peek(call("await_tasks"));
    void parent.handle.cancel("enough");
    expect(await waiting).toMatchObject({ is: "rejected", error: { code: "TASK_CANCELLED" } });
  });

  test("D1 gives a receipt once the spawn is stored", async () => {
    const manager = await TaskManager.open({ store: memoryStore(), kinds });
    const session = manager.session("chat");
    const call = toolsOf(session);
    const id = textIn(await call("spawn_task", HELLO), "task_id");
    const stored = await peek(given(session.get(id)).stored());
    expect(stored.is).toBe("fulfilled");
    await manager.close();
  });
});

describe("§12 a call names its options", () => {
  test("another option is a TypeError that names the nearest, and nothing is started", async () => {
    const { session, manager } = agent();
    const [spawn] = session.tools();
    const execute = (call: unknown) => given(spawn).execute(HELLO, call as object);
    await expect(execute({ callID: "x" })).rejects.toThrow(/did you mean callId/i);
    await expect(execute({ toolCallId: "x", abortSignal: new AbortController().signal })).rejects.toThrow(TypeError);
    await expect(execute(null)).rejects.toThrow(/the options of spawn_task must be an object, got null/);
    await expect(execute({ callId: 7 })).rejects.toThrow(/callId must be a string, got 7/);
    expect(manager.list()).toEqual([]);
  });

  test("no definition has an invisible character, or half of one", async () => {
    const sly = defineKind({
      name: "sl\u200By",
      description: "half \uD83D",
      input: z.object({ text: z.string().describe("tag \u{E0041} half \uD83D") }),
      run: (_ctx, { text }) => text,
    });
    const manager = new TaskManager({ kinds: [sly] });
    const session = manager.session("chat");
    for (const tool of session.tools()) {
      const told = JSON.stringify([tool.description, tool.inputSchema.toJSON()]);
      expect(told).not.toMatch(/\\ud83d|[\u200B\u{E0041}]/u);
    }
    const call = toolsOf(session);
    expect(await call("spawn_task", { kind: "sly", input: { text: "a" }, wait_ms: 1_000 })).toMatchObject({
      result: "a",
    });
    await manager.close();
  });
});

describe("§9 a refusal is a result that says what to do next", () => {
  const full = async (limits: object, spawns: number, kind = HERE) => {
    const { manager, session } = agent({ limits, concurrency: 1 });
    const parent = hold(session, { budget: "budget" in limits ? (limits.budget as object) : undefined });
    await settled();
    const call = toolsOf(parent.ctx);
    for (let n = 0; n < spawns; n++) await call("spawn_task", kind);
    return { refusal: refusalIn(await call("spawn_task", kind)), manager };
  };

  test.each<[what: string, limits: object, spawns: number, says: RegExp]>([
    ["H4 too deep", { maxDepth: 0 }, 0, /1 levels deep.*→ Do this work yourself/],
    ["H4 too many children", { maxChildren: 2 }, 2, /2 living children.*→ await_tasks with mode any/],
    ["H4 too many below one root", { maxDescendants: 2 }, 2, /2 tasks live below.*→ await_tasks with mode any/],
    ["L6 the line is full", { maxQueued: 1 }, 1, /^1 tasks are in line already → await_tasks until some have ended/],
  ])("%s", async (_what, limits, spawns, says) => {
    const { refusal, manager } = await full(limits, spawns);
    expect(refusal).toMatch(says);
    await manager.close({ graceMs: 0 });
  });

  test.each<[what: string, budget: object, says: RegExp]>([
    ["H6 no more tasks", { tasks: 1 }, /budget of task task_1 is 1 tasks.*→ Start nothing more/],
    ["H6 no more tokens", { tokens: 0 }, /no tokens left.*→ Start nothing more/],
  ])("%s", async (_what, budget, says) => {
    const { session } = agent();
    const parent = hold(session, { budget });
    await settled();
    expect(refusalIn(await toolsOf(parent.ctx)("spawn_task", HERE))).toMatch(says);
  });

  test("H3 of a session that is being stopped", async () => {
    const { session, call } = agent();
    const deaf = holdDeaf(session);
    await settled();
    void session.cancelAll();
    expect(refusalIn(await call("spawn_task", HERE))).toContain("You are being stopped");
    deaf.finish();
  });

  test("H0 of a task whose function is over", async () => {
    const { session } = agent();
    const parent = hold(session);
    await settled();
    const call = toolsOf(parent.ctx);
    parent.finish();
    await settled();
    expect(refusalIn(await call("spawn_task", HERE))).toContain("Task task_1 is over");
  });

  test("§12 of input that fails its schema: with the place, and nothing started", async () => {
    const { call, manager } = agent();
    const refusal = refusalIn(await call("spawn_task", { kind: "dig", input: { where: 5, depth: "deep" } }));
    expect(refusal).toMatch(/^input does not fit: where: .*; depth: .* → Nothing was started/);
    expect(manager.list()).toEqual([]);
  });

  test("§10 of a kind whose schema answers later, or throws", async () => {
    const later = defineKind({
      name: "later",
      input: z.string().refine(async () => true),
      run: () => 1,
    });
    const { call } = agent({ kinds: [later] });
    expect(refusalIn(await call("spawn_task", { kind: "later", input: "x" }))).toContain("Nothing was done");
  });

  test("D5 of a store that takes nothing new, without waiting for it", async () => {
    const store = memoryStore();
    const append = store.append.bind(store);
    const manager = await TaskManager.open({ store, kinds });
    const session = manager.session("chat");
    store.append = () => Promise.reject(new Error("disk full"));
    const failed = new Promise((resolve) => manager.on("store.failed", resolve));
    session.spawn(() => 1);
    await failed;
    expect(refusalIn(await toolsOf(session)("spawn_task", HELLO))).toMatch(/disk full.*→ .*try again later/);
    store.append = append;
    await manager.close();
  });

  test("L3 of a wait that could never end", async () => {
    const { manager, session } = agent();
    const waiter = manager.session("other").spawn(async (ctx) => {
      await ctx.receive();
      return refusalIn(await toolsOf(session)("await_tasks", { task_ids: ["task_2"] }));
    });
    session.spawn(() => waiter.outcome());
    await settled();
    await waiter.send("go");
    expect(await waiter.result()).toMatch(/could never end.*→ Do not wait for it/);
  });
});
