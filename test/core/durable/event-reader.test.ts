// Reading events of a manager with a store (D6, §12): from any that is kept on into the live ones, without gap or repeat; and post mortem.

import { setImmediate } from "node:timers/promises";
import type { TaskEvent } from "errand";
import { viewStore } from "errand";
import { describe, expect, test } from "vitest";
import { facts, peek, settled } from "../../support/basics.js";
import { deaf, hold } from "../../support/program.js";
import { durable, gapless, type Process, started, take, task } from "../../support/restarts.js";

function emit({ manager }: Process, count: number): Promise<unknown> {
  return manager
    .spawn((ctx) => {
      for (let n = 0; n < count; n++) ctx.emit(`${n}`);
    })
    .result();
}

/** Reads until the stream has nothing to give for now. */
async function readable(reader: AsyncIterator<TaskEvent>): Promise<TaskEvent[]> {
  const read: TaskEvent[] = [];
  for (;;) {
    const seen = await peek(reader.next());
    if (seen.is !== "fulfilled" || seen.value.done) return read;
    read.push(seen.value.value);
  }
}

describe("D6 events()", () => {
  test("reads what an earlier process stored, and on into the live ones", async () => {
    const first = await started();
    await emit(first, 5);
    await settled();
    const next = await first.restart();
    const reader = take(next.manager.events({ from: 1 }), 14);
    await settled();
    await emit(next, 3);
    expect(gapless(await reader)).toEqual(Array.from({ length: 14 }, (_, n) => n + 1));
  });

  test("from 0 is the first event of an earlier process, and a kept cursor resumes behind its last event", async () => {
    const first = await started();
    await emit(first, 5);
    await settled();
    const read = await take(first.manager.events({ from: 0 }), first.store.kept.length);
    expect(gapless(read)[0]).toBe(1);
    const next = await first.restart();
    const cursor = (read.at(-1)?.seq ?? 0) + 1;
    expect(() => next.manager.events({ from: cursor + 1 })).toThrow(RangeError);
    const live = take(next.manager.events({ from: cursor }), 1);
    const now = take(next.manager.events({ from: "now" }), 1);
    await emit(next, 1);
    expect((await live)[0]?.seq).toBe(cursor);
    expect((await now)[0]?.seq).toBe(cursor);
  });

  test("from 0 of a journal whose first events were compacted away is EventsCompactedError, which names the oldest", async () => {
    const process = await started();
    await emit(process, 5);
    await settled();
    const snapshotSeq = 4;
    for (let n = 0; n < 2; n++) await process.store.compact(null, snapshotSeq);
    await expect(take(process.manager.events({ from: 0 }), 1)).rejects.toMatchObject({ code: "EVENTS_COMPACTED" });
  });

  test.each([1, 255, 256, 257, 600])(
    "has neither gap nor repeat where the store ends, after %i events",
    async (count) => {
      const first = await started();
      await emit(first, count);
      await settled();
      const all = count + 3;
      const reader = first.manager.events({ from: 1 })[Symbol.asyncIterator]();
      const read: TaskEvent[] = [];
      for (let n = 0; n < all; n++) {
        const step = await reader.next();
        if (!step.done) read.push(step.value);
        // What happens meanwhile comes after.
        if (n % 100 === 0) first.manager.spawn(() => n);
      }
      await first.manager.idle();
      await settled();
      for (let step = await reader.next(); !step.done; step = await reader.next()) {
        read.push(step.value);
        if (step.value.seq === first.store.kept.length) break;
      }
      expect(gapless(read)).toEqual(first.store.kept.map(({ seq }) => seq));
      expect(read).toEqual(first.store.kept);
    },
  );

  test("what is decided and not stored when it is called is not left out", async () => {
    const process = await started();
    await emit(process, 3);
    await settled();
    process.store.hold();
    const running = hold(process.manager);
    const reader = take(process.manager.events({ from: 1 }), 8);
    await settled();
    process.store.letThrough();
    await settled();
    expect(gapless(await reader)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(running.started).toBe(true);
  });

  test("of a store that is empty yet begins with what is decided and not stored when it is called", async () => {
    const { manager } = await started();
    const { id } = manager.spawn(deaf);
    const [first] = await take(manager.events(), 1);
    expect(first).toMatchObject({ type: "task.created", taskId: id, seq: 1 });
  });

  test("D1 gives nothing that is not stored", async () => {
    const process = await started();
    const reader = process.manager.events()[Symbol.asyncIterator]();
    process.store.hold();
    process.manager.spawn(deaf);
    const next = reader.next();
    expect((await peek(next)).is).toBe("pending");
    process.store.letThrough();
    expect(await next).toMatchObject({ value: { type: "task.created", seq: 1 } });
  });

  test("a filter by task and session gives theirs alone, from the store and live", async () => {
    const first = await started();
    const session = first.manager.session("chat");
    await session.spawn(() => 1, { id: "a" }).result();
    await first.manager.spawn(() => 1, { id: "b" }).result();
    await settled();
    const next = await first.restart();
    const ofTask = take(next.manager.events({ from: 1, taskId: "a" }), 3);
    const ofSession = take(next.manager.events({ from: 1, sessionId: "chat" }), 8);
    await next.manager
      .session("chat")
      .spawn(() => 2, { id: "c" })
      .result();
    expect((await ofTask).map(({ type }) => type)).toEqual(["task.created", "task.started", "task.succeeded"]);
    // The fourth of each: its owner was given the outcome (N2).
    expect((await ofSession).map(({ taskId }) => taskId)).toEqual(["a", "a", "a", "a", "c", "c", "c", "c"]);
  });

  test("several readers read at their own pace", async () => {
    const process = await started();
    await emit(process, 300);
    await settled();
    const slow = process.manager.events({ from: 1 })[Symbol.asyncIterator]();
    await slow.next();
    const fast = await take(process.manager.events({ from: 1 }), 303);
    await emit(process, 300);
    await settled();
    expect(gapless(fast)).toHaveLength(303);
    const rest = [];
    for (let n = 0; n < 605; n++) {
      const step = await slow.next();
      if (!step.done) rest.push(step.value);
    }
    expect(gapless(rest)[0]).toBe(2);
  });

  // A page of the store is 256 events; memory has the newest 10 000.
  const behind = async (before: number) => {
    const first = await started();
    await emit(first, before);
    await settled();
    const reader = first.manager.events({ from: 1 })[Symbol.asyncIterator]();
    const read: TaskEvent[] = [];
    const go = async (count: number) => {
      for (let n = 0; n < count; n++) {
        const step = await reader.next();
        if (!step.done) read.push(step.value);
      }
    };
    await go(before + 3);
    await emit(first, 10);
    await settled();
    await go(5);
    // Not compacted: it fails until there is something to tell of.
    first.store.compact = () => Promise.reject(new Error("not now"));
    await emit(first, 20_100);
    await settled();
    await go(20_000);
    return read;
  };

  test("a reader that falls behind what memory has goes back to the store", async () => {
    const read = await behind(100);
    expect(gapless(read).at(-1)).toBe(20_108);
  });

  test("a reader that falls behind, and had read whole pages of the store before, repeats nothing", async () => {
    const read = await behind(253);
    expect(gapless(read).at(-1)).toBe(20_261);
  });

  test("leaving the loop, and an aborted signal, end it at any point", async () => {
    const process = await started();
    await emit(process, 600);
    await settled();
    let count = 0;
    for await (const _ of process.manager.events({ from: 1 })) if (++count === 300) break;
    const controller = new AbortController();
    const reading = (async () => {
      for await (const _ of process.manager.events({ from: 1, signal: controller.signal })) count++;
      return "ended";
    })();
    await setImmediate();
    controller.abort();
    expect(await reading).toBe("ended");
  });

  test("D8 ends with its manager, after the last event; and after the close it reads what is kept", async () => {
    const process = await started();
    hold(process.manager);
    await settled();
    const told = facts(process.manager);
    const reading = (async () => {
      const read: TaskEvent[] = [];
      for await (const event of process.manager.events({ from: 1 })) read.push(event);
      return read;
    })();
    await settled();
    await process.manager.close();
    const read = await reading;
    expect(gapless(read)).toEqual(process.store.kept.map(({ seq }) => seq));
    expect(read.at(-1)).toEqual(told.at(-1));
    expect(await take(process.manager.events({ from: 1 }), 2)).toEqual(process.store.kept.slice(0, 2));
    expect(await readable(process.manager.events({ from: 3 })[Symbol.asyncIterator]())).toHaveLength(read.length - 2);
  });

  test("a store that cannot be read ends it with that error as the cause", async () => {
    const process = await started();
    await emit(process, 1);
    await settled();
    const broken = new Error("cannot be read");
    // oxlint-disable-next-line require-yield
    process.store.read = async function* () {
      throw broken;
    };
    const reading = take(process.manager.events({ from: 1 }), 1);
    await expect(reading).rejects.toMatchObject({ code: "STORE_UNAVAILABLE", cause: broken });
  });
});

describe("§13 history()", () => {
  test("gives the newest of one task, oldest first, also from before a restart", async () => {
    const first = await started();
    const handle = first.manager.spawn(
      (ctx) => {
        for (let n = 0; n < 150; n++) ctx.emit(`${n}`);
      },
      { id: "task" },
    );
    await handle.result();
    await emit(first, 50);
    await settled();
    const next = await first.restart();
    const history = await task(next, "task").history();
    expect(history).toHaveLength(100);
    expect(history.at(-1)?.type).toBe("task.succeeded");
    expect(await task(next, "task").history({ limit: 2 })).toEqual(history.slice(-2));
    expect(await task(next, "task").history({ limit: 1_000 })).toEqual(first.store.kept.slice(0, 153));
    expect(await task(next, "task").history({ limit: 0 })).toEqual([]);
  });

  test("tells post mortem of what was done before the process was lost, and of the loss", async () => {
    const kind = durable((ctx) => {
      ctx.summary(`attempt ${ctx.attempt}`);
      return deaf();
    });
    const first = await started({ kinds: [kind] });
    first.manager.spawn(kind, { id: "task" });
    await settled();
    const second = await first.restart();
    await settled();
    const third = await second.restart({ kinds: [durable(deaf, { canReattach: () => false })] });
    expect((await task(third, "task").history()).map(({ type, attempt }) => [type, attempt])).toEqual([
      ["task.created", 1],
      ["task.started", 1],
      ["task.updated", 1],
      ["task.reattached", 2],
      ["task.started", 2],
      ["task.updated", 2],
      ["task.interrupted", 2],
    ]);
  });

  test("D1 waits for what is decided, and has it", async () => {
    const process = await started();
    const running = hold(process.manager);
    await settled();
    process.store.hold();
    running.ctx.summary("now");
    const history = running.handle.history();
    expect((await peek(history)).is).toBe("pending");
    process.store.letThrough();
    expect((await history).at(-1)?.type).toBe("task.updated");
  });
});

describe("D3 viewStore", () => {
  test("shows a store in use as it is, decides nothing and writes nothing", async () => {
    const process = await started();
    const { manager, store } = process;
    const running = hold(manager, { id: "running" });
    manager.spawn((ctx) => ctx.ask({ question: "Which?" }), { id: "asking" });
    await settled();
    await running.handle.send("hello");
    await settled();
    const calls = store.calls.length;
    const view = await viewStore(store);
    expect([view.seq, view.torn]).toEqual([store.kept.length, undefined]);
    expect(view.list()).toEqual(manager.list());
    expect(view.list({ status: "blocked" }).map(({ id }) => id)).toEqual(["asking"]);
    expect(view.tree()).toEqual(manager.tree());
    expect(view.tree("running")).toEqual(manager.tree("running"));
    expect([view.tree("nobody"), view.messages("nobody")]).toEqual([[], []]);
    expect(view.requests()).toEqual(manager.inbox.list());
    expect(view.messages("running")).toEqual(running.handle.messages());
    expect(await view.history("running", { limit: 1 })).toMatchObject([{ type: "message.sent" }]);
    expect(store.calls.length).toBe(calls);
    expect([running.handle.status, manager.list()]).toEqual(["running", view.list()]);
  });

  test("is of the moment in which it was read", async () => {
    const process = await started();
    const running = hold(process.manager, { id: "running" });
    await settled();
    const view = await viewStore(process.store);
    running.finish();
    await settled();
    expect(view.list()[0]?.status).toBe("running");
    expect((await view.history("running")).at(-1)?.type).toBe("task.succeeded");
  });
});
