// Requests: which of them a reader gets, in which order, and what closes, hands over or forgets them (A1, A3, C7, D6).

import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { TaskContext, TaskManager } from "errand";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Core } from "../../../lib/core/core.js";
import { Context } from "../../../lib/session/context.js";
import { peek, settled } from "../../support/basics.js";
import { given, hold, refusalOf, rejected, untilStopped, world } from "../../support/program.js";
import { durable, request, started, task } from "../../support/restarts.js";

const ann = { by: "ann" };

function questions(requests: readonly { readonly question: string }[]): readonly string[] {
  return requests.map(({ question }) => question);
}

/** Runs until its question is answered. */
const asking =
  (question: string, key?: string) =>
  (ctx: TaskContext): Promise<string> =>
    ctx.ask({ question, key });

async function coreOf(manager: TaskManager): Promise<Core> {
  let core: Core | undefined;
  await manager.spawn((ctx) => void (core = Context.coreOf(ctx)), { root: true }).result();
  return given(core);
}

describe("the requests of a filter", () => {
  test("§7 are in order of opening, also when they are closed, and those of a session alone", async () => {
    const { manager } = world();
    const chat = manager.session("chat");
    const late = hold<string>(chat);
    // Two tasks of the session ask nothing.
    await chat.spawn(() => 1).result();
    const steered = hold(chat);
    await settled();
    await steered.handle.send("hello");
    chat.spawn(asking("first"));
    manager.spawn(asking("elsewhere"));
    await settled();
    const asked = late.ctx.ask({ question: "second" });
    await settled();
    chat.spawn(asking("third"));
    await settled();
    expect(questions(manager.inbox.list({ sessionId: "chat" }))).toEqual(["first", "second", "third"]);
    for (const { id } of manager.inbox.list().toReversed()) await manager.inbox.answer(id, "x", ann);
    await asked;
    expect(questions(manager.inbox.list({ sessionId: "chat", status: "answered" }))).toEqual([
      "first",
      "second",
      "third",
    ]);
    expect(manager.inbox.list({ sessionId: "chat", status: "rejected" })).toEqual([]);
    expect(manager.inbox.list({ sessionId: "other", status: "answered" })).toEqual([]);
    late.finish("done");
    steered.finish();
  });

  test("§7 are none for a task that asked nothing, whatever else it has, and for no task", async () => {
    const { manager } = world();
    const plain = manager.spawn(() => 1);
    const steered = hold(manager);
    await plain.result();
    await steered.handle.send("hello");
    for (const taskId of [plain.id, steered.handle.id, "task_99"])
      for (const status of ["open", "answered"] as const) expect(manager.inbox.list({ taskId, status })).toEqual([]);
    steered.finish();
  });

  test("§12 have no field that a filter does not have", () => {
    const { manager } = world();
    expect(() => manager.inbox.list({ taskid: "x" } as object)).toThrow(/^filter has no field "taskid"/);
    expect(() => manager.inbox.watch({ taskid: "x" } as object)).toThrow(/^watch has no field "taskid"/);
    expect(() => manager.inbox.watch({ signal: {} } as object)).toThrow(/^signal must be an AbortSignal/);
  });

  test("§12 are not found by an id that is neither of a request nor of a task", async () => {
    const { manager } = world();
    const error = await rejected(() => manager.inbox.answer("request_9", "x", ann), "REQUEST_NOT_FOUND");
    expect(error.message).toContain("it was never opened");
  });

  test("W4 of tasks and of those below them are the open ones of the whole subtrees, in order of opening", async () => {
    const index = fc.nat({ max: 11 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(index, { minLength: 12, maxLength: 12 }),
        fc.array(index, { maxLength: 12 }),
        fc.array(index, { maxLength: 6 }),
        fc.uniqueArray(index, { maxLength: 12 }),
        async (parents, asks, closes, chosen) => {
          const { manager } = world({ limits: { maxDepth: 100 } });
          const core = await coreOf(manager);
          // Task n is a child of an earlier one, or a root. A task may ask several times.
          const contexts: TaskContext[] = [];
          for (const [n, parent] of parents.entries()) {
            const owner = n === 0 || parent >= n ? manager : given(contexts[parent]);
            owner.spawn((ctx) => {
              contexts.push(ctx);
              return untilStopped(ctx);
            });
            await settled(2);
          }
          for (const n of asks)
            given(contexts[n])
              .ask({ question: String(n) })
              .catch(() => undefined);
          const opened = manager.inbox.list();
          expect(questions(opened)).toEqual(asks.map(String));
          for (const n of closes) {
            const [first] = manager.inbox.list({ taskId: given(contexts[n]).id });
            if (first !== undefined) await manager.inbox.reject(first.id, "no", ann);
          }
          const isBelow = (id: string): boolean => {
            for (let each = manager.get(id); each !== undefined; each = manager.get(each.record.parentId ?? ""))
              if (chosen.some((n) => contexts[n]?.id === each?.id)) return true;
            return false;
          };
          const tasks = new Set(chosen.map((n) => given(core.registry.byId(given(contexts[n]).id))));
          const below = Array.from(core.requests.openedBelow(tasks), (entry) => entry.request.id);
          expect(below).toEqual(
            manager.inbox
              .list()
              .filter(({ taskId }) => isBelow(taskId))
              .map(({ id }) => id),
          );
          await manager.close();
        },
      ),
      { numRuns: 30 },
    );
  });

  test("§7 that are open are those of a watch", async () => {
    const { manager } = world();
    const core = await coreOf(manager);
    manager.spawn(asking("first"));
    manager.spawn(asking("second"));
    await settled();
    await manager.inbox.answer(given(manager.inbox.list()[0]).id, "x", ann);
    expect(Array.from(core.requests.opened({}), (entry) => entry.request.question)).toEqual(["second"]);
  });
});

describe("a watcher of requests", () => {
  test("§7 is called once for each request until it leaves, and with none when the manager closes", async () => {
    const { manager } = world();
    const core = await coreOf(manager);
    const told: (string | undefined)[] = [];
    const off = core.requests.watch((entry) => void told.push(entry?.request.question));
    core.requests.watch((entry) => void told.push(`also ${entry?.request.question}`));
    manager.spawn(asking("first"));
    await settled();
    off();
    manager.spawn(asking("second"));
    await settled();
    expect(told).toEqual(["first", "also first", "also second"]);
    await manager.close();
    expect(told).toEqual(["first", "also first", "also second", "also undefined"]);
  });
});

describe("a caller that watches tasks", () => {
  test("W4 learns of each question in them or below them, with the owners that know it, until it leaves", async () => {
    const { manager } = world();
    const core = await coreOf(manager);
    const above = hold(manager);
    const other = hold(manager);
    await settled();
    const below = hold(above.ctx);
    await settled();
    const told: unknown[] = [];
    const off = core.requests.onOpened(new Set([given(core.registry.byId(above.handle.id))]), (entry) =>
      told.push(entry),
    );
    const ask = (ctx: TaskContext) => void ctx.ask({ question: "Which?" }).catch(() => undefined);
    for (const { ctx } of [other, below, above]) ask(ctx);
    const entries = ["request_2", "request_3"].map((id) => core.requests.find(id));
    expect(told).toHaveLength(2);
    for (const [index, entry] of entries.entries()) expect(told[index]).toBe(entry);
    off();
    ask(below.ctx);
    expect(told).toHaveLength(2);
    await manager.close();
  });
});

describe("a question that another process left open", () => {
  test("D9 S4 is closed also when its task has ended", async () => {
    const { manager } = world();
    const core = await coreOf(manager);
    const ended = manager.spawn(() => 1);
    await ended.result();
    const of = given(core.registry.byId(ended.id));
    const left = {
      id: "left",
      taskId: ended.id,
      kind: "text",
      status: "open",
      question: "Which?",
      createdAt: 0,
    } as const;
    // As the journal of that process has it.
    core.requests.follow(of, left, 0);
    expect(manager.inbox.list()).toEqual([left]);
    core.requests.withdraw(of);
    expect(manager.inbox.list()).toEqual([]);
    expect(manager.inbox.get("left")).toMatchObject({ status: "withdrawn" });
  });
});

describe("a watch of the inbox", () => {
  test.each(["before", "after"] as const)(
    "A1 yields a question that opened %s it began, once it is stored",
    async (when) => {
      const process = await started();
      const asker = hold(process.manager);
      await settled();
      process.store.hold();
      const ask = () => void asker.ctx.ask({ question: "Which?" }).catch(() => undefined);
      if (when === "before") ask();
      const next = process.manager.inbox.watch()[Symbol.asyncIterator]().next();
      if (when === "after") ask();
      expect(request(process).status).toBe("open");
      expect(await peek(next)).toEqual({ is: "pending" });
      process.store.letThrough();
      expect((await next).value).toEqual(request(process));
    },
  );

  test("§7 A1 passes over a question that closed before its turn, and yields those behind it", async () => {
    const { manager } = world();
    const seen: string[] = [];
    const watched = (async () => {
      for await (const { question } of manager.inbox.watch()) seen.push(question);
    })();
    const asker = hold(manager);
    await settled();
    const ask = (question: string, signal?: AbortSignal) =>
      void asker.ctx.ask({ question, signal }).catch(() => undefined);
    const controller = new AbortController();
    ask("withdrawn", controller.signal);
    controller.abort();
    ask("stays");
    ask("also stays");
    await settled();
    expect(seen).toEqual(["stays", "also stays"]);
    await manager.close();
    await watched;
  });
});

describe("a key", () => {
  test("A3 finds no request of a task that asked none, although it has messages", async () => {
    const { manager } = world();
    const asker = manager.spawn(async (ctx) => {
      await ctx.receive();
      return ctx.ask({ question: "Which?", key: "which" });
    });
    await asker.send("go");
    await settled();
    await manager.inbox.answer(given(manager.inbox.list()[0]).id, "this", ann);
    expect(await asker.result()).toBe("this");
  });

  test("A2 A3 that is asked twice has the schema of the first asking, for every asker", async () => {
    const { manager } = world();
    const times = (factor: number): StandardSchemaV1<unknown, number> => ({
      "~standard": { version: 1, vendor: "test", validate: (value) => ({ value: Number(value) * factor }) },
    });
    const asker = manager.spawn((ctx) =>
      Promise.all([2, 3].map((factor) => ctx.ask({ question: "How many?", key: "many", schema: times(factor) }))),
    );
    await settled();
    await manager.inbox.answer(given(manager.inbox.list()[0]).id, 5, ann);
    expect(await asker.result()).toEqual([10, 10]);
  });
});

describe("what a remote asks no more", () => {
  /** A task with one question for each of `keys`; its function waits for the answers of `waitsFor` alone. */
  async function asked(keys: readonly (string | undefined)[]) {
    const { manager } = world();
    const core = await coreOf(manager);
    const held = hold(manager);
    await settled();
    for (const key of keys) held.ctx.ask({ question: key ?? "none", key }).catch(() => undefined);
    const of = given(core.registry.byId(held.handle.id));
    const left = (): readonly string[] => questions(manager.inbox.list());
    return { core, of, left, held };
  }

  test("A3 is withdrawn by the key that it had, and nothing else that is waited for", async () => {
    const { core, of, left, held } = await asked(["was", "now", "other", undefined]);
    core.requests.withdrawOthers(of, "now", "was");
    expect(left()).toEqual(["now", "other", "none"]);
    core.requests.withdrawOthers(of, undefined, undefined);
    core.requests.withdrawOthers(of, "now", undefined);
    expect(left()).toEqual(["now", "other", "none"]);
    // The key that it asks now stays, also when it is the one that it had.
    core.requests.withdrawOthers(of, "now", "now");
    expect(left()).toEqual(["now", "other", "none"]);
    expect(core.requests.keyed(of, "now")?.status).toBe("open");
    expect(core.requests.keyed(of, "was")).toBeUndefined();
    expect(core.requests.keyed(of, "never")).toBeUndefined();
    await held.handle.cancel();
  });

  test("A3 is withdrawn when an earlier process asked it and no function waits for it here", async () => {
    const kind = durable(async (ctx) => {
      if (ctx.attempt > 1) return new Promise(() => undefined);
      return Promise.all(["one", "two"].map((key) => ctx.ask({ question: key, key })));
    });
    const first = await started({ kinds: [kind] });
    first.manager.spawn(kind, { id: "asker" });
    await settled();
    const next = await first.restart();
    await settled();
    const core = await coreOf(next.manager);
    const asker = given(core.registry.byId("asker"));
    expect(questions(next.manager.inbox.list())).toEqual(["one", "two"]);
    core.requests.withdrawOthers(asker, "two", undefined);
    expect(questions(next.manager.inbox.list())).toEqual(["two"]);
    expect(questions(next.manager.inbox.list({ status: "withdrawn" }))).toEqual(["one"]);
  });
});

describe("the time of a question", () => {
  const limited = durable((ctx) => ctx.ask({ question: "Which?", key: "which", timeoutMs: 10_000 }));

  test("C7 is at most its whole time after a restart, also when the clock was set back", async () => {
    const first = await started({ kinds: [limited] }, undefined, 100_000);
    first.manager.spawn(limited, { id: "asker" });
    await settled();
    const next = await first.restart(undefined, -60_000);
    await settled();
    await next.pass(9_999);
    expect(request(next).status).toBe("open");
    await next.pass(1);
    expect(next.manager.inbox.list()).toEqual([]);
    expect(await task(next, "asker").outcome()).toMatchObject({ status: "failed", error: { code: "rejected" } });
  });

  test("D8 is not counted by a process that leaves its task to the next one", async () => {
    const first = await started({ kinds: [limited] });
    first.manager.spawn(limited, { id: "asker" });
    await settled();
    expect(first.clock.nextAt).toBeDefined();
    await Promise.all([first.manager.close(), first.pass(0)]);
    expect(first.clock.nextAt).toBeUndefined();
  });
});

describe("a task whose record is evicted", () => {
  test("D6 takes its requests along, and one that has none takes nothing", async () => {
    const { manager } = world({ retention: { maxFinished: 0 } });
    const asker = manager.spawn(asking("first"));
    const steered = manager.spawn((ctx) => ctx.receive());
    const plain = manager.spawn(() => 1);
    await settled();
    const { id } = given(manager.inbox.list()[0]);
    await steered.send("go");
    await Promise.all([steered.result(), plain.result()]);
    expect(manager.inbox.get(id)?.status).toBe("open");
    await manager.inbox.answer(id, "x", ann);
    await asker.result();
    await settled();
    expect(manager.inbox.get(id)).toBeUndefined();
    expect(manager.list()).toEqual([]);
  });
});

describe("an answer that waits for a schema", () => {
  test("A1 A2 is refused as soon as the question is closed otherwise", async () => {
    const schema: StandardSchemaV1<unknown, string> = {
      "~standard": { version: 1, vendor: "test", validate: (value) => ({ value: String(value) }) },
    };
    const kind = durable(async (ctx) => {
      if (ctx.attempt > 1) return new Promise(() => undefined);
      return ctx.ask({ question: "Which?", key: "which", schema, timeoutMs: 10_000 });
    });
    const first = await started({ kinds: [kind] });
    first.manager.spawn(kind, { id: "asker" });
    await settled();
    const next = await first.restart();
    await settled();
    const answer = refusalOf(() => next.manager.inbox.answer(request(next).id, "x", ann));
    expect(await peek(answer)).toEqual({ is: "pending" });
    await next.pass(10_000);
    expect(await answer).toMatchObject({ code: "ALREADY_ANSWERED", request: { status: "expired" } });
  });
});
