// Deliver: the messages to a task reach `deliver` of its kind, and which of them do not (§8, §10, D1, S6).

import type { Message, TaskContext, TaskManager } from "errand";
import { defineKind } from "errand";
import { describe, expect, test } from "vitest";
import type { Core } from "../../../lib/core/core.js";
import type { Sent } from "../../../lib/core/inbox/messages.js";
import { Context } from "../../../lib/session/context.js";
import { deferred, peek, settled } from "../../support/basics.js";
import { given, hold, untilStopped, world } from "../../support/program.js";
import { started } from "../../support/restarts.js";

const textOf = ({ content }: Message): string =>
  content.map((part) => (part.type === "text" ? part.text : JSON.stringify(part.data))).join("");

/** A kind whose `deliver` notes what it gets and then does as `deliver` says; its function ends when the test says so. */
function steered(deliver: (text: string) => unknown = () => undefined) {
  const taken: string[] = [];
  const got: Message[] = [];
  const gate = deferred<string>();
  let context: TaskContext | undefined;
  const kind = defineKind({
    name: "steered",
    run: (ctx) => {
      context = ctx;
      return Promise.race([gate.promise, untilStopped(ctx)]);
    },
    async deliver(record, message) {
      got.push(message);
      taken.push(`${record.id} ${textOf(message)}`);
      await deliver(textOf(message));
    },
  });
  return { kind, taken, got, gate, ctx: () => given(context) };
}

async function coreOf(manager: TaskManager): Promise<Core> {
  let core: Core | undefined;
  await manager.spawn((ctx) => void (core = Context.coreOf(ctx)), { root: true, lane: "aside" }).result();
  return given(core);
}

describe("a message to a task whose kind has `deliver`", () => {
  test("§10 is delivered to it with the record of the task, one after another in order", async () => {
    const gates = [deferred(), deferred()];
    const { kind, taken } = steered((text) => gates[Number(text)]?.promise);
    const { manager } = world({ kinds: [kind] });
    const handle = manager.spawn(kind, { id: "t" });
    await settled();
    await Promise.all([handle.send("0"), handle.send("1")]);
    await settled();
    expect(taken).toEqual(["t 0"]);
    gates[0]?.resolve();
    await settled();
    expect(taken).toEqual(["t 0", "t 1"]);
    await handle.cancel();
  });

  test("§8 §10 that came before the start is delivered when the function starts, once", async () => {
    const { kind, taken, got } = steered();
    const { manager } = world({ kinds: [kind], concurrency: 1 });
    const before = hold(manager);
    const handle = manager.spawn(kind, { id: "t" });
    await handle.send("early");
    await handle.send("also early");
    await settled();
    expect(taken).toEqual([]);
    before.finish();
    await settled();
    expect(taken).toEqual(["t early", "t also early"]);
    await handle.send("late");
    await settled();
    expect(taken).toEqual(["t early", "t also early", "t late"]);
    expect(got).toEqual(handle.messages());
    await handle.cancel();
  });

  test("§10 that came during a retry delay is delivered to the next attempt, and one that came before is not again", async () => {
    const taken: string[] = [];
    const kind = defineKind({
      name: "steered",
      retry: { maxAttempts: 2, backoffMs: 1_000, jitter: false },
      run: (ctx) => (ctx.attempt === 1 ? ctx.sleep(10).then(() => Promise.reject(new Error("out"))) : ctx.sleep(10)),
      deliver: ({ attempt }, message) => void taken.push(`${attempt} ${textOf(message)}`),
    });
    const { manager, pass } = world({ kinds: [kind] });
    const handle = manager.spawn(kind);
    await settled();
    await handle.send("one");
    await pass(10);
    expect(handle.status).toBe("queued");
    await handle.send("two");
    await settled();
    expect(taken).toEqual(["1 one"]);
    await pass(1_000);
    expect(taken).toEqual(["1 one", "2 two"]);
    await pass(10);
    expect((await handle.outcome()).status).toBe("succeeded");
  });

  test("§12 that throws it goes to the log, and the task and the next message go on", async () => {
    const lines: unknown[] = [];
    const error = new Error("not this one");
    const { kind, taken, gate } = steered((text) => {
      if (text === "bad") throw error;
    });
    const ignore = () => undefined;
    const warn = (what: string, more?: unknown): void => void lines.push([what, more]);
    const { manager } = world({ kinds: [kind], logger: { debug: ignore, info: ignore, warn, error: ignore } });
    const handle = manager.spawn(kind, { id: "t" });
    await settled();
    const bad = await handle.send("bad");
    await handle.send("good");
    await settled();
    expect(taken).toEqual(["t bad", "t good"]);
    expect(lines).toEqual([[`deliver of kind steered threw: task t, message ${bad.id}`, { error }]]);
    gate.resolve("done");
    expect(await handle.result()).toBe("done");
  });

  test("S6 is not delivered after the end, also when it was sent before", async () => {
    const first = deferred();
    const { kind, taken } = steered(() => first.promise);
    const { manager } = world({ kinds: [kind] });
    const handle = manager.spawn(kind, { id: "t" });
    await settled();
    await Promise.all([handle.send("one"), handle.send("two")]);
    await handle.cancel();
    first.resolve();
    await settled();
    expect(taken).toEqual(["t one"]);
  });

  test("D1 is delivered once it is stored", async () => {
    const { kind, taken } = steered();
    const process = await started({ kinds: [kind] });
    const handle = process.manager.spawn(kind, { id: "t" });
    await settled();
    process.store.hold();
    const sent = handle.send("one");
    expect(await peek(sent)).toEqual({ is: "pending" });
    expect(taken).toEqual([]);
    process.store.letThrough();
    await sent;
    await settled();
    expect(taken).toEqual(["t one"]);
  });

  test("§8 is none of the messages of the task itself, and none that answers its question", async () => {
    const { kind, taken, ctx } = steered();
    const { manager } = world({ kinds: [kind] });
    const handle = manager.spawn(kind, { id: "t" });
    await settled();
    await ctx().post("mine");
    const asked = ctx().ask({ question: "Which?" });
    const { id } = given(manager.inbox.list()[0]);
    await handle.send("this", { inReplyTo: id });
    expect(await asked).toBe("this");
    await settled();
    expect(taken).toEqual([]);
    await handle.cancel();
  });
});

describe("the progress of a message", () => {
  async function sendTo(
    kind: ReturnType<typeof steered>["kind"] | undefined,
    work: (ctx: TaskContext) => unknown = (ctx) => ctx.sleep(1e6),
  ): Promise<{ readonly sent: Sent; readonly handle: { cancel(): Promise<unknown> } }> {
    const { manager } = world({ kinds: kind === undefined ? [] : [kind], lanes: { aside: { concurrency: 1 } } });
    const core = await coreOf(manager);
    const handle = kind === undefined ? manager.spawn(work) : manager.spawn(kind);
    await settled();
    return { sent: core.messages.pass(given(core.registry.byId(handle.id)), "hello"), handle };
  }

  test("§8 says whether a waiting receive has taken it", async () => {
    for (const [work, isTaken] of [
      [(ctx: TaskContext) => ctx.receive(), true],
      [(ctx: TaskContext) => ctx.sleep(1e6), false],
    ] as const) {
      const { sent, handle } = await sendTo(undefined, work);
      expect(sent.isTaken).toBe(isTaken);
      expect(sent.steered).toBeUndefined();
      const stored = await sent.stored;
      expect([textOf(stored), stored.direction]).toEqual(["hello", "inbound"]);
      await handle.cancel();
    }
  });

  test("§10 says how `deliver` has ended", async () => {
    const error = new Error("no");
    const fails = steered(() => Promise.reject(error));
    const takes = steered();
    for (const [{ kind }, how] of [
      [takes, { is: "taken" }],
      [fails, { is: "failed", error }],
    ] as const) {
      const { sent, handle } = await sendTo(kind);
      expect(await sent.steered).toStrictEqual(how);
      await handle.cancel();
    }
  });

  test("S6 §10 says that the task has ended, when it ended before `deliver` was called", async () => {
    const first = deferred();
    const { kind, taken } = steered(() => first.promise);
    const { manager } = world({ kinds: [kind], lanes: { aside: { concurrency: 1 } } });
    const core = await coreOf(manager);
    const handle = manager.spawn(kind, { id: "t" });
    await settled();
    const of = given(core.registry.byId("t"));
    const sent = ["one", "two"].map((text) => core.messages.pass(of, text));
    await settled();
    await handle.cancel();
    first.resolve();
    expect(await sent[0]?.steered).toStrictEqual({ is: "taken" });
    expect(await sent[1]?.steered).toStrictEqual({ is: "over" });
    expect(taken).toEqual(["t one"]);
  });
});
