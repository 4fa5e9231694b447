// Tools that read and send: get_task, list_tasks, message_task (§9, A5).

import { describe, expect, test } from "vitest";
import { z } from "zod";
import { agent, refusalIn, toolsOf } from "../../support/agent.js";
import { settled } from "../../support/basics.js";
import { given, hold, untilStopped } from "../../support/program.js";

const HELLO = { kind: "echo", input: { text: "hello" } };

describe("§9 get_task", () => {
  test("of a living task that has not changed says so, to each loop that looks", async () => {
    const { session, call } = agent();
    const parent = hold(session);
    await settled();
    const child = hold(parent.ctx);
    await settled();
    const look = { task_id: child.handle.id };
    const theirs = toolsOf(parent.ctx);
    expect(await call("get_task", look)).not.toHaveProperty("unchanged");
    expect(await call("get_task", look)).toMatchObject({ unchanged: true, status: "running" });
    expect(await theirs("get_task", look)).not.toHaveProperty("unchanged");
    // Another set of tools of the same loop knows the shown state too.
    expect(await toolsOf(session)("get_task", look)).toMatchObject({ unchanged: true });
    child.ctx.progress({ current: 1 });
    expect(await call("get_task", look)).toMatchObject({ progress: "1" });
    child.ctx.heartbeat();
    expect(await call("get_task", look)).toMatchObject({ unchanged: true });
    expect(await call("get_task", { ...look, full: true })).toMatchObject({ progress: "1" });
  });

  test("of a task that is over is never unchanged", async () => {
    const { call } = agent();
    const { task_id } = await call("spawn_task", HELLO);
    await settled();
    const look = await call("get_task", { task_id });
    expect(look).toMatchObject({ result: "hello" });
    expect(await call("get_task", { task_id })).toEqual(look);
  });

  test("gives the newest output, and after a cursor what comes next, unchanged or not", async () => {
    const { session, call } = agent();
    const task = hold(session);
    await settled();
    task.ctx.output("stdout", "one\n");
    const look = { task_id: task.handle.id };
    const { output, output_cursor } = await call("get_task", look);
    expect([output, output_cursor]).toEqual(["one\n", 4]);
    expect(await call("get_task", { ...look, output_after: 4 })).toMatchObject({ unchanged: true });
    task.ctx.output("stderr", "two\n");
    expect(await call("get_task", { ...look, output_after: 4 })).toEqual({
      task_id: task.handle.id,
      status: "running",
      unchanged: true,
      output: "two\n",
      output_cursor: 8,
    });
    expect(await call("get_task", { ...look, output_after: 4 })).toMatchObject({ output: "two\n" });
  });

  test("tells what the ring has lost", async () => {
    const { session, call } = agent();
    const task = hold(session);
    await settled();
    task.ctx.output("stdout", "x".repeat(100_000));
    const { output_before, output_cursor } = await call("get_task", { task_id: task.handle.id });
    expect(output_cursor).toBe(100_000);
    expect(Number(output_before)).toBeGreaterThan(98_000);
    expect(await call("get_task", { task_id: task.handle.id, output_after: 0, full: true })).toMatchObject({
      output_missing: 100_000 - 64 * 1024,
    });
  });

  test("says of a result that JSON cannot carry that it is there, and why it is not here", async () => {
    const { session, call } = agent();
    const { id } = session.spawn(() => new Map());
    await settled();
    expect(await call("get_task", { task_id: id })).toMatchObject({
      status: "succeeded",
      result_omitted: expect.stringContaining("a Map"),
    });
  });

  test("knows the tasks of its loop alone", async () => {
    const { call, manager } = agent();
    const other = hold(manager.session("other")).handle;
    for (const name of ["get_task", "cancel_task", "message_task"]) {
      const input = { task_id: other.id, ...(name === "message_task" ? { message: "hello" } : {}) };
      expect(refusalIn(await call(name, input))).toContain(`no task "${other.id}"`);
    }
    expect(other.status).toBe("running");
  });
});

describe("§9 list_tasks", () => {
  test("pages through all of them, each once, by creation", async () => {
    const { call, session } = agent();
    const ids = Array.from({ length: 100 }, (_, n) => session.spawn(() => n, { title: `Part ${n} `.repeat(9) }).id);
    const seen: string[] = [];
    for (let after: unknown; ; ) {
      const { tasks, more, more_after } = await call("list_tasks", { after, limit: 30 });
      seen.push(...(tasks as readonly { task_id: string }[]).map(({ task_id }) => task_id));
      expect(seen.length + Number(more ?? 0)).toBe(100);
      if (more === undefined) break;
      after = more_after;
    }
    expect(seen).toEqual(ids);
  });
});

describe("§9 message_task", () => {
  test("reports what became of the message", async () => {
    const { session, call } = agent({ concurrency: 1 });
    const reader = session.spawn((ctx) => ctx.receive());
    await settled();
    const running = hold(session);
    const queued = session.spawn((ctx) => ctx.receive());
    await settled();
    const to = (id: string) => call("message_task", { task_id: id, message: "hello" });
    expect(await to(queued.id)).toMatchObject({ outcome: "queued" });
    expect(await to(running.handle.id)).toMatchObject({ task_id: running.handle.id, outcome: "kept" });
    expect(await to(reader.id)).toMatchObject({ outcome: "delivered" });
    running.finish();
    expect((await reader.result())?.content).toEqual([{ type: "text", text: "hello" }]);
    expect((await queued.result())?.content).toEqual([{ type: "text", text: "hello" }]);
    expect(await to(reader.id)).toMatchObject({ outcome: "not_delivered", reason: "It is over: succeeded" });
  });

  test("H1 does not reach a task that has returned and waits for its children", async () => {
    const { session, call } = agent();
    const parent = session.spawn((ctx) => void ctx.spawn(untilStopped));
    await settled();
    expect(await call("message_task", { task_id: parent.id, message: "hello" })).toMatchObject({
      outcome: "not_delivered",
      reason: expect.stringContaining("has returned"),
    });
  });

  test("A2 answers a question as text, as a choice, or as the JSON that its schema wants", async () => {
    const { session, call, manager } = agent();
    const asker = session.spawn(async (ctx) => [
      await ctx.ask({ question: "Text?" }),
      await ctx.ask({ question: "Choice?", choices: ["a", "b"] }),
      await ctx.ask({ question: "JSON?", schema: z.object({ n: z.number() }) }),
    ]);
    const answer = async (message: string) => {
      await settled();
      const [request] = manager.inbox.list();
      return call("message_task", { task_id: asker.id, message, in_reply_to: given(request).id });
    };
    await answer("so");
    expect(refusalIn(await answer("c"))).toMatch(/one of "a", "b" is needed.* → Nothing was done/);
    await answer("b");
    expect(refusalIn(await answer("five"))).toContain("It does not fit");
    expect(refusalIn(await answer('{"n":"five"}'))).toContain("n: ");
    expect(await answer('{"n":5}')).toMatchObject({ outcome: "delivered" });
    expect(await asker.result()).toEqual(["so", "b", { n: 5 }]);
  });

  test("A5 never answers an approval", async () => {
    const { call, manager } = agent();
    const { task_id } = await call("spawn_task", { kind: "deploy", wait_ms: 10 });
    const [request] = manager.inbox.list();
    for (const message of ["true", "yes", '{"approved":true}']) {
      const refusal = refusalIn(await call("message_task", { task_id, message, in_reply_to: given(request).id }));
      expect(refusal).toContain("only a person can give it");
    }
    expect(manager.inbox.list()).toMatchObject([{ status: "open" }]);
  });
});
