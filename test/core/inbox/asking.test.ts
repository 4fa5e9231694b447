// Asking: what a question says of its asker, and what a call of `ask` comes to that opens none (A1, A3, D1, W2).

import type { TaskContext } from "errand";
import { describe, expect, test } from "vitest";
import { deferred, facts, peek, settled } from "../../support/basics.js";
import { given, hold, refusalOf, rejected, world } from "../../support/program.js";
import { durable, request, started, task } from "../../support/restarts.js";

const ann = { by: "ann" };

describe("a question", () => {
  test("§7 has the path from the root of its task to its task, and that of a root has none", async () => {
    const { manager } = world();
    const ids: string[] = [];
    const ask = (ctx: TaskContext, depth: number): Promise<unknown> => {
      ids.push(ctx.id);
      if (depth === 0) return ctx.ask({ question: "Which?" });
      return ctx.spawn((child) => ask(child, depth - 1)).result();
    };
    const root = manager.spawn((ctx) => ask(ctx, 2));
    const other = manager.spawn((ctx) => ctx.ask({ question: "Which?" }));
    await settled();
    const below = manager.inbox.list().find(({ taskId }) => taskId === ids[2]);
    const [plain] = manager.inbox.list({ taskId: other.id });
    expect(below?.path).toEqual(ids);
    expect(given(plain)).not.toHaveProperty("path");
    await Promise.all([root.cancel(), other.cancel()]);
  });
});

describe("a call of ask that is refused", () => {
  test("W2 opens nothing when its signal has aborted, and gives the reason of the signal", async () => {
    const { manager } = world();
    const told = facts(manager);
    const reason = new Error("enough");
    const asking = manager.spawn((ctx) =>
      refusalOf(() => ctx.ask({ question: "Which?", signal: AbortSignal.abort(reason) })),
    );
    expect(await asking.result()).toBe(reason);
    expect(told.map(({ type }) => type)).not.toContain("request.opened");
    expect(manager.inbox.list({ status: ["open", "withdrawn"] })).toEqual([]);
  });

  test("C3 C4 opens nothing through the context of a stopped task, whichever task calls", async () => {
    const { manager } = world();
    const told = facts(manager);
    const stopped = hold(manager);
    await settled();
    const ask = () => refusalOf(() => stopped.ctx.ask({ question: "Which?" }));
    const other = manager.spawn(ask);
    const gone = stopped.handle.cancel();
    const own = ask();
    await gone;
    expect(await own).toMatchObject({ code: "TASK_CANCELLED" });
    expect(await other.result()).toMatchObject({
      code: "SCOPE_CANCELLED",
      message: expect.stringContaining("it asks and receives nothing"),
    });
    expect(told.map(({ type }) => type)).not.toContain("request.opened");
  });

  test("A3 names the task and the key that it has used for another question", async () => {
    const { manager } = world();
    const asking = manager.spawn(
      async (ctx) => {
        void ctx.ask({ question: "Which?", key: "which" }).catch(() => undefined);
        const { message } = await rejected(() => ctx.ask({ question: "What?", key: "which" }), "ID_CONFLICT");
        return message;
      },
      { id: "asker" },
    );
    expect(await asking.result()).toContain(
      'Task asker asked another question with the key "which": use a key for each question',
    );
  });
});

describe("a question that is closed when it is asked again", () => {
  /** In the process after the one that asked `Which?` and closed it, the task asks again when the test says so. */
  async function again(close: "answer" | "reject", signal?: AbortSignal) {
    const gate = deferred();
    const kind = durable(async (ctx) => {
      if (ctx.attempt === 1) {
        await ctx.ask({ question: "Which?", key: "which" }).catch(() => undefined);
        return new Promise(() => undefined);
      }
      await gate.promise;
      ctx.emit("asks");
      return ctx.ask({ question: "Which?", key: "which", signal });
    });
    const first = await started({ kinds: [kind] });
    first.manager.spawn(kind, { id: "asker" });
    await settled();
    await first.manager.inbox[close](request(first).id, "this", ann);
    await settled();
    const next = await first.restart();
    await settled();
    next.store.hold();
    gate.resolve();
    await settled();
    return next;
  }

  test.each([
    ["answer", "succeeded"],
    ["reject", "failed"],
  ] as const)("D1 gives what closed it once the facts before are stored: %s", async (close, status) => {
    const next = await again(close);
    expect(task(next, "asker").status).toBe("running");
    next.store.letThrough();
    await settled();
    expect(task(next, "asker").status).toBe(status);
  });

  test.each(["answer", "reject"] as const)(
    "W2 gives the reason of its signal while nothing is stored: %s",
    async (close) => {
      const controller = new AbortController();
      const next = await again(close, controller.signal);
      controller.abort(new Error("enough"));
      const outcome = task(next, "asker").outcome();
      await settled();
      next.store.letThrough();
      expect((await peek(outcome)).is).toBe("fulfilled");
      expect(await outcome).toMatchObject({ status: "failed", error: { message: "enough" } });
    },
  );
});
