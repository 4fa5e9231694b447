// Tools that wait: await_tasks, and ends that a loop does not receive twice (N2, §9).

import { type Session, TaskManager } from "errand";
import { memoryStore } from "errand/testing";
import { describe, expect, test, vi } from "vitest";
import { agent, ask, type Call, kinds, textIn, toolsOf } from "../../support/agent.js";
import { peek, settled } from "../../support/basics.js";
import { hold } from "../../support/program.js";

const HERE = { kind: "dig", input: { where: "here" } };
const HELLO = { kind: "echo", input: { text: "hello" } };
const noticedIn = async (session: Session): Promise<readonly string[]> => {
  const batch = await session.nextNotices({ timeoutMs: 0 });
  return batch?.notices.map(({ taskId }) => taskId) ?? [];
};

describe("N2 an outcome that a tool has shown is not delivered again", () => {
  test.each<[tool: string, look: (call: Call, id: string) => Promise<unknown>]>([
    ["get_task", (call, id) => call("get_task", { task_id: id })],
    ["await_tasks", (call, id) => call("await_tasks", { task_ids: [id] })],
    ["await_tasks of all", (call) => call("await_tasks")],
    ["cancel_task", (call, id) => call("cancel_task", { task_id: id })],
    ["spawn_task again", (call) => call("spawn_task", HELLO, { callId: "call_1" })],
  ])("by %s", async (_tool, look) => {
    const { session, call } = agent();
    const id = textIn(await call("spawn_task", HELLO, { callId: "call_1" }), "task_id");
    await settled();
    expect(await noticedIn(session)).toEqual([id]);
    await look(call, id);
    expect(await noticedIn(session)).toEqual([]);
  });

  test("not after a restart either", async () => {
    const store = memoryStore();
    const first = await TaskManager.open({ store, kinds });
    const call = toolsOf(first.session("chat"));
    await call("spawn_task", { ...HELLO, wait_ms: 60_000 });
    const id = textIn(await call("spawn_task", HELLO), "task_id");
    await first.idle();
    await first.close();
    const second = await TaskManager.open({ store, kinds });
    expect(await noticedIn(second.session("chat"))).toEqual([id]);
    expect((await toolsOf(second.session("chat"))("await_tasks")).ended).toMatchObject([
      { task_id: id, result: "hello" },
    ]);
    expect(await noticedIn(second.session("chat"))).toEqual([]);
    await second.close();
  });

  test("and one that had no room is", async () => {
    const { session, call } = agent();
    for (let n = 0; n < 100; n++) await call("spawn_task", { kind: "echo", input: { text: `${n} `.repeat(100) } });
    const { ended, more_ended } = await call("await_tasks");
    const shown = (ended as readonly object[]).length;
    expect([shown > 0, shown + Number(more_ended)]).toEqual([true, 100]);
    expect(await noticedIn(session)).toHaveLength(100 - shown);
  });

  test("nor by list_tasks, which shows none", async () => {
    const { session, call } = agent();
    const { task_id } = await call("spawn_task", HELLO);
    await settled();
    await call("list_tasks");
    expect(await noticedIn(session)).toEqual([task_id]);
  });
});

describe("§9 await_tasks", () => {
  test("W1 gives what ended before it was called, too, and each once", async () => {
    const { call } = agent();
    const seen: unknown[] = [];
    for (let n = 0; n < 50; n++) await call("spawn_task", { kind: "echo", input: { text: `${n} `.repeat(50) } });
    await settled();
    for (let last = 1; last > 0; ) {
      const { ended } = await call("await_tasks");
      last = (ended as readonly object[]).length;
      seen.push(...(ended as readonly { task_id: string }[]).map(({ task_id }) => task_id));
    }
    expect(new Set(seen).size).toBe(50);
    expect(seen).toHaveLength(50);
  });

  test("W1 gives what was started silently, too", async () => {
    const { session } = agent();
    const call = toolsOf(session, { spawn: { wake: "silent" } });
    const { task_id, note } = await call("spawn_task", HELLO, { callId: "call_1" });
    expect(note).toContain("await_tasks waits for it");
    await settled();
    expect((await call("await_tasks")).ended).toMatchObject([{ task_id }]);
    expect((await call("await_tasks")).ended).toEqual([]);
  });

  test("waits for all that live, or for any", async () => {
    const { call, session } = agent();
    const first = hold(session);
    const second = hold(session);
    await settled();
    const any = call("await_tasks", { mode: "any" });
    const all = call("await_tasks");
    first.finish();
    expect(await any).toMatchObject({
      reason: "done",
      ended: [{ task_id: first.handle.id }],
      pending: [{ task_id: second.handle.id }],
    });
    expect((await peek(all)).is).toBe("pending");
    second.finish();
    expect(await all).toMatchObject({ ended: [{ task_id: first.handle.id }, { task_id: second.handle.id }] });
  });

  test("waits for the topmost alone: who is below ends before", async () => {
    const { call, session } = agent();
    const parent = hold(session);
    await settled();
    const below = hold(parent.ctx);
    await settled();
    const any = call("await_tasks", { mode: "any" });
    below.finish();
    expect((await peek(any)).is).toBe("pending");
    parent.finish();
    expect(await any).toMatchObject({ ended: [{ task_id: parent.handle.id }] });
  });

  test("W2 a timeout is a result; its default is 300 000 ms", async () => {
    const { call, pass } = agent();
    await call("spawn_task", HERE);
    const waiting = call("await_tasks");
    await pass(299_999);
    expect((await peek(waiting)).is).toBe("pending");
    await pass(1);
    expect(await waiting).toMatchObject({ reason: "timeout", ended: [], pending: [{ status: "running" }] });
  });

  test("W4 returns early when a task below asks, once for a question, and tells what", async () => {
    const { call, session, manager } = agent();
    const parent = hold(session);
    await settled();
    const waiting = call("await_tasks");
    const asker = parent.ctx.spawn(ask, { input: { question: "Which year?" } });
    expect(await waiting).toMatchObject({
      reason: "question",
      questions: [{ task_id: asker.id, question: "Which year?" }],
      answer_with: "message_task with in_reply_to",
    });
    expect((await peek(call("await_tasks"))).is).toBe("pending");
    await manager.close({ graceMs: 0 });
  });

  test("A5 says of an approval that a person must give it", async () => {
    const { call } = agent();
    await call("spawn_task", { kind: "deploy" });
    expect(await call("await_tasks")).toMatchObject({
      reason: "question",
      questions: [{ approval: true, question: "Deploy to production?" }],
      answer_with: expect.stringContaining("only a person"),
    });
  });

  test("inside a task returns early on a message for it, once for a message, and leaves it where it is", async () => {
    const { session } = agent();
    const parent = hold(session);
    await settled();
    const call = toolsOf(parent.ctx);
    await call("spawn_task", HERE);
    const waiting = call("await_tasks");
    expect((await peek(waiting)).is).toBe("pending");
    await parent.handle.send("look here");
    expect(await waiting).toMatchObject({ reason: "message", note: expect.stringContaining("You have a message") });
    // The message is unread but already reported, so the next wait waits.
    const next = call("await_tasks");
    expect((await peek(next)).is).toBe("pending");
    await parent.handle.send("and here");
    expect(await next).toMatchObject({ reason: "message" });
    expect((await parent.ctx.receive())?.content).toEqual([{ type: "text", text: "look here" }]);
  });

  test("inside a task returns at once when a message came before", async () => {
    const { session } = agent();
    const parent = hold(session);
    await settled();
    await parent.handle.send("look here");
    const call = toolsOf(parent.ctx);
    await call("spawn_task", HERE);
    expect(await call("await_tasks")).toMatchObject({ reason: "message" });
  });

  test("L2 inside a task lends its slot, and has it back when a message ends the wait", async () => {
    const { session, manager } = agent({ concurrency: 1 });
    const parent = session.spawn(async (ctx) => {
      const call = toolsOf(ctx);
      await call("spawn_task", HELLO);
      const first = await call("await_tasks");
      await call("spawn_task", HERE);
      const second = await call("await_tasks");
      return [first.reason, second.reason, ctx.record.status];
    });
    const done = parent.outcome();
    await settled();
    expect(manager.stats()).toMatchObject({ running: 1, blocked: 1 });
    const sent = parent.send("stop");
    await settled();
    await sent;
    // The digger has the slot, so the parent waits for one.
    expect(parent.record.blockedOn).toEqual([{ on: "slot" }]);
    void manager.cancelAll({ kind: "dig" });
    expect(await done).toMatchObject({ value: ["done", "message", "running"] });
  });

  test("W3 leaves no listener behind", async () => {
    const { session } = agent();
    const parent = hold(session);
    await settled();
    const call = toolsOf(parent.ctx);
    const stop = new AbortController();
    const added = vi.spyOn(stop.signal, "addEventListener");
    const removed = vi.spyOn(stop.signal, "removeEventListener");
    for (let n = 0; n < 20; n++) {
      await call("spawn_task", HELLO);
      const waiting = call("await_tasks", {}, { signal: stop.signal });
      await parent.handle.send("hurry");
      await waiting;
    }
    expect(added.mock.calls.length).toBeGreaterThan(0);
    expect(removed).toHaveBeenCalledTimes(added.mock.calls.length);
  });
});
