// Questions over restarts: what stays open, who may answer it when, and what the next attempt gets (A1, A3, A5).

import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { InboxRequest, TaskContext } from "errand";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { deferred, peek, settled } from "../../support/basics.js";
import { deaf, errandError, given, refusalOf, rejected } from "../../support/program.js";
import { compacted, durable, type Process, request, started, take, task } from "../../support/restarts.js";

const ann = { by: "ann" };
const bob = { by: "bob" };

/** Asks as `ask` says in every attempt, as task `asker`; the next process opens its gate to let it ask again. */
function askerOf(ask: (ctx: TaskContext) => unknown, again: Promise<void> = Promise.resolve()) {
  return durable(async (ctx) => {
    if (ctx.attempt > 1) await again;
    return ask(ctx);
  });
}

interface Asking {
  readonly first: Process;
  readonly asked: InboxRequest;
  /** The process after the crash, whose task asks again once the returned is called. */
  readonly crash: (downMs?: number) => Promise<Process>;
  readonly askAgain: () => Promise<void>;
}

async function asking(ask: (ctx: TaskContext) => unknown): Promise<Asking> {
  const gate = deferred();
  const kind = askerOf(ask, gate.promise);
  const first = await started({ kinds: [kind] });
  first.manager.spawn(kind, { id: "asker" });
  await settled();
  return {
    first,
    asked: request(first),
    crash: (downMs) => first.restart(undefined, downMs),
    async askAgain() {
      gate.resolve();
      await settled();
    },
  };
}

const keyed = (ctx: TaskContext) => ctx.ask({ question: "Which?", key: "which" });
const schema = z.object({ n: z.number().transform((n) => n * 2) });
const json = (ctx: TaskContext) => ctx.ask({ question: "How many?", key: "many", schema });

describe("A3 a keyed question", () => {
  test("stays open with its id, is the same request when it is asked again, and its answer reaches the next attempt", async () => {
    const { first, asked, crash, askAgain } = await asking(keyed);
    const next = await crash();
    expect(request(next)).toEqual(asked);
    await askAgain();
    expect(request(next)).toEqual(asked);
    expect(task(next, "asker").record.blockedOn).toEqual([{ on: "input", requestId: asked.id }]);
    const answered = await next.manager.inbox.answer(asked.id, "this", ann);
    expect(answered).toEqual({ ...asked, status: "answered", answer: "this", by: "ann", closedAt: next.clock.now() });
    expect(await task(next, "asker").result()).toBe("this");
    expect(first.manager.inbox.get(asked.id)?.status).toBe("open");
  });

  test("is answered before it is asked again, and the asking then gives the answer at once", async () => {
    const { asked, crash, askAgain } = await asking(keyed);
    const next = await crash();
    await settled();
    expect(await next.manager.inbox.answer(asked.id, "this", ann)).toMatchObject({
      status: "answered",
      answer: "this",
    });
    errandError(await refusalOf(() => next.manager.inbox.answer(asked.id, "that", bob)), "ALREADY_ANSWERED");
    await askAgain();
    expect(await task(next, "asker").result()).toBe("this");
  });

  test("is answered before its task has started again", async () => {
    const { asked, crash, askAgain } = await asking(keyed);
    const next = await crash();
    next.manager.pause();
    await next.manager.inbox.answer(asked.id, "this", ann);
    next.manager.resume();
    await askAgain();
    expect(await task(next, "asker").result()).toBe("this");
  });

  test("that was answered before the crash gives that answer to the next attempt", async () => {
    const kind = durable(async (ctx) => {
      const answer = await keyed(ctx);
      return ctx.attempt === 1 ? deaf() : answer;
    });
    const first = await started({ kinds: [kind] });
    first.manager.spawn(kind, { id: "asker" });
    await settled();
    await first.manager.inbox.answer(request(first).id, "this", ann);
    await settled();
    const next = await first.restart();
    expect(await task(next, "asker").result()).toBe("this");
    expect(next.manager.inbox.list({ status: "answered" })).toHaveLength(1);
  });

  test("whose answer was not stored is open again", async () => {
    const { first, asked, crash, askAgain } = await asking(keyed);
    first.store.hold();
    void first.manager.inbox.answer(asked.id, "lost", ann);
    await settled();
    const next = await crash();
    await askAgain();
    await next.manager.inbox.answer(asked.id, "kept", bob);
    expect(await task(next, "asker").result()).toBe("kept");
  });

  test("that was rejected before the crash rejects the next attempt", async () => {
    const kind = durable(async (ctx) => {
      const error = await refusalOf(() => keyed(ctx));
      return ctx.attempt === 1 ? deaf() : errandError(error, "REQUEST_REJECTED").reason;
    });
    const first = await started({ kinds: [kind] });
    first.manager.spawn(kind, { id: "asker" });
    await settled();
    await first.manager.inbox.reject(request(first).id, "no", ann);
    await settled();
    const next = await first.restart();
    expect(await task(next, "asker").result()).toBe("no");
  });

  test("is rejected before it is asked again", async () => {
    const { asked, crash, askAgain } = await asking((ctx) => refusalOf(() => keyed(ctx)));
    const next = await crash();
    await next.manager.inbox.reject(asked.id, "no", ann);
    await askAgain();
    const value = await task(next, "asker").result();
    expect(errandError(value, "REQUEST_REJECTED")).toMatchObject({ requestId: asked.id, reason: "no", by: "ann" });
  });

  test("survives any number of crashes, and snapshots", async () => {
    const { first, asked } = await asking(keyed);
    let process = first;
    for (let crash = 0; crash < 3; crash++) {
      await compacted(process);
      process = await process.restart();
    }
    expect(request(process)).toEqual(asked);
    await process.manager.inbox.answer(asked.id, "this", ann);
    expect(process.manager.inbox.list()).toEqual([]);
  });

  test("asked again with other content is IdConflictError", async () => {
    const { asked, crash, askAgain } = await asking((ctx) =>
      ctx.attempt === 1 ? keyed(ctx) : refusalOf(() => ctx.ask({ question: "Who?", key: "which" })),
    );
    const next = await crash();
    await askAgain();
    expect(errandError(await task(next, "asker").result(), "ID_CONFLICT").id).toBe("which");
    expect(next.manager.inbox.get(asked.id)?.status).toBe("withdrawn");
  });

  test("is withdrawn when its task ends without asking it again", async () => {
    const { asked, crash, askAgain } = await asking((ctx) => (ctx.attempt === 1 ? keyed(ctx) : "ended"));
    const next = await crash();
    await askAgain();
    expect(await task(next, "asker").result()).toBe("ended");
    expect(next.manager.inbox.get(asked.id)?.status).toBe("withdrawn");
    errandError(await refusalOf(() => next.manager.inbox.answer(asked.id, "late", ann)), "ALREADY_ANSWERED");
  });

  test("of a task that does not go on is withdrawn", async () => {
    const first = await started();
    first.manager.spawn(keyed, { id: "asker" });
    await settled();
    const { id } = request(first);
    const next = await first.restart();
    expect([next.manager.inbox.list(), next.manager.inbox.get(id)?.status]).toEqual([[], "withdrawn"]);
    expect(next.store.typesOf("asker").slice(-2)).toEqual(["request.withdrawn", "task.interrupted"]);
  });

  test("A5 holds no slot in either process, and is answered by a message", async () => {
    const { asked, crash, askAgain } = await asking(keyed);
    const next = await crash();
    await askAgain();
    expect(next.manager.stats().lanes["default"]?.held).toBe(0);
    await task(next, "asker").send("by message", { inReplyTo: asked.id });
    expect(await task(next, "asker").result()).toBe("by message");
  });

  test("D1 §8 a message that answers it is stored, also when its task ends by that answer", async () => {
    const first = await started();
    const handle = first.manager.spawn(keyed, { id: "asker" });
    await settled();
    const message = await handle.send("this", { inReplyTo: request(first).id });
    expect([await handle.result(), handle.messages()]).toEqual(["this", [message]]);
    await settled();
    expect(task(await first.restart(), "asker").messages()).toEqual([message]);
  });

  test("A5 of an approval: only `true` answers it, before it is asked again too", async () => {
    const { asked, crash, askAgain } = await asking((ctx) => ctx.approve("Go on?", { key: "go" }));
    const next = await crash();
    await rejected(() => next.manager.inbox.answer(asked.id, "yes", ann), "INVALID_INPUT");
    await rejected(() => task(next, "asker").send("yes", { inReplyTo: asked.id }), "INVALID_INPUT");
    await next.manager.inbox.answer(asked.id, true, ann);
    await askAgain();
    expect((await task(next, "asker").outcome()).status).toBe("succeeded");
  });

  test("§7 an approval gives nothing, also one that was given before it is asked again", async () => {
    const { asked, crash, askAgain } = await asking((ctx) => ctx.approve("Go on?", { key: "go" }));
    const next = await crash();
    await next.manager.inbox.answer(asked.id, true, ann);
    await askAgain();
    expect(await task(next, "asker").result()).toBeUndefined();
  });

  test("of choices takes a choice alone, before it is asked again too", async () => {
    const { asked, crash, askAgain } = await asking((ctx) =>
      ctx.ask({ question: "Which?", choices: ["red", "green"], key: "colour" }),
    );
    const next = await crash();
    await rejected(() => next.manager.inbox.answer(asked.id, "blue", ann), "INVALID_INPUT");
    await next.manager.inbox.answer(asked.id, "green", ann);
    await askAgain();
    expect(await task(next, "asker").result()).toBe("green");
  });

  test("A1 inbox.watch() begins with those that are open from before", async () => {
    const { asked, crash, askAgain } = await asking(keyed);
    const next = await crash();
    const watching = take(next.manager.inbox.watch(), 2);
    next.manager.spawn((ctx) => ctx.ask({ question: "New?" }));
    await askAgain();
    expect((await watching).map(({ question }) => question)).toEqual([asked.question, "New?"]);
  });

  test("W4 awaitTasks({ stopOnRequest }) of the next process tells of it once", async () => {
    const { crash } = await asking(keyed);
    const next = await crash();
    const watch = () => next.manager.awaitTasks(["asker"], { stopOnRequest: true });
    expect((await watch()).reason).toBe("request");
    expect((await peek(watch())).is).toBe("pending");
  });
});

describe("A2 A3 a keyed question with a schema", () => {
  test("is validated by the schema of the asking that comes: an answer given before waits for it", async () => {
    const { asked, crash, askAgain } = await asking(json);
    const next = await crash();
    await settled();
    const answer = next.manager.inbox.answer(asked.id, { n: 4 }, ann);
    expect((await peek(answer)).is).toBe("pending");
    expect(next.manager.inbox.get(asked.id)?.status).toBe("open");
    await askAgain();
    expect(await answer).toMatchObject({ status: "answered", answer: { n: 4 } });
    expect(await task(next, "asker").result()).toEqual({ n: 8 });
  });

  test("refuses one that does not fit with InvalidInputError and stays open", async () => {
    const { asked, crash, askAgain } = await asking(json);
    const next = await crash();
    const bad = refusalOf(() => next.manager.inbox.answer(asked.id, { n: "four" }, ann));
    await askAgain();
    expect(errandError(await bad, "INVALID_INPUT").issues).toHaveLength(1);
    expect(request(next).id).toBe(asked.id);
    await next.manager.inbox.answer(asked.id, { n: 1 }, bob);
    expect(await task(next, "asker").result()).toEqual({ n: 2 });
  });

  test("A1 the first of several that wait wins", async () => {
    const { asked, crash, askAgain } = await asking(json);
    const next = await crash();
    const one = next.manager.inbox.answer(asked.id, { n: 1 }, ann);
    const two = refusalOf(() => next.manager.inbox.answer(asked.id, { n: 2 }, bob));
    await askAgain();
    expect((await one).by).toBe("ann");
    expect(errandError(await two, "ALREADY_ANSWERED").request.by).toBe("ann");
    expect(await task(next, "asker").result()).toEqual({ n: 2 });
  });

  test("what waits for the asking is refused when the request closes before", async () => {
    const { asked, crash } = await asking(json);
    const next = await crash();
    const waiting = refusalOf(() => next.manager.inbox.answer(asked.id, { n: 1 }, ann));
    await settled();
    await next.manager.inbox.reject(asked.id, "no", bob);
    expect(errandError(await waiting, "ALREADY_ANSWERED").request.status).toBe("rejected");
  });

  test("D8 what waits for the asking rejects with ManagerClosedError when the manager closes", async () => {
    const { asked, crash } = await asking(json);
    const next = await crash();
    const waiting = refusalOf(() => next.manager.inbox.answer(asked.id, { n: 1 }, ann));
    await settled();
    await Promise.all([next.manager.close(), next.pass(5_000)]);
    errandError(await waiting, "MANAGER_CLOSED");
  });

  test("that was answered before the crash gives what the schema makes of the answer, once more", async () => {
    const kind = durable(async (ctx) => {
      const value = await json(ctx);
      return ctx.attempt === 1 ? deaf() : [value, await json(ctx)];
    });
    const first = await started({ kinds: [kind] });
    first.manager.spawn(kind, { id: "asker" });
    await settled();
    await first.manager.inbox.answer(request(first).id, { n: 21 }, ann);
    await settled();
    const next = await first.restart();
    expect(await task(next, "asker").result()).toEqual([{ n: 42 }, { n: 42 }]);
    expect(next.manager.inbox.list({ status: "answered" })[0]?.answer).toEqual({ n: 21 });
  });

  test("that was answered, and whose schema takes it no more, is InvalidInputError in the asking function", async () => {
    let accepts = true;
    const moody: StandardSchemaV1<unknown, string> = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: (value) => (accepts ? { value: String(value) } : { issues: [{ message: "not any more" }] }),
      },
    };
    const kind = durable(async (ctx) => {
      const asked = () => ctx.ask({ question: "Which?", key: "which", schema: moody });
      if (ctx.attempt > 1) return errandError(await refusalOf(asked), "INVALID_INPUT").issues;
      await asked();
      return deaf();
    });
    const first = await started({ kinds: [kind] });
    first.manager.spawn(kind, { id: "asker" });
    await settled();
    await first.manager.inbox.answer(request(first).id, "this", ann);
    await settled();
    accepts = false;
    const next = await first.restart();
    expect(await task(next, "asker").result()).toEqual([{ message: "not any more" }]);
  });

  test("may have a schema that answers later, in the next process too", async () => {
    const later: StandardSchemaV1<unknown, string> = {
      "~standard": { version: 1, vendor: "test", validate: async (value) => ({ value: `<${String(value)}>` }) },
    };
    const { asked, crash, askAgain } = await asking((ctx) => ctx.ask({ question: "Which?", key: "k", schema: later }));
    const next = await crash();
    const answer = next.manager.inbox.answer(asked.id, "this", ann);
    await askAgain();
    expect((await answer).answer).toBe("this");
    expect(await task(next, "asker").result()).toBe("<this>");
  });
});

describe("A3 A4 an unkeyed question, and time", () => {
  test("an unkeyed question is withdrawn, and its asking again is another request", async () => {
    const { asked, crash, askAgain } = await asking((ctx) => ctx.ask({ question: "Which?" }));
    const next = await crash();
    expect(next.manager.inbox.get(asked.id)).toEqual({ ...asked, status: "withdrawn", closedAt: next.clock.now() });
    await rejected(() => next.manager.inbox.answer(asked.id, "late", ann), "ALREADY_ANSWERED");
    await askAgain();
    expect(request(next).id).not.toBe(asked.id);
    await next.manager.inbox.answer(request(next).id, "this", ann);
    expect(await task(next, "asker").result()).toBe("this");
  });

  const expiring = (ctx: TaskContext) =>
    ctx.ask({ question: "Which?", key: "which", timeoutMs: 1_000, onTimeout: { default: "nobody" } });

  test("an expiry goes on over the restart", async () => {
    const { first, asked, crash, askAgain } = await asking(expiring);
    await first.pass(300);
    const next = await crash(500);
    await askAgain();
    expect(request(next).expiresAt).toBe(asked.createdAt + 1_000);
    await next.pass(199);
    expect(request(next).status).toBe("open");
    await next.pass(1);
    expect(next.manager.inbox.get(asked.id)?.status).toBe("expired");
    expect(await task(next, "asker").result()).toBe("nobody");
  });

  test("one that passed while no process was there expires at once", async () => {
    const { asked, crash, askAgain } = await asking((ctx) =>
      refusalOf(() => ctx.ask({ question: "Which?", key: "which", timeoutMs: 1_000 })),
    );
    const next = await crash(50_000);
    await rejected(() => next.manager.inbox.answer(asked.id, "late", ann), "ALREADY_ANSWERED");
    expect(next.manager.inbox.get(asked.id)?.status).toBe("expired");
    await askAgain();
    errandError(await task(next, "asker").result(), "REQUEST_EXPIRED");
  });

  test("one that expired before the crash gives its default to the next attempt", async () => {
    const kind = durable(async (ctx) => {
      const value = await expiring(ctx);
      return ctx.attempt === 1 ? deaf() : value;
    });
    const first = await started({ kinds: [kind] });
    first.manager.spawn(kind, { id: "asker" });
    await first.pass(1_000);
    const next = await first.restart();
    expect(await task(next, "asker").result()).toBe("nobody");
    expect(given(next.manager.inbox.list({ status: "expired" })[0]).taskId).toBe("asker");
  });

  test("an answered question leaves no timer in the next process", async () => {
    const { asked, crash, askAgain } = await asking(expiring);
    const next = await crash();
    await next.manager.inbox.answer(asked.id, "this", ann);
    await askAgain();
    await task(next, "asker").result();
    await next.manager.close();
    expect(next.clock.nextAt).toBeUndefined();
  });
});
