// message_task: its outcome is true (§9): `delivered` was read by the task, and `kept` is stored only.

import { defineKind, type TaskContext } from "errand";
import { subagent } from "errand/kinds";
import { describe, expect, test } from "vitest";
import { agent, refusalIn, toolsOf } from "../../support/agent.js";
import { peek, settled } from "../../support/basics.js";
import { untilStopped } from "../../support/program.js";

/** Starts a task of a kind. `message` sends it a message. */
async function messaged(kind: Parameters<typeof defineKind>[0], options: object = {}) {
  const made = agent({ kinds: [defineKind(kind)], ...options });
  const { session, call } = made;
  const task = session.spawn(kind.name);
  await settled();
  return { ...made, task, message: () => call("message_task", { task_id: task.id, message: "use the other branch" }) };
}

describe("§9 message_task says that a message is", () => {
  test("kept, and not that it is delivered, where the function never reads", async () => {
    const { message } = await messaged({ name: "deaf", run: untilStopped });
    expect(await message()).toMatchObject({ outcome: "kept", note: expect.stringContaining("may never do") });
  });

  test("delivered to a function that waits for one, and kept for one that has not asked yet", async () => {
    const { message, task } = await messaged({
      name: "listens",
      run: async (ctx) => {
        await ctx.receive();
        await ctx.sleep(10);
      },
    });
    expect(await message()).toMatchObject({ outcome: "delivered" });
    expect(await message()).toMatchObject({ outcome: "kept" });
    await task.cancel();
  });

  test("delivered to as many as wait, and kept for the others", async () => {
    const { message } = await messaged({
      name: "two",
      run: async (ctx) => {
        await Promise.all([ctx.receive(), ctx.receive()]);
        await untilStopped(ctx);
      },
    });
    const outcomes = (await Promise.all([message(), message(), message()])).map(({ outcome }) => outcome);
    expect(outcomes).toEqual(["delivered", "delivered", "kept"]);
  });

  test("delivered when its kind's deliver has taken it, also when that takes a while", async () => {
    let taken = 0;
    const { message } = await messaged({
      name: "steered",
      run: untilStopped,
      deliver: async () => {
        await settled();
        taken++;
      },
    });
    expect(await message()).toMatchObject({ outcome: "delivered" });
    expect(taken).toBe(1);
  });

  test.each([
    [
      "throws",
      () => {
        throw new Error("no such \u202Ebranch");
      },
    ],
    ["rejects", () => Promise.reject(new Error("no such \u202Ebranch"))],
  ])("kept, with the reason, when its kind's deliver %s", async (_what, deliver) => {
    const { message } = await messaged({ name: "refuses", run: untilStopped, deliver });
    expect(await message()).toMatchObject({ outcome: "kept", note: expect.stringContaining('"no such branch"') });
  });

  test("delivered to a function that reads, whatever its kind's deliver does", async () => {
    const { message } = await messaged({
      name: "both",
      run: async (ctx) => void (await ctx.receive()),
      deliver: () => Promise.reject(new Error("no")),
    });
    expect(await message()).toMatchObject({ outcome: "delivered" });
  });

  test("kept when its kind's deliver does not end in two seconds, or until the call is aborted", async () => {
    const { message, pass, call, task } = await messaged({
      name: "slow",
      run: untilStopped,
      deliver: () => new Promise<void>(() => {}),
    });
    const waiting = message();
    await pass(1_999);
    expect(await peek(waiting)).toMatchObject({ is: "pending" });
    await pass(1);
    expect(await waiting).toMatchObject({ outcome: "kept", note: "Its kind has not taken it yet" });
    const stop = new AbortController();
    const aborted = call("message_task", { task_id: task.id, message: "x" }, { signal: stop.signal });
    await settled();
    stop.abort(new Error("the user left"));
    expect(await peek(aborted)).toMatchObject({ is: "rejected", error: { message: "the user left" } });
  });

  test("kept, and that its question is still open, where the task asks", async () => {
    const { message } = await messaged({ name: "asks", run: (ctx) => ctx.ask({ question: "Which?" }) });
    expect(await message()).toMatchObject({
      outcome: "kept",
      note: expect.stringContaining("in_reply_to"),
      questions: [{}],
    });
  });

  test("queued before the start, and not delivered after the end", async () => {
    const { call, session } = agent({ concurrency: 1 });
    session.spawn(untilStopped);
    const queued = session.spawn((ctx) => ctx.receive());
    await settled();
    expect(await call("message_task", { task_id: queued.id, message: "x" })).toMatchObject({ outcome: "queued" });
    await queued.cancel();
    expect(await call("message_task", { task_id: queued.id, message: "x" })).toMatchObject({
      outcome: "not_delivered",
    });
  });

  test("delivered to a loop that waits for notices, which it wakes, and kept for one that waits in a tool, which reports it", async () => {
    const read: string[] = [];
    const loop = async (ctx: TaskContext, { prompt }: { prompt: string }) => {
      ctx.spawn(untilStopped);
      if (prompt === "tool") await toolsOf(ctx)("await_tasks");
      const batch = await ctx.nextNotices();
      read.push(batch?.text ?? "");
      await batch?.ack();
      return "done";
    };
    const { call, session, manager } = agent({ kinds: [subagent({ loop })] });
    const [notices, tool] = ["notices", "tool"].map((prompt) => session.spawn("subagent", { input: { prompt } }));
    await settled();
    expect(await call("message_task", { task_id: notices?.id, message: "look up" })).toMatchObject({
      outcome: "delivered",
    });
    expect(await call("message_task", { task_id: tool?.id, message: "look up" })).toMatchObject({
      outcome: "kept",
      note: expect.stringContaining("its waiting tool reports it"),
    });
    await settled();
    expect(read).toHaveLength(2);
    for (const text of read) expect(text).toContain("look up");
    await manager.close({ graceMs: 0 });
  });

  test("A5 no answer to an approval, whatever it says", async () => {
    const { call, session } = agent();
    const { id } = session.spawn((ctx) => ctx.approve("Really?"));
    await settled();
    expect(refusalIn(await call("message_task", { task_id: id, message: "yes", in_reply_to: "request_1" }))).toContain(
      "only a person",
    );
    expect(await call("message_task", { task_id: id, message: "yes" })).toMatchObject({ outcome: "kept" });
  });
});
