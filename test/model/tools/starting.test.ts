// Tools that start and stop work: spawn_task, cancel_task (§9, §10).

import { describe, expect, test } from "vitest";
import { agent, bytesOf, refusalIn, textIn, toolsOf } from "../../support/agent.js";
import { peek, settled } from "../../support/basics.js";
import { given, hold, holdDeaf } from "../../support/program.js";

const HERE = { kind: "dig", input: { where: "here" } };
const HELLO = { kind: "echo", input: { text: "hello" } };

describe("§9 spawn_task", () => {
  test("§10 spawns once for a call, however often it is made", async () => {
    const { call, manager } = agent();
    const first = await call("spawn_task", HELLO, { callId: "call_1" });
    await settled();
    const again = await call("spawn_task", HELLO, { callId: "call_1" });
    expect(again).toMatchObject({ task_id: given(first.task_id), status: "succeeded", result: "hello" });
    expect(again.note).toContain("nothing new was started");
    await call("spawn_task", HELLO, { callId: "call_2" });
    expect(manager.list()).toMatchObject([{ callId: "call_1" }, { callId: "call_2" }]);
  });

  test("§10 starts new work for a call id that comes again with other input, and gives each call its own task", async () => {
    const { call, manager } = agent();
    const turn = (text: string) =>
      call("spawn_task", { kind: "echo", input: { text }, wait_ms: 1_000 }, { callId: "call_0" });
    const [first, second] = [await turn("rivers"), await turn("lakes")];
    expect([first.result, second.result]).toEqual(["rivers", "lakes"]);
    expect(await turn("rivers")).toMatchObject({ task_id: given(first.task_id), result: "rivers" });
    expect(manager.list()).toHaveLength(2);
  });

  test("passes on what the program says of all of them, and wakes its owner by all it does unless that says otherwise", async () => {
    const { manager, session, call } = agent({ lanes: { slow: { concurrency: 1 } } });
    await call("spawn_task", HELLO);
    const spawn = { wake: "onTerminal", lane: "slow", budget: { tokens: 10 }, tags: ["model"] } as const;
    await toolsOf(session, { spawn })("spawn_task", HELLO);
    expect(manager.list()).toMatchObject([
      { wake: "onActivity", lane: "default" },
      { wake: "onTerminal", lane: "slow", budget: { tokens: 10 }, tags: ["model"] },
    ]);
  });

  test("says that it wakes only when something reads what it would be woken by", async () => {
    const { session, call } = agent();
    // The loop has read no notices yet, so the note promises neither.
    expect((await call("spawn_task", HERE)).note).toBe(
      "It runs in the background. await_tasks waits until it ends: do not poll.",
    );
    await session.nextNotices({ timeoutMs: 0 });
    expect((await call("spawn_task", HERE)).note).toContain("You get a notice");
    const silent = toolsOf(session, { spawn: { wake: "silent" } });
    expect((await silent("spawn_task", HERE)).note).toContain("You get no notice");
  });

  test("of a context makes a child of its task, and tells its loop", async () => {
    const { session } = agent();
    const parent = hold(session);
    await settled();
    const call = toolsOf(parent.ctx);
    await parent.ctx.nextNotices({ timeoutMs: 0 });
    const receipt = await call("spawn_task", HELLO);
    expect(receipt.note).toContain("You get a notice");
    const id = textIn(receipt, "task_id");
    expect(session.get(id)?.record).toMatchObject({ parentId: parent.handle.id, sessionId: "chat" });
    expect((await parent.ctx.nextNotices())?.notices).toMatchObject([{ taskId: id }]);
  });

  test("of a named session, called inside one of its tasks, acts for that task alone", async () => {
    const { session, manager } = agent();
    const call = toolsOf(session);
    const other = await call("spawn_task", HERE);
    const inside = session.spawn(async () => {
      const child = await call("spawn_task", HELLO);
      const sees = await call("list_tasks");
      return { child, sees, others: await call("get_task", { task_id: given(other.task_id) }) };
    });
    const { child, sees, others } = await inside.result();
    expect(manager.get(textIn(child, "task_id"))?.record.parentId).toBe(inside.id);
    expect(sees.tasks).toMatchObject([{ task_id: child.task_id }]);
    expect(refusalIn(others)).toContain("There is no task");
  });

  test("with wait_ms gives the end that comes in time, and otherwise the same work goes on", async () => {
    const { call, pass, manager } = agent();
    expect(await call("spawn_task", { ...HELLO, wait_ms: 10 })).toMatchObject({ status: "succeeded", result: "hello" });
    const late = call("spawn_task", { ...HERE, wait_ms: 10 });
    await pass(10);
    expect(await late).toMatchObject({ status: "running", note: expect.stringContaining("the same work goes on") });
    expect(manager.list()).toHaveLength(2);
  });
});

describe("§9 cancel_task", () => {
  test("C1 reports how the task really ended, and what was stopped below it", async () => {
    const { session, call } = agent();
    const parent = hold(session);
    const returns = session.spawn(async (ctx) => {
      await ctx.cancelled();
      return 7;
    });
    await settled();
    const child = hold(parent.ctx);
    expect(await call("cancel_task", { task_id: parent.handle.id, reason: "enough" })).toEqual({
      task_id: parent.handle.id,
      status: "cancelled",
      reason: "enough",
      stopped_below: [child.handle.id],
    });
    expect(await call("cancel_task", { task_id: returns.id })).toMatchObject({ status: "succeeded", result: 7 });
  });

  test("C2 of a task that does not hear says so, after wait_ms, 5 000 by default", async () => {
    const { session, call, pass } = agent({ graceMs: 60_000 });
    const deaf = holdDeaf(session);
    await settled();
    const cancelling = call("cancel_task", { task_id: deaf.handle.id });
    await pass(4_999);
    expect((await peek(cancelling)).is).toBe("pending");
    await pass(1);
    expect(await cancelling).toMatchObject({ status: "running", note: expect.stringContaining("still winding down") });
    expect(await call("cancel_task", { task_id: deaf.handle.id, wait_ms: 0 })).toMatchObject({ status: "running" });
  });

  test("tells of a thousand that were stopped below, within its bytes", async () => {
    const { session, call } = agent();
    const parent = hold(session);
    await settled();
    for (let n = 0; n < 1_000; n++) hold(parent.ctx);
    const result = await call("cancel_task", { task_id: parent.handle.id });
    const { stopped_below, more_stopped_below } = result;
    expect((stopped_below as readonly string[]).length + Number(more_stopped_below)).toBe(1_000);
    expect(bytesOf(result)).toBeLessThanOrEqual(2_048);
  });
});

describe("§12 an input that does not fit", () => {
  test("is refused with what the kind takes, and nothing is started", async () => {
    const { manager, call } = agent();
    expect(await call("spawn_task", { kind: "echo" })).toEqual({
      error: "input is missing",
      hint: expect.stringContaining("It takes echo { text: string }"),
    });
    expect(await call("spawn_task", { kind: "echo", input: { text: 7 } })).toMatchObject({
      error: expect.stringMatching(/^input does not fit: text: /),
    });
    expect(manager.list()).toEqual([]);
  });

  test("is taken when it is the right one, written as a text of JSON", async () => {
    const { call } = agent();
    expect(await call("spawn_task", { kind: "echo", input: '{"text":"hello"}', wait_ms: 100 })).toMatchObject({
      status: "succeeded",
      result: "hello",
    });
  });
});
