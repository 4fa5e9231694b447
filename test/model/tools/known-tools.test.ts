// Known tools: texts name only the tools that a model has. A model with some kinds sees no task of another kind (§9).

import { defineKind, TaskManager, type TaskToolName, type ToolOptions } from "errand";
import { manualClock } from "errand/testing";
import { describe, expect, test } from "vitest";
import type { Core } from "../../../lib/core/core.js";
import { knownTools } from "../../../lib/model/tools/known-tools.js";
import { agent, type Result, refusalIn, toolsOf } from "../../support/agent.js";
import { settled } from "../../support/basics.js";
import { given, hold, untilStopped } from "../../support/program.js";

const NAMES: readonly TaskToolName[] = [
  "spawn_task",
  "list_tasks",
  "get_task",
  "await_tasks",
  "message_task",
  "cancel_task",
];

/** All texts of the tools of a set, in results and in refusals. */
async function saidBy(only: readonly TaskToolName[]): Promise<string[]> {
  const made = agent({ concurrency: 4, limits: { maxQueued: 8 } });
  const { session, manager, pass } = made;
  const parent = hold(manager.session("deep"), { budget: { tasks: 1 } });
  await settled();
  const tools = session.tools({ only });
  const said: string[] = tools.flatMap(({ description, inputSchema }) => [description, JSON.stringify(inputSchema)]);
  const call = async (name: string, input: object) => {
    const tool = tools.find((each) => each.name === name);
    if (tool === undefined) return;
    const calling = tool.execute(input);
    await pass(10);
    said.push(JSON.stringify(await calling));
  };
  const all = async (task_id: string) => {
    await call("get_task", { task_id });
    await call("get_task", { task_id });
    await call("get_task", { task_id, result_after: 3 });
    await call("message_task", { task_id, message: "hello" });
    await call("message_task", { task_id, message: "hello", in_reply_to: "request_1" });
    await call("message_task", { task_id, message: "hello", in_reply_to: "request_2" });
    await call("await_tasks", { task_ids: [task_id], timeout_ms: 5 });
    await call("cancel_task", { task_id, wait_ms: 5 });
  };
  await all("nowhere");
  await call("spawn_task", { kind: "dig", input: { where: "here" }, name: "scout" });
  const asks = session.spawn((ctx) => ctx.ask({ question: "Which?" }), { wake: "onActivity" });
  const approves = session.spawn((ctx) => ctx.approve("Really?"));
  const long = session.spawn(() => "x".repeat(5_000));
  await settled();
  await call("spawn_task", { kind: "dig", input: { where: "here" }, wait_ms: 5, name: "scout" });
  await call("spawn_task", { kind: "dig", input: { where: "here" }, wait_ms: 5 });
  await session.nextNotices({ timeoutMs: 0 });
  for (let n = 0; n < 3; n++) await call("spawn_task", { kind: "dig", input: { where: "here" } });
  await call("spawn_task", { kind: "echo", input: { text: "x".repeat(5_000) }, wait_ms: 5 });
  await call("await_tasks", { timeout_ms: 5 });
  await call("await_tasks", { timeout_ms: 5 });
  await call("list_tasks", {});
  for (const { id } of [asks, approves, long]) await all(id);
  // The tools of a task whose budget is used up.
  const below = parent.ctx.tools({ only, maxResultBytes: 512 });
  const spawning = below.find(({ name }) => name === "spawn_task");
  said.push(JSON.stringify(await spawning?.execute({ kind: "deploy" })));
  said.push(session.view());
  session.spawn(() => 1, { root: true });
  said.push((await session.nextNotices({ timeoutMs: 0 }))?.text ?? "");
  await manager.close({ graceMs: 0 });
  return said;
}

describe("§9 what a tool says", () => {
  const sets: readonly (readonly TaskToolName[])[] = [
    ...NAMES.map((name) => [name]),
    ...NAMES.map((name) => NAMES.filter((other) => other !== name)),
    ["spawn_task", "get_task"],
    ["spawn_task", "message_task"],
  ];
  test.each(sets.map((only) => [only.join(" "), only] as const))(
    "names only tools that were given out with it, in its description, its schema and every result: %s",
    async (_what, only) => {
      const named = (await saidBy(only)).join("\n").match(new RegExp(NAMES.join("|"), "g")) ?? [];
      expect([...new Set(named)].filter((name) => !only.includes(name as TaskToolName))).toEqual([]);
    },
  );

  test("has a hint for every refusal also where no tool can be named", async () => {
    const { session } = agent();
    const call = toolsOf(session, { only: ["get_task"] });
    expect(refusalIn(await call("get_task", { task_id: "nowhere" }))).toContain("→ You have no tasks");
    session.spawn(untilStopped);
    expect(refusalIn(await call("get_task", { task_id: "nowhere" }))).toMatch(/→ There are task_1$/);
  });
});

describe("§9 to a model that is given some kinds", () => {
  const run = (name: string) =>
    defineKind({
      name,
      run: async (ctx) => {
        const message = await ctx.receive();
        return message === undefined ? "" : ctx.ask({ question: "Which?" });
      },
    });
  const kinds = [run("search"), run("deploy")];
  const given2 = (options: ToolOptions = { kinds: ["search"] }) => {
    const made = agent({ kinds });
    return { ...made, call: toolsOf(made.session, options) };
  };
  const refusesAll = async (call: (name: string, input: object) => Promise<Result>, task_id: string) => {
    const calls: readonly (readonly [string, object])[] = [
      ["get_task", { task_id }],
      ["get_task", { task_id, result_after: 0 }],
      ["await_tasks", { task_ids: [task_id], timeout_ms: 0 }],
      ["message_task", { task_id, message: "x" }],
      ["message_task", { task_id, message: "x", in_reply_to: "request_1" }],
      ["cancel_task", { task_id, wait_ms: 0 }],
      ["list_tasks", { after: task_id }],
    ];
    for (const [name, input] of calls) expect(refusalIn(await call(name, input)), name).toContain("There is no task");
  };

  test("a task of another kind is unknown to each tool: by id, by name, in lists, counts and hints", async () => {
    const { session, call, manager } = given2();
    const deploy = session.spawn("deploy", { name: "to-production" });
    const plain = session.spawn(untilStopped, { title: "no kind" });
    const search = session.spawn("search", { name: "scout" });
    await settled();
    await deploy.send("ask");
    await settled();
    await refusesAll(call, deploy.id);
    await refusesAll(call, "to-production");
    await refusesAll(call, plain.id);
    const seen = JSON.stringify([
      await call("list_tasks"),
      await call("list_tasks", { kind: "deploy" }),
      await call("await_tasks", { timeout_ms: 0 }),
      await call("get_task", { task_id: "nowhere" }),
      await call("spawn_task", { kind: "search", name: "to-production" }),
      await call("spawn_task", { kind: "deploy" }),
    ]);
    for (const word of [deploy.id, plain.id, '"deploy"', "request_1"]) expect(seen).not.toContain(word);
    expect(await call("list_tasks")).toMatchObject({ tasks: [{ task_id: search.id }], counts: { blocked: 1 } });
    expect([deploy.status, plain.status]).toEqual(["blocked", "running"]);
    await manager.close({ graceMs: 0 });
  });

  test("a family is shown without its other members: above, below and waited for", async () => {
    const { session, manager } = agent({ kinds });
    const above = hold(session, { title: "no kind" });
    await settled();
    const inner = hold(above.ctx);
    await settled();
    const search = inner.ctx.spawn("search");
    await settled();
    const waits = defineKind({ name: "waits", run: (ctx) => ctx.awaitTasks([ctx.spawn(untilStopped), search.id]) });
    const other = session.spawn(waits);
    await settled();
    const call = toolsOf(session, { kinds: ["search"] });
    expect(await call("get_task", { task_id: search.id })).not.toHaveProperty("under");
    const everything = toolsOf(session);
    expect(await everything("get_task", { task_id: search.id })).toMatchObject({ under: inner.handle.id });
    // The set with all kinds shows the tasks that the other set hides.
    expect(await everything("get_task", { task_id: other.id })).toMatchObject({
      detail: expect.stringMatching(/waits for task_\d+, task_\d+/),
    });
    expect(JSON.stringify(await call("await_tasks", { timeout_ms: 0 }))).not.toContain(inner.handle.id);
    expect((await everything("cancel_task", { task_id: above.handle.id })).stopped_below).toHaveLength(2);
    await manager.close({ graceMs: 0 });
  });

  test("what is stopped below its own task is shown of its kinds alone, and a question of another kind is not shown", async () => {
    const parentKind = defineKind({
      name: "parent",
      run: async (ctx) => {
        ctx.spawn("search");
        ctx.spawn((child) => child.ask({ question: "Secret?" }));
        await untilStopped(ctx);
      },
    });
    const { session, manager } = agent({ kinds: [...kinds, parentKind] });
    const call = toolsOf(session, { kinds: ["parent", "search"] });
    const { task_id } = await call("spawn_task", { kind: "parent" });
    await settled();
    const [, search, asks] = manager.list();
    const waited = await call("await_tasks", { timeout_ms: 0 });
    expect(JSON.stringify([waited, await call("get_task", { task_id: given(task_id) })])).not.toContain("Secret?");
    const cancelled = await call("cancel_task", { task_id: given(task_id) });
    expect(cancelled.stopped_below).toEqual([given(search).id]);
    expect(manager.get(given(asks).id)?.status).toBe("cancelled");
    await manager.close({ graceMs: 0 });
  });

  test("a detail names only tasks that it may see", async () => {
    const waits = defineKind({ name: "waits", run: (ctx) => ctx.awaitTasks(["hidden", "seen"]) });
    const { session, manager } = agent({ kinds: [...kinds, waits] });
    session.spawn("deploy", { id: "hidden" });
    session.spawn("search", { id: "seen" });
    const { id } = session.spawn(waits);
    await settled();
    const detail = async (only: string[]) =>
      (await toolsOf(session, { kinds: only })("get_task", { task_id: id })).detail;
    expect(await detail(["waits", "search"])).toBe("waits for seen");
    expect(await detail(["waits"])).toBe("waits for others");
    await manager.close({ graceMs: 0 });
  });

  test("N1 the tasks that its notices only counted are listed without those of other kinds", async () => {
    const ends = ["crawl", "build"].map((name) => defineKind({ name, run: () => "x".repeat(700) }));
    const { session, manager } = agent({ kinds: ends });
    const call = toolsOf(session, { kinds: ["crawl"], maxResultBytes: 100_000 });
    for (let n = 0; n < 400; n++) session.spawn(n % 2 === 0 ? "crawl" : "build");
    await settled();
    const text = (await session.nextNotices({ timeoutMs: 0 }))?.text ?? "";
    const batch = Number(/list_tasks with batch (\d+)/.exec(text)?.[1]);
    const { tasks } = (await call("list_tasks", { batch, limit: 100 })) as { tasks: { kind: string }[] };
    expect(new Set(tasks.map(({ kind }) => kind))).toEqual(new Set(["crawl"]));
    await manager.close();
  });

  test("nothing at all is known of where there are no kinds", async () => {
    const { session, call } = given2({ kinds: [] });
    session.spawn("search");
    expect(session.tools({ kinds: [] }).map(({ name }) => name)).not.toContain("spawn_task");
    expect(await call("list_tasks")).toEqual({ tasks: [], counts: {} });
  });
});

describe("§16 a refusal and a failure", () => {
  test("differ by their field: `error` is a text of the tool, `failure` is how a task failed", async () => {
    const { call } = agent();
    const fails = { kind: "fail", input: { why: "no luck" }, wait_ms: 1_000 };
    const started = await call("spawn_task", fails);
    const { task_id } = started;
    const failure = { code: "error", message: "no luck" };
    for (const result of [started, await call("get_task", { task_id }), await call("cancel_task", { task_id })]) {
      expect(result).toMatchObject({ status: "failed", failure });
      expect(result).not.toHaveProperty("error");
    }
    expect(await call("await_tasks", { task_ids: [task_id] })).toMatchObject({ ended: [{ failure }] });
    for (const refusal of [await call("get_task", { task_id: "nowhere" }), await call("spawn_task", { kind: "fail" })])
      expect(refusal).toEqual({ error: expect.any(String), hint: expect.any(String) });
  });
});

describe("the tools of a session", () => {
  /** How many tools the model of a session is known to have. */
  const known = (manager: TaskManager, sessionId: string): number =>
    knownTools((manager as unknown as { readonly core: Core }).core, sessionId).size;

  test("D6 are forgotten with the session, and known again at the next call of a tool", async () => {
    const clock = manualClock();
    const manager = new TaskManager({ clock, retention: { ttlMs: 1_000 } });
    const [get] = manager.session("chat-1").tools({ only: ["get_task"] });
    expect(known(manager, "chat-1")).toBe(1);
    await clock.advance(3_000);
    expect(known(manager, "chat-1")).toBe(NAMES.length);
    await get?.execute({ task_id: "nowhere" }, { callId: "call_1" });
    expect(known(manager, "chat-1")).toBe(1);
  });

  test("§9 are those of all its sets, in whatever order the sets were made", () => {
    const kinds = [defineKind({ name: "dig", run: () => "sand" })];
    const manager = new TaskManager({ kinds });
    manager.session("chat-1").tools();
    manager.session("chat-1").tools({ only: ["get_task"] });
    manager.session("chat-2").tools({ only: ["get_task"] });
    manager.session("chat-2").tools();
    expect([known(manager, "chat-1"), known(manager, "chat-2")]).toEqual([NAMES.length, NAMES.length]);
  });
});
