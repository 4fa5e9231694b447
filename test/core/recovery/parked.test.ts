// Tasks that a process cannot resume and another may (D4): they are parked, whole, until a process knows what they need.

import { setImmediate } from "node:timers/promises";
import { defineKind, type TaskKind, type TaskManagerOptions } from "errand";
import { describe, expect, test } from "vitest";
import { peek, settled } from "../../support/basics.js";
import { deaf, errandError, given, refusalOf, refused, untilStopped } from "../../support/program.js";
import { compacted, durable, type Process, request, started, task } from "../../support/restarts.js";

const review = defineKind({
  name: "review",
  canReattach: () => true,
  run: async (ctx) => {
    await ctx.approve("Publish?", { key: "publish" });
    return "published";
  },
});

/** A logger, and what it was warned of. */
function warned() {
  const warnings: string[] = [];
  return { warnings, logger: { warn: (message: string) => void warnings.push(message), error: () => undefined } };
}

/** A process that has started `kind` as task `parked`, and the one after its death, which does not know that kind. */
async function parked(kind: TaskKind<undefined, unknown>, options: Omit<TaskManagerOptions, "store"> = {}) {
  const first = await started({ ...options, kinds: [kind] });
  first.manager.spawn(kind, { id: "parked" });
  await settled();
  const { warnings, logger } = warned();
  const second = await first.restart({ ...options, logger });
  await settled();
  return { second, warnings, kind: (process: Process = second) => process.restart({ ...options, kinds: [kind] }) };
}

const standing = (process: Process, id = "parked") => {
  const { status, blockedOn } = task(process, id).record;
  return { status, blockedOn };
};
const onKind = (kind: string) => [{ on: "kind", kind }];

describe("D4 a task of a kind that this process does not know", () => {
  test("stays active, says which kind it waits for, and keeps its question open", async () => {
    const { second, warnings } = await parked(review);
    expect(standing(second)).toEqual({ status: "blocked", blockedOn: onKind("review") });
    expect(request(second)).toMatchObject({ taskId: "parked", key: "publish", status: "open" });
    expect(warnings).toEqual([expect.stringMatching(/"review".*"parked"/)]);
    const third = await second.restart({});
    expect(standing(third)).toEqual({ status: "blocked", blockedOn: onKind("review") });
    expect(third.store.kept.filter(({ type }) => type === "task.parked")).toHaveLength(1);
  });

  test("is resumed by the next process that knows it, with the answer that was given meanwhile", async () => {
    const { second, kind } = await parked(review);
    await second.manager.inbox.answer(request(second).id, true, { by: "ada" });
    await compacted(second);
    const third = await kind(await second.restart({}));
    expect(await task(third, "parked").result()).toBe("published");
  });

  test("was never started: it stays queued, and is started where its kind is known", async () => {
    const runs: string[] = [];
    const kind = durable((ctx) => void runs.push(ctx.id));
    const first = await started({ kinds: [kind], lanes: { default: { concurrency: 1 } } });
    first.manager.pause();
    first.manager.spawn(kind, { id: "parked" });
    await settled();
    const second = await first.restart({});
    expect(standing(second)).toEqual({ status: "queued", blockedOn: onKind("durable") });
    await compacted(second);
    const third = await second.restart({ kinds: [kind] });
    await settled();
    expect([runs, standing(third)]).toEqual([["parked"], { status: "succeeded", blockedOn: [] }]);
  });

  test("keeps nothing waiting: idle() resolves, close() takes no grace, no loop waits for its notice", async () => {
    const kind = durable(untilStopped);
    const first = await started({ kinds: [kind] });
    first.manager.session("chat").spawn(kind, { id: "parked", input: undefined });
    await settled();
    const second = await first.restart({});
    await second.manager.idle();
    expect(await second.manager.session("chat").nextNotices()).toBeUndefined();
    expect(second.clock.nextAt).toBeUndefined();
    await second.manager.close();
    expect(standing(second)).toEqual({ status: "blocked", blockedOn: onKind("durable") });
    expect(second.store.kept.map(({ type }) => type)).not.toContain("task.interrupted");
  });

  test("can be listed, waited for, messaged and cancelled; the logger is warned that its kind was not asked to wind down", async () => {
    const { second, warnings } = await parked(durable((ctx) => ctx.receive()));
    expect(second.manager.list({ status: "blocked" }).map(({ id }) => id)).toEqual(["parked"]);
    const waiting = second.manager.awaitTasks(["parked"]);
    await task(second, "parked").send("hello");
    expect((await peek(waiting)).is).toBe("pending");
    expect(await task(second, "parked").cancel("enough")).toEqual({
      id: "parked",
      status: "cancelled",
      reason: "enough",
    });
    expect(await waiting).toMatchObject({ reason: "done", ended: [{ status: "cancelled" }] });
    await settled();
    expect(warnings.at(-1)).toMatch(/"parked".*"durable".*not wound down/);
    await second.manager.idle();
    expect(second.manager.stats()).toMatchObject({ queued: 0, running: 0, blocked: 0 });
  });

  test("keeps the messages that it was sent", async () => {
    const { second, kind } = await parked(durable(async (ctx) => (await ctx.receive())?.content));
    await task(second, "parked").send("hello");
    expect(await task(await kind(), "parked").result()).toEqual([{ type: "text", text: "hello" }]);
  });

  test("ends by its total time all the same", async () => {
    const kind = durable(deaf);
    const first = await started({ kinds: [kind] });
    first.manager.spawn(kind, { id: "parked", totalTimeoutMs: 10_000 });
    await settled();
    const second = await first.restart({});
    await second.pass(8_999);
    expect(task(second, "parked").status).toBe("blocked");
    await second.pass(1);
    expect(task(second, "parked").record).toMatchObject({ status: "failed", error: { code: "total_timeout" } });
  });

  test("a question of it expires, and one that its schema must check is refused with the kind", async () => {
    const json = { "~standard": { version: 1, vendor: "test", validate: (value: unknown) => ({ value }) } } as const;
    const { second } = await parked(
      durable(async (ctx) => {
        void ctx.ask({ question: "Soon?", key: "soon", timeoutMs: 5_000 }).catch(() => undefined);
        return ctx.ask({ question: "What?", key: "what", schema: json });
      }),
    );
    const [soon, what] = second.manager.inbox.list();
    const refusal = await refusalOf(() => second.manager.inbox.answer(given(what).id, { a: 1 }, { by: "ada" }));
    expect(errandError(refusal, "UNKNOWN_KIND").kind).toBe("durable");
    await second.pass(5_000);
    expect(second.manager.inbox.get(given(soon).id)?.status).toBe("expired");
    expect(second.manager.inbox.list().map(({ id }) => id)).toEqual([given(what).id]);
  });

  test("is never evicted, and leaves its name taken", async () => {
    const kind = durable(deaf);
    const first = await started({ kinds: [kind] });
    first.manager.spawn(kind, { id: "parked", name: "keeper" });
    await settled();
    const second = await first.restart({ retention: { maxFinished: 0, ttlMs: 0 } });
    await second.pass(1);
    refused(() => second.manager.spawn(deaf, { name: "keeper" }), "NAME_TAKEN");
    expect(task(second, "parked").status).toBe("blocked");
  });

  test("a spawn that brings its kind resumes it, and the children that wait with it", async () => {
    const child = durable(() => "child", { name: "child" });
    const parent = durable(async (ctx) => (ctx.attempt === 1 ? deaf() : ctx.spawn(child, { id: "child" }).result()), {
      name: "parent",
    });
    const first = await started({ kinds: [parent, child] });
    first.manager.spawn(parent, { id: "parent" });
    await settled();
    const second = await first.restart({});
    expect(standing(second, "parent").blockedOn).toEqual(onKind("parent"));
    expect(await second.manager.spawn(parent, { id: "parent" }).result()).toBe("child");
  });

  test("H7 a child whose spawn finds it again waits with its parent; every other child ends", async () => {
    const leaf = durable(deaf, { name: "leaf" });
    const parent = durable(
      async (ctx) => {
        if (ctx.attempt === 1) {
          ctx.spawn(leaf, { id: "kept" });
          ctx.spawn(leaf, { title: "lost" });
          ctx.spawn(deaf, { id: "plain" });
          ctx.spawn(leaf, { id: "free", detached: true });
        }
        return deaf();
      },
      { name: "parent" },
    );
    const first = await started({ kinds: [parent, leaf] });
    first.manager.spawn(parent, { id: "parent" });
    await settled();
    const second = await first.restart({ kinds: [leaf] });
    await settled();
    const all = second.manager.list().map(({ id, title, status }) => [title ?? id, status]);
    expect(Object.fromEntries(all)).toEqual({
      parent: "blocked",
      kept: "blocked",
      lost: "interrupted",
      plain: "interrupted",
      free: "running",
    });
    expect(standing(second, "kept").blockedOn).toEqual(onKind("parent"));
    void task(second, "parent").cancel();
    await settled();
    expect([standing(second, "parent").status, standing(second, "kept").status]).toEqual(["cancelled", "cancelled"]);
    expect(task(second, "free").status).toBe("running");
  });

  test("a stop that was asked for before is carried out, whether its kind is known or not", async () => {
    const kind = durable(deaf);
    const first = await started({ kinds: [kind], graceMs: 1e6 });
    first.manager.spawn(kind, { id: "parked" });
    await settled();
    void task(first, "parked").cancel("enough");
    await settled();
    const { warnings, logger } = warned();
    const second = await first.restart({ logger });
    await settled();
    expect(task(second, "parked").record).toMatchObject({ status: "cancelled", reason: "enough" });
    expect(warnings).toEqual([expect.stringMatching(/not wound down/)]);
  });
});

describe("D4 a task of a lane that this process has not declared", () => {
  test("is parked, and resumed where the lane is declared", async () => {
    const kind = durable((ctx) => (ctx.attempt === 1 ? deaf() : "went on"));
    const lanes = { model: { concurrency: 1 } };
    const first = await started({ kinds: [kind], lanes });
    first.manager.spawn(kind, { id: "parked", lane: "model" });
    await settled();
    const { warnings, logger } = warned();
    const second = await first.restart({ kinds: [kind], logger });
    await settled();
    expect(standing(second)).toEqual({ status: "blocked", blockedOn: [{ on: "lane", lane: "model" }] });
    expect(warnings).toEqual([expect.stringMatching(/"model".*"parked"/)]);
    refused(() => second.manager.spawn(deaf, { lane: "model" }), "UNKNOWN_LANE");
    expect(await task(await second.restart({ kinds: [kind], lanes }), "parked").result()).toBe("went on");
  });
});

describe("D4 a kind that can reattach and is not registered", () => {
  test("is warned of once by its name when it is spawned with a store, and never without one", async () => {
    const { warnings, logger } = warned();
    const process = await started({ logger });
    process.manager.spawn(review);
    process.manager.spawn(review);
    process.manager.spawn(defineKind({ name: "plain", run: () => 1 }));
    await setImmediate();
    expect(warnings).toEqual([expect.stringMatching(/"review".*not registered/)]);
  });
});

test("D8 C5 a manager that closes leaves no timer of a task that is parked: of its total time, of its question", async () => {
  const waits = defineKind({
    name: "waits",
    canReattach: () => true,
    run: (ctx) => ctx.ask({ question: "Which?", key: "k", timeoutMs: 1_000_000 }),
  });
  const first = await started({ kinds: [waits] });
  first.manager.spawn(waits, { id: "parked", totalTimeoutMs: 1_000_000 });
  await settled();
  const next = await first.restart({ kinds: [] });
  expect(task(next, "parked").record.blockedOn).toContainEqual({ on: "kind", kind: "waits" });
  expect(next.clock.nextAt).toBeDefined();
  const closed = next.manager.close({ graceMs: 0 });
  await next.pass(1_000);
  await closed;
  expect(next.clock.nextAt).toBeUndefined();
});

describe("a child of an unknown kind, which its resumed parent spawns again by name", () => {
  /** The parent of an earlier process goes on here, without the kind of its child. */
  async function withoutChildKind(spawnedAgain: Parameters<typeof defineKind>[0]["run"]) {
    const child = durable(async (ctx) => (await ctx.receive())?.content);
    const first = defineKind({
      name: "parent",
      canReattach: () => true,
      run: async (ctx) => ctx.spawn("durable", { id: "child", input: { n: 1 } }).result(),
    });
    const before = await started({ kinds: [first, child] });
    before.manager.spawn(first, { id: "parent" });
    await settled();
    expect(task(before, "child").status).toBe("blocked");
    const parent = defineKind({ name: "parent", canReattach: () => true, run: spawnedAgain });
    const second = await before.restart({ kinds: [parent] });
    await settled();
    return { second, withKind: () => second.restart({ kinds: [first, child] }) };
  }

  test("D4 H7 is the parked task: the parent waits for it, and the next process that knows the kind ends both", async () => {
    const { second, withKind } = await withoutChildKind((ctx) =>
      ctx.spawn("durable", { id: "child", input: { n: 1 } }).result(),
    );
    expect(second.manager.list().map(({ id, status }) => [id, status])).toEqual([
      ["parent", "blocked"],
      ["child", "blocked"],
    ]);
    expect(task(second, "parent").record.blockedOn).toEqual([{ on: "tasks", taskIds: ["child"] }]);
    expect(task(second, "child").record).toMatchObject({ attempt: 1, blockedOn: [{ on: "kind", kind: "durable" }] });
    const third = await withKind();
    await settled();
    await task(third, "child").send("done");
    expect(await task(third, "parent").result()).toEqual([{ type: "text", text: "done" }]);
  });

  test("§10 with other content, or without its id, is refused, and nothing runs", async () => {
    const refusals: unknown[] = [];
    const { second } = await withoutChildKind(async (ctx) => {
      refusals.push(await refusalOf(() => ctx.spawn("durable", { id: "child", input: { n: 2 } })));
      refusals.push(await refusalOf(() => ctx.spawn("durable", { id: "other", input: { n: 1 } })));
      refusals.push(await refusalOf(() => ctx.spawn("durable", { input: { n: 1 } })));
      return deaf();
    });
    expect(refusals).toMatchObject([{ code: "ID_CONFLICT" }, { code: "UNKNOWN_KIND" }, { code: "UNKNOWN_KIND" }]);
    expect(refusals[1]).toMatchObject({ message: expect.stringMatching(/"durable": there are parent; pass the kind/) });
    expect(second.manager.list().map(({ id }) => id)).toEqual(["parent", "child"]);
  });
});
