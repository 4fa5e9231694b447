// The replay: the tasks of an earlier process, made again from its snapshot and its events, each fact once and in its order.

import { defineKind, type SpawnOptions } from "errand";
import { describe, expect, test } from "vitest";
import { facts, settled } from "../../support/basics.js";
import { deaf, given, hold, holdDeaf } from "../../support/program.js";
import { compacted, durable, gapless, type Process, started, task } from "../../support/restarts.js";

/** How the store has what came before: as events, in a snapshot, or in a snapshot with events after it. */
const ways = ["events", "a snapshot", "a snapshot and events"] as const;
type Way = (typeof ways)[number];

/** Stores a snapshot of all until now, where `way` says so. */
async function between(process: Process, way: Way): Promise<void> {
  await settled();
  if (way === "a snapshot and events") await compacted(process);
}
async function atEnd(process: Process, way: Way): Promise<void> {
  await settled();
  if (way === "a snapshot") await compacted(process);
}

describe.each(ways)("§2 replayed from %s", (way) => {
  const alone: readonly [field: string, options: SpawnOptions][] = [
    ["nothing", {}],
    ["id", { id: "given" }],
    ["name", { name: "named" }],
    ["title", { title: "A title" }],
    ["agent", { agent: "scout" }],
    ["createdBy", { createdBy: "ann" }],
    ["laneKey", { lane: "keyed", laneKey: "key" }],
    ["priority", { priority: 3 }],
    ["children", { children: "cancel" }],
    ["runId", { runId: "run" }],
    ["callId", { callId: "call" }],
    ["wake", { wake: "silent" }],
    ["budget", { budget: { costUsd: 5 } }],
    ["weight", { weight: { tokens: 7 } }],
    ["tags", { tags: ["tag"] }],
    ["metadata", { metadata: { a: 1 } }],
    ["timeoutMs", { timeoutMs: 5_000 }],
  ];

  test.each(alone)("a task of which only one thing is special keeps it: %s", async (_field, options) => {
    const first = await started({ lanes: { keyed: { concurrency: 1, perKey: { concurrency: 1 } } } });
    const { id } = first.manager.spawn(() => "value", options);
    await between(first, way);
    await atEnd(first, way);
    const { record } = task(first, id);
    const next = await first.restart();
    expect(task(next, id).record).toEqual(record);
    expect(task(await next.restart(), id).record).toEqual(record);
  });

  test("D6 tasks are evicted in the order in which they ended, not in that of their spawns", async () => {
    const first = await started({ retention: { maxFinished: 3 } });
    const tasks = new Map(["a", "b", "c"].map((id) => [id, hold(first.manager, { id })]));
    await settled();
    for (const id of ["c", "a"]) given(tasks.get(id)).finish();
    await between(first, way);
    given(tasks.get("b")).finish();
    await atEnd(first, way);
    const next = await first.restart();
    const left: string[][] = [];
    for (const id of ["x", "y", "z"]) {
      await next.manager.spawn(() => id, { id }).result();
      await settled();
      left.push(["a", "b", "c"].filter((old) => next.manager.get(old) !== undefined));
    }
    // The task of `compacted` ended last in its process, and counts too.
    const order = left.map((ids) => ids.join(""));
    expect(["ab", "b", ""]).toEqual(expect.arrayContaining(order));
    expect(next.manager.get("c")).toBeUndefined();
  });

  test("§10 a message that came before the start goes to the kind at the start, once, and one that came after it at once", async () => {
    const delivered: string[] = [];
    const kind = defineKind({
      name: "steered",
      run: deaf,
      canReattach: () => true,
      deliver: ({ attempt }, { content }) => {
        for (const part of content) if (part.type === "text") delivered.push(`${part.text} in ${attempt}`);
      },
    });
    const options = { kinds: [kind], concurrency: 1 };
    const first = await started(options);
    const before = holdDeaf(first.manager);
    const steered = first.manager.spawn(kind);
    await settled();
    await steered.send("early");
    await between(first, way);
    await atEnd(first, way);
    expect([before.started, steered.status, delivered]).toEqual([true, "queued", []]);
    const second = await first.restart(options);
    await settled();
    expect(delivered).toEqual(["early in 2"]);
    await task(second, steered.id).send("later");
    await settled();
    expect(delivered).toEqual(["early in 2", "later in 2"]);
    await atEnd(second, way);
    const third = await second.restart(options);
    await settled();
    expect(task(third, steered.id).record).toMatchObject({ status: "running", attempt: 3 });
    expect(delivered).toEqual(["early in 2", "later in 2"]);
  });

  test("A1 an answer is no message to read, and a message is one again, also when only one of them is in the snapshot", async () => {
    const read: unknown[] = [];
    const kind = durable(async (ctx) => {
      if (ctx.attempt === 1) {
        await ctx.ask({ question: "First?" });
        return ctx.ask({ question: "Second?" }).then(deaf);
      }
      for (let message = await ctx.receive(); message; message = await ctx.receive()) read.push(message.content[0]);
    });
    const first = await started({ kinds: [kind] });
    const handle = first.manager.spawn(kind);
    await settled();
    const answer = (text: string) => handle.send(text, { inReplyTo: given(first.manager.inbox.list()[0]).id });
    await answer("to the first");
    await handle.send("one");
    await between(first, way);
    await answer("to the second");
    await handle.send("two");
    await atEnd(first, way);
    const answered = ({ manager }: Process) => manager.inbox.list({ status: "answered" });
    const requests = answered(first);
    expect(requests).toHaveLength(2);
    const next = await first.restart();
    await settled();
    expect(read).toEqual(["one", "two"].map((text) => ({ type: "text", text })));
    expect(task(next, handle.id).messages()).toEqual(handle.messages());
    expect(answered(next)).toEqual(requests);
  });

  test("D6 what an abandoned function reported after its task was evicted changes nothing", async () => {
    const options = { retention: { maxFinished: 1 }, graceMs: 50 };
    const first = await started(options);
    const gone = holdDeaf<string>(first.manager, { id: "gone" });
    await settled();
    void gone.handle.cancel();
    await first.pass(50);
    await between(first, way);
    for (const id of ["x", "y"]) await first.manager.spawn(() => id, { id }).result();
    await settled();
    expect(first.manager.get("gone")).toBeUndefined();
    gone.finish("late");
    await settled();
    expect(first.store.kept.at(-1)).toMatchObject({ type: "task.lateSettled", taskId: "gone" });
    await atEnd(first, way);
    const next = await first.restart();
    expect(next.manager.list().map(({ id }) => id)).toEqual(first.manager.list().map(({ id }) => id));
    expect(next.manager.get("gone")).toBeUndefined();
    await next.manager.spawn(() => 1).result();
    gapless(next.store.kept);
  });

  test("D6 an id that was used again is that of the newer task, once in every list, and its session counts both", async () => {
    const first = await started({ retention: { maxFinished: 1 } });
    const used = async (id: string, inputTokens: number) => {
      await first.manager
        .session("s")
        .spawn((ctx) => ctx.reportUsage({ inputTokens }), { id })
        .result();
      await settled();
    };
    await used("again", 1);
    await used("other", 10);
    await between(first, way);
    await used("again", 100);
    await atEnd(first, way);
    const sessions = first.manager.session("s").usage();
    const next = await first.restart();
    expect(next.manager.list({ sessionId: "s" }).map(({ id }) => id)).not.toContain("other");
    if (way !== "a snapshot") expect(task(next, "again").record.usage.inputTokens).toBe(100);
    expect(next.manager.session("s").usage()).toEqual(sessions);
  });
});

describe("S6 a replay", () => {
  test("repeats nothing: no event is delivered again, no number is taken, and nothing is written", async () => {
    const first = await started();
    const parent = first.manager.spawn(async (ctx) => {
      ctx.emit("told", 1);
      return ctx.spawn(() => "child").result();
    });
    await parent.result();
    await settled();
    const { length } = first.store.kept;
    const next = await first.restart();
    const told = facts(next.manager);
    await settled();
    expect([told, next.store.kept.length, next.store.calls]).toEqual([[], length, []]);
    await next.manager.spawn(() => 1).result();
    expect(told[0]).toMatchObject({ type: "task.created", seq: length + 1 });
  });
});
