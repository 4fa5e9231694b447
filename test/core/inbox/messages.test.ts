// A task's line to the outside: messages both ways, progress, output, artifacts, usage, links, events of its own (§8).

import type { Message, TaskContext, TaskHandle, TaskManager } from "errand";
import { describe, expect, test } from "vitest";
import { allFree, facts, peek, settled, slots } from "../../support/basics.js";
import { errandError, given, hold, holdDeaf, refusalOf, rejected, typesOf, world } from "../../support/program.js";

const textOf = (message: Message | undefined): string | undefined =>
  message?.content.map((part) => (part.type === "text" ? part.text : "")).join("");

async function runningIn(manager: TaskManager) {
  const held = hold(manager);
  await settled();
  return held;
}

test.each(["stopped", "abandoned"] as const)(
  "C4 asking and receiving through the context of a task that was %s is refused, and is no cancel of the caller",
  async (how) => {
    const { manager, pass } = world({ concurrency: 2, graceMs: 10 });
    const other = holdDeaf(manager);
    await settled();
    void other.handle.cancel("enough");
    if (how === "abandoned") await pass(10);
    const refusals = manager.spawn(async () => [
      await refusalOf(() => other.ctx.ask({ question: "Which?" })),
      await refusalOf(() => other.ctx.approve("Really?")),
      await refusalOf(() => other.ctx.receive({ timeoutMs: 5 })),
    ]);
    await settled();
    for (const error of await refusals.result()) errandError(error, "SCOPE_CANCELLED");
    expect(manager.inbox.list()).toEqual([]);
    other.finish();
    await manager.idle();
    allFree(manager);
  },
);

test("H1 a task that receives through the context of another task gets a rejection when that task's function is over", async () => {
  const { manager, pass } = world();
  let lent: TaskContext | undefined;
  const owner = manager.spawn(async (ctx) => {
    lent = ctx;
    await ctx.sleep(1);
  });
  await settled();
  const error = manager.spawn(() => refusalOf(() => given(lent).receive())).result();
  await pass(1);
  errandError(await error, "TASK_TERMINATED");
  expect(owner.status).toBe("succeeded");
  await manager.idle();
});

describe("messages to a task", () => {
  test("§8 a string is one text part of an inbound message", async () => {
    const { manager, pass } = world();
    await pass(7);
    const task = manager.spawn((ctx) => ctx.receive());
    await settled();
    const sent = await task.send("hello");
    expect(sent).toMatchObject({
      taskId: task.id,
      direction: "inbound",
      content: [{ type: "text", text: "hello" }],
      createdAt: 7,
    });
    expect(sent.inReplyTo).toBeUndefined();
    expect(await task.result()).toEqual(sent);
  });

  test("§8 parts of text and data arrive as plain JSON, in order", async () => {
    const { manager } = world();
    const task = manager.spawn((ctx) => ctx.receive());
    await settled();
    const when = new Date(0);
    await task.send([
      { type: "text", text: "look" },
      { type: "data", data: { when, rows: [1, 2] } },
    ]);
    expect((await task.result())?.content).toEqual([
      { type: "text", text: "look" },
      { type: "data", data: { when: when.toISOString(), rows: [1, 2] } },
    ]);
  });

  test("§8 a message sent before the start is kept", async () => {
    const { manager } = world({ concurrency: 1 });
    const first = hold(manager);
    const task = manager.spawn(async (ctx) => [textOf(await ctx.receive()), textOf(await ctx.receive())]);
    await task.send("one");
    await task.send("two");
    first.finish();
    expect(await task.result()).toEqual(["one", "two"]);
  });

  test("§8 receive gives each message once, oldest first", async () => {
    const { manager } = world();
    const task = manager.spawn(async (ctx) => {
      const got: (string | undefined)[] = [];
      while (got.length < 4) got.push(textOf(await ctx.receive()));
      return got;
    });
    await settled();
    await task.send("a");
    await settled();
    await Promise.all([task.send("b"), task.send("c"), task.send("d")]);
    expect(await task.result()).toEqual(["a", "b", "c", "d"]);
  });

  test("§8 a message has no fields but those that were given, and an id that says what it is", async () => {
    const { manager } = world();
    const task = hold(manager);
    expect(await task.handle.send("hello")).toStrictEqual({
      id: "message_1",
      taskId: task.handle.id,
      direction: "inbound",
      content: [{ type: "text", text: "hello" }],
      createdAt: 0,
    });
  });

  test("L2 `receive` with a timeout of 0 is no wait, and without one it has no timer", async () => {
    const { manager, clock } = world();
    const told = facts(manager);
    const task = manager.spawn(async (ctx) => [await ctx.receive({ timeoutMs: 0 }), await ctx.receive()]);
    await settled();
    expect(typesOf(told, task.id)).toEqual(["task.created", "task.started", "task.blocked"]);
    expect(clock.nextAt).toBeUndefined();
    await task.send("now");
    expect((await task.result()).map(textOf)).toEqual([undefined, "now"]);
  });

  test("§8 a message that answered a question is kept with the others, and no receive gets it", async () => {
    const { manager } = world();
    const asker = manager.spawn(async (ctx) => {
      const answer = await ctx.ask({ question: "Which?" });
      return [answer, await ctx.receive({ timeoutMs: 0 })];
    });
    await settled();
    const [request] = manager.inbox.list();
    const inReplyTo = given(request).id;
    const answering = manager.spawn(() => asker.send("this", { inReplyTo }));
    const message = await answering.result();
    expect(message.inReplyTo).toBe(inReplyTo);
    expect(await asker.result()).toEqual(["this", undefined]);
    expect(asker.messages()).toEqual([message]);
    // Who answered: the task whose code sent it.
    expect(manager.inbox.get(inReplyTo)?.by).toBe(answering.id);
  });

  test("A5 a message in reply says who sent it: a session's task by its session, another by what it is", async () => {
    for (const [owner, by] of [
      ["chat", "chat"],
      [undefined, "message"],
    ] as const) {
      const { manager } = world();
      const scope = owner === undefined ? manager : manager.session(owner);
      const asker = scope.spawn((ctx) => ctx.ask({ question: "Which?" }));
      await settled();
      const [request] = manager.inbox.list();
      const { id } = given(request);
      await asker.send("this", { inReplyTo: id });
      expect(manager.inbox.get(id)?.by).toBe(by);
    }
  });

  test("A5 a message that would answer an approval is refused with the reason", async () => {
    const { manager } = world();
    const asker = manager.spawn((ctx) => ctx.approve("Really?").catch(() => undefined));
    await settled();
    const [request] = manager.inbox.list();
    const { id } = given(request);
    const error = await rejected(() => asker.send("yes", { inReplyTo: id }), "INVALID_INPUT");
    expect(error.message).toContain(id);
    expect(error.issues).toEqual([{ message: "an approval is answered through the inbox" }]);
    await asker.cancel();
  });

  test("S2 a post of a function that is over is dropped, counted, and rejects", async () => {
    const { manager } = world();
    let left: TaskContext | undefined;
    const task = manager.spawn((ctx) => void (left = ctx));
    await task.result();
    const late = given(left);
    await rejected(() => late.post("late"), "TASK_TERMINATED");
    expect([task.messages(), manager.stats().droppedWrites]).toEqual([[], 1]);
  });

  test("§12 an option that send, post and receive do not have is refused by its name, in the promise", async () => {
    const { manager } = world();
    const held = await runningIn(manager);
    const { handle, ctx } = held;
    const wrong: object = { inReplyto: "x" };
    const calls = {
      send: () => handle.send("x", wrong),
      post: () => ctx.post("x", wrong),
      receive: () => ctx.receive(wrong),
    };
    for (const [verb, call] of Object.entries(calls)) {
      const refusal = call();
      await expect(refusal).rejects.toThrow(new RegExp(`^${verb} has no option "inReplyto"`));
    }
    const values = [
      [{ timeoutMs: -1 }, "timeoutMs must be"],
      [{ signal: {} as AbortSignal }, "signal must be"],
    ] as const;
    for (const [options, message] of values) {
      const refusal = ctx.receive(options);
      await expect(refusal).rejects.toThrow(message);
    }
    held.finish();
  });

  test("§8 a receive with a signal and a limit gives the message that comes", async () => {
    const { manager } = world();
    const { signal } = new AbortController();
    const task = manager.spawn((ctx) => ctx.receive({ signal, timeoutMs: 1_000 }));
    await settled();
    await task.send("hello");
    expect((await task.result())?.content).toEqual([{ type: "text", text: "hello" }]);
  });

  test("§8 a message in reply to a question of another task is received like any other", async () => {
    const { manager } = world();
    const asker = manager.spawn((ctx) => ctx.ask({ question: "Which?" }));
    const reader = manager.spawn((ctx) => ctx.receive());
    await settled();
    const { id } = given(manager.inbox.list()[0]);
    const sent = await reader.send("this", { inReplyTo: id });
    expect(await reader.result()).toEqual(sent);
    expect(manager.inbox.get(id)?.status).toBe("open");
    await asker.cancel();
  });

  test("S1 a message to a task that has ended is refused with what it cannot do", async () => {
    const { manager } = world();
    const task = manager.spawn(() => 1);
    await task.result();
    const error = await rejected(() => task.send("late"), "TASK_TERMINATED");
    expect(error.message).toContain("it takes no messages");
  });

  test("§8 a message that a receive took, and whose attempt ended before it got it, is for the next attempt", async () => {
    const { manager, pass } = world({ concurrency: 1 });
    const task = manager.spawn(async (ctx) => (await ctx.receive({ timeoutMs: 10_000 }))?.content, {
      elapsedTimeoutMs: 100,
      retry: { maxAttempts: 2, backoffMs: 10, jitter: false },
    });
    const other = hold(manager);
    await settled();
    // The other task has the one slot: the receive has taken the message, and waits for the slot.
    await task.send("hello");
    expect(task.record.blockedOn).toEqual([{ on: "slot" }]);
    await pass(100);
    other.finish();
    await pass(10);
    expect(await task.result()).toEqual([{ type: "text", text: "hello" }]);
    expect(task.record.attempt).toBe(2);
  });

  test("§8 two receives of one task take one message each", async () => {
    const { manager } = world();
    const task = manager.spawn(async (ctx) => (await Promise.all([ctx.receive(), ctx.receive()])).map(textOf));
    await settled();
    await task.send("a");
    await settled();
    expect(task.status).toBe("blocked");
    await task.send("b");
    expect(await task.result()).toEqual(["a", "b"]);
  });

  test("A5 receive blocks on `message` and holds no slot", async () => {
    const { manager } = world({ concurrency: 1 });
    const task = manager.spawn((ctx) => ctx.receive());
    await settled();
    expect([task.status, task.record.blockedOn, slots(manager).held]).toEqual(["blocked", [{ on: "message" }], 0]);
    await task.send("go");
    expect(textOf(await task.result())).toBe("go");
  });

  test("L2 a message that is already there is received without a wait", async () => {
    const { manager } = world();
    const told = facts(manager);
    const task = hold<string>(manager);
    await settled();
    await task.handle.send("early");
    expect(textOf(await task.ctx.receive())).toBe("early");
    await settled();
    expect(typesOf(told, task.handle.id)).toEqual(["task.created", "task.started", "message.sent"]);
  });

  test("§8 receive gives undefined when timeoutMs passes first, and the next message waits for the next receive", async () => {
    const { manager, pass } = world();
    const task = manager.spawn(async (ctx) => {
      const first = await ctx.receive({ timeoutMs: 100 });
      await ctx.sleep(50);
      return [textOf(first), textOf(await ctx.receive())];
    });
    await settled();
    await pass(99);
    expect(task.record.blockedOn).toEqual([{ on: "message" }]);
    await pass(1);
    expect(task.record.blockedOn).toMatchObject([{ on: "time" }]);
    await task.send("late");
    await pass(50);
    expect(await task.result()).toEqual([undefined, "late"]);
  });

  test("§8 a receive withdrawn by its signal takes no message with it", async () => {
    const { manager } = world();
    const controller = new AbortController();
    const task = manager.spawn(async (ctx) => {
      await ctx.receive({ signal: controller.signal }).catch(() => undefined);
      return textOf(await ctx.receive());
    });
    await settled();
    controller.abort();
    await task.send("kept");
    expect(await task.result()).toBe("kept");
  });

  test("§8 a message sent after the end is TaskTerminatedError", async () => {
    const { manager } = world();
    const task = manager.spawn(() => 1);
    await task.result();
    expect((await rejected(() => task.send("late"), "TASK_TERMINATED")).taskId).toBe(task.id);
    expect(task.messages()).toEqual([]);
  });

  test("§8 messages are reported as facts, both directions, once each", async () => {
    const { manager } = world();
    const told = facts(manager);
    const task = manager.spawn(async (ctx) => {
      await ctx.receive();
      await ctx.post("thanks");
    });
    await settled();
    await task.send("here");
    await task.result();
    await settled();
    const sent = told.flatMap((event) => (event.type === "message.sent" ? [event] : []));
    expect(sent.map(({ message: { direction, content } }) => [direction, content])).toEqual([
      ["inbound", [{ type: "text", text: "here" }]],
      ["outbound", [{ type: "text", text: "thanks" }]],
    ]);
    expect(new Set(sent.map(({ message }) => message.id)).size).toBe(2);
  });
});

describe("messages of a task", () => {
  test("§8 post gives the stored outbound message, which the handle reads", async () => {
    const { manager } = world();
    const task = hold(manager);
    await settled();
    const asked = await task.handle.send("which one?");
    const posted = await task.ctx.post("this one", { inReplyTo: asked.id });
    expect(posted).toMatchObject({ taskId: task.handle.id, direction: "outbound", inReplyTo: asked.id });
    expect(task.handle.messages()).toEqual([asked, posted]);
  });

  test("§8 a task receives no message of its own", async () => {
    const { manager } = world();
    const task = hold(manager);
    await settled();
    await task.ctx.post("hello");
    const received = task.ctx.receive();
    expect((await peek(received)).is).toBe("pending");
    await task.handle.send("yours");
    expect(textOf(await received)).toBe("yours");
  });

  test("§8 messages({ after, limit }) gives the newest `limit` after that id, oldest first", async () => {
    const { manager } = world();
    const task = hold(manager);
    await settled();
    const ids: string[] = [];
    for (const text of ["1", "2", "3", "4", "5"]) ids.push((await task.ctx.post(text)).id);
    const texts = (messages: readonly Message[]): (string | undefined)[] => messages.map(textOf);
    const { handle } = task;
    expect(texts(handle.messages())).toEqual(["1", "2", "3", "4", "5"]);
    expect(texts(handle.messages({ limit: 2 }))).toEqual(["4", "5"]);
    expect(texts(handle.messages({ after: given(ids[1]) }))).toEqual(["3", "4", "5"]);
    expect(texts(handle.messages({ after: given(ids[1]), limit: 2 }))).toEqual(["4", "5"]);
    expect(texts(handle.messages({ after: given(ids[4]) }))).toEqual([]);
  });

  test("§8 post is no wait: it keeps the slot", async () => {
    const { manager } = world({ concurrency: 1 });
    const told = facts(manager);
    const task = manager.spawn(async (ctx) => {
      await ctx.post("one");
      await ctx.post("two");
    });
    await task.result();
    await settled();
    expect(typesOf(told, task.id)).not.toContain("task.blocked");
  });
});

describe("progress and summary", () => {
  test("§8 progress replaces what was there, and each report is an event", async () => {
    const { manager } = world();
    const told = facts(manager);
    const task = hold(manager);
    await settled();
    task.ctx.progress({ current: 1, total: 10, unit: "pages", label: "reading" });
    expect(task.handle.record.progress).toEqual({ current: 1, total: 10, unit: "pages", label: "reading" });
    task.ctx.progress({ current: 2 });
    expect(task.handle.record.progress).toEqual({ current: 2 });
    await settled();
    const progress = told.flatMap((event) => (event.type === "task.progressed" ? [event.progress] : []));
    expect(progress).toEqual([{ current: 1, total: 10, unit: "pages", label: "reading" }, { current: 2 }]);
  });

  test("§8 summary is one line on the record, reported as an update", async () => {
    const { manager } = world();
    const told = facts(manager);
    const task = hold(manager);
    await settled();
    task.ctx.summary("half of it");
    task.ctx.summary("all of it");
    expect(task.handle.record.summary).toBe("all of it");
    await settled();
    const patches = told.flatMap((event) => (event.type === "task.updated" ? [event.patch] : []));
    expect(patches).toMatchObject([{ summary: "half of it" }, { summary: "all of it" }]);
  });

  test("§8 heartbeat stamps the record with the clock's instant", async () => {
    const { manager, pass } = world();
    const task = hold(manager);
    await settled();
    await pass(42);
    task.ctx.heartbeat();
    expect(task.handle.record.heartbeatAt).toBe(42);
  });

  test("§13 a record is a frozen snapshot: a later change makes a new one", async () => {
    const { manager } = world();
    const task = hold(manager, { tags: ["a"], metadata: { deep: { list: [1] } } });
    await settled();
    const before = task.handle.record;
    task.ctx.summary("changed");
    expect(before.summary).toBeUndefined();
    expect(task.handle.record).not.toBe(before);
    for (const part of [
      before,
      before.tags,
      before.blockedOn,
      before.artifacts,
      before.links,
      before.usage,
      before.metadata,
    ]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
    expect(() => {
      // @ts-expect-error a record is read-only
      before.summary = "mine";
    }).toThrow(TypeError);
  });
});

describe("output", () => {
  const ring = 64 * 1024;

  test("§8 output of all streams is read in order, and read on from a cursor", async () => {
    const { manager } = world();
    const task = hold(manager);
    await settled();
    expect(task.handle.output()).toMatchObject({ text: "", parts: [], dropped: 0 });
    task.ctx.output("stdout", "one\n");
    task.ctx.output("stderr", "oops\n");
    task.ctx.output("log", "two\n");
    const first = task.handle.output();
    expect([first.text, first.dropped]).toEqual(["one\noops\ntwo\n", 0]);
    expect(first.parts).toEqual([
      { stream: "stdout", text: "one\n" },
      { stream: "stderr", text: "oops\n" },
      { stream: "log", text: "two\n" },
    ]);
    expect(task.handle.output({ after: first.cursor })).toMatchObject({
      text: "",
      parts: [],
      dropped: 0,
      cursor: first.cursor,
    });
    task.ctx.output("stdout", "three\n");
    const next = task.handle.output({ after: first.cursor });
    expect([next.text, next.dropped]).toEqual(["three\n", 0]);
    expect(next.cursor).toBeGreaterThan(first.cursor);
  });

  test("§8 a cursor counts characters over all streams", async () => {
    const { manager } = world();
    const task = hold(manager);
    await settled();
    const start = task.handle.output().cursor;
    task.ctx.output("stdout", "ab");
    const { cursor } = task.handle.output();
    task.ctx.output("stdout", "cdef");
    task.ctx.output("stderr", "gh");
    const read = task.handle.output({ after: cursor });
    expect([read.text, read.cursor - cursor]).toEqual(["cdefgh", 6]);
    expect(task.handle.output({ after: start }).text).toBe("abcdefgh");
  });

  test("§8 the ring keeps the newest 64 KiB and counts what a reader missed", async () => {
    const { manager } = world();
    const task = hold(manager);
    await settled();
    const start = task.handle.output().cursor;
    const line = (index: number): string => `${String(index).padStart(9, "0")}\n`;
    const all = Array.from({ length: 20_000 }, (_, index) => line(index)).join("");
    for (let index = 0; index < 20_000; index += 1) task.ctx.output(index % 2 === 0 ? "stdout" : "stderr", line(index));
    const read = task.handle.output({ after: start });
    expect(read.text.length).toBeLessThanOrEqual(ring);
    expect(read.text.length).toBeGreaterThan(ring - 1_000);
    expect(all.endsWith(read.text)).toBe(true);
    expect(read.dropped).toBe(all.length - read.text.length);
    expect(read.parts.map(({ text }) => text).join("")).toBe(read.text);
    expect(task.handle.output({ after: read.cursor - 10 })).toMatchObject({ text: line(19_999), dropped: 0 });
  });

  test("§8 one write larger than the ring leaves its end", async () => {
    const { manager } = world();
    const task = hold(manager);
    await settled();
    const start = task.handle.output().cursor;
    const text = `${"x".repeat(ring)}the end`;
    task.ctx.output("stdout", text);
    const read = task.handle.output({ after: start });
    expect(read.text.length).toBeLessThanOrEqual(ring);
    expect(read.text.endsWith("the end")).toBe(true);
    expect(read.dropped).toBe(text.length - read.text.length);
  });

  test("§8 output is never journalled", async () => {
    const { manager } = world();
    const told = facts(manager);
    const task = hold(manager);
    await settled();
    const before = told.length;
    for (let index = 0; index < 100; index += 1) task.ctx.output("stdout", "line\n");
    await settled();
    expect(told.length).toBe(before);
  });

  test("§8 output stays readable after the end, from each task its own", async () => {
    const { manager } = world();
    const [a, b] = ["a", "b"].map((text): TaskHandle => manager.spawn((ctx) => ctx.output("stdout", text)));
    await given(a).result();
    await given(b).result();
    expect([a?.output().text, b?.output().text]).toEqual(["a", "b"]);
  });
});

describe("artifacts, links, usage, events", () => {
  test("S7 artifacts append: paths, urls, chunks of text and of bytes", async () => {
    const { manager } = world();
    const told = facts(manager);
    const task = hold(manager);
    await settled();
    task.ctx.artifact({ name: "report", type: "text/markdown", path: "/tmp/report.md" });
    task.ctx.artifact({ name: "page", type: "text/html", url: "https://example.org/" });
    task.ctx.artifact({ name: "log", type: "text/plain", data: "one" });
    task.ctx.artifact({ name: "log", type: "text/plain", data: "two" });
    task.ctx.artifact({ name: "image", type: "image/png", data: new Uint8Array([0, 255, 16]) });
    const expected = [
      { name: "report", type: "text/markdown", path: "/tmp/report.md" },
      { name: "page", type: "text/html", url: "https://example.org/" },
      { name: "log", type: "text/plain", data: "one", encoding: "utf8" },
      { name: "log", type: "text/plain", data: "two", encoding: "utf8" },
      { name: "image", type: "image/png", data: "AP8Q", encoding: "base64" },
    ];
    expect(task.handle.record.artifacts).toEqual(expected);
    await settled();
    expect(told.flatMap((event) => (event.type === "artifact.added" ? [event.artifact] : []))).toEqual(expected);
  });

  test("S7 links merge field by field, resourceIds without duplicates", async () => {
    const { manager } = world();
    const task = hold(manager);
    await settled();
    expect(task.handle.record.links).toEqual({});
    task.ctx.link({ remoteTaskId: "r-1", resourceIds: ["a", "b"] });
    task.ctx.link({ childSessionId: "chat-2", resourceIds: ["b", "c", "c"] });
    task.ctx.link({ remoteTaskId: "r-2", childSessionId: undefined });
    expect(task.handle.record.links).toEqual({
      childSessionId: "chat-2",
      remoteTaskId: "r-2",
      resourceIds: ["a", "b", "c"],
    });
  });

  test("H6 usage reports add up, and each is an event of the task that made it", async () => {
    const { manager } = world();
    const told = facts(manager);
    const task = hold(manager);
    await settled();
    const child = hold(task.ctx);
    await settled();
    child.ctx.reportUsage({ inputTokens: 100, outputTokens: 20 });
    child.ctx.reportUsage({ inputTokens: 1, costUsd: 0.25 });
    expect(child.handle.record.usage).toEqual({ inputTokens: 101, outputTokens: 20, costUsd: 0.25, tasks: 1 });
    expect(task.handle.record.usage).toEqual({ inputTokens: 101, outputTokens: 20, costUsd: 0.25, tasks: 2 });
    await settled();
    const reports = told.flatMap((event) => (event.type === "usage.reported" ? [[event.taskId, event.usage]] : []));
    expect(reports).toEqual([
      [child.handle.id, { inputTokens: 100, outputTokens: 20 }],
      [child.handle.id, { inputTokens: 1, costUsd: 0.25 }],
    ]);
  });

  test("§8 emit tells a custom event with its name and its payload as plain JSON", async () => {
    const { manager } = world();
    const told = facts(manager);
    const task = hold(manager);
    await settled();
    task.ctx.emit("page.read", { url: "https://example.org/", at: new Date(0) });
    task.ctx.emit("tick");
    await settled();
    expect(told.filter(({ type }) => type === "custom")).toMatchObject([
      {
        taskId: task.handle.id,
        name: "page.read",
        payload: { url: "https://example.org/", at: "1970-01-01T00:00:00.000Z" },
      },
      { taskId: task.handle.id, name: "tick" },
    ]);
  });

  test("§2 a payload changed after the call is reported as it was", async () => {
    const { manager } = world();
    const told = facts(manager);
    const task = hold(manager);
    await settled();
    const payload = { pages: [1] };
    task.ctx.emit("read", payload);
    payload.pages.push(2);
    await settled();
    expect(told.filter(({ type }) => type === "custom")).toMatchObject([{ payload: { pages: [1] } }]);
  });

  test("§13 tags and metadata are on the record, metadata as plain JSON", () => {
    const { manager } = world();
    const { record } = manager.spawn(() => 1, {
      title: "Read it",
      agent: "scout",
      tags: ["web", "slow"],
      metadata: { since: new Date(0), deep: { n: 1 } },
    });
    expect(record).toMatchObject({
      title: "Read it",
      agent: "scout",
      tags: ["web", "slow"],
      metadata: { since: "1970-01-01T00:00:00.000Z", deep: { n: 1 } },
    });
  });
});
