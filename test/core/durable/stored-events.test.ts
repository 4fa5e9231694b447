// The events of a manager with a store, from memory where it has them (D6): old cursors of many readers, and history.

import type { TaskEvent } from "errand";
import { describe, expect, test } from "vitest";
import { settled } from "../../support/basics.js";
import { deaf, hold } from "../../support/program.js";
import { gapless, type Process, started, take, task } from "../../support/restarts.js";

const LONG = "x".repeat(70_000);

async function emit({ manager }: Process, count: number): Promise<void> {
  await manager
    .spawn((ctx) => {
      for (let n = 0; n < count; n++) ctx.emit(`${n}`, { n });
    })
    .result();
  await settled();
}

/** Counts the reads of the store from now on. */
function counted({ store }: Process): { readonly reads: number } {
  const read = store.read.bind(store);
  const count = { reads: 0 };
  store.read = (options) => {
    count.reads++;
    return read(options);
  };
  return count;
}

describe("D6 events() with a cursor from before the first read", () => {
  test("of many readers reads the store once, and each gets its events, and then the live ones", async () => {
    const first = await started();
    await emit(first, 600);
    const next = await first.restart();
    const last = next.store.kept.length;
    const count = counted(next);
    const readers = Array.from({ length: 50 }, (_, n) => take(next.manager.events({ from: last - 400 + n }), 404 - n));
    await settled();
    await emit(next, 1);
    for (const [n, read] of (await Promise.all(readers)).entries()) {
      expect(gapless(read)[0]).toBe(last - 400 + n);
      expect(read).toEqual(next.store.kept.slice(last - 401 + n, last + 3));
    }
    expect(count.reads).toBe(1);
    await take(next.manager.events({ from: last - 10 }), 5);
    expect(count.reads).toBe(1);
  });

  test("reads the store again only for older events", async () => {
    const first = await started();
    await emit(first, 100);
    const next = await first.restart();
    const count = counted(next);
    for (const from of [90, 95, 90, 50, 60, 50, 1])
      expect(gapless(await take(next.manager.events({ from }), 3))[0]).toBe(from);
    expect(count.reads).toBe(3);
  });

  test("gives readers one object, which none of them can change", async () => {
    const first = await started();
    await emit(first, 5);
    const next = await first.restart();
    const [a] = await take(next.manager.events({ from: 3 }), 1);
    const [b] = await take(next.manager.events({ from: 3 }), 1);
    expect(a).toBe(b);
    expect(a).toMatchObject({ payload: { n: 0 } });
    expect(() => Object.assign(a?.type === "custom" ? Object(a.payload) : {}, { n: 7 })).toThrow(TypeError);
  });

  test("D7 has the long outputs of the store, which memory does not recall", async () => {
    const first = await started();
    await first.manager.spawn(() => LONG, { id: "long" }).result();
    await emit(first, 3);
    const next = await first.restart();
    for (let round = 0; round < 2; round++) {
      const read = await take(next.manager.events({ from: 1 }), next.store.kept.length);
      expect(gapless(read)[0]).toBe(1);
      expect(read.find(({ type, taskId }) => type === "task.succeeded" && taskId === "long")).toMatchObject({
        output: LONG,
      });
    }
  });

  test("that was compacted away is EventsCompactedError, and ends no other reader", async () => {
    const first = await started();
    await emit(first, 20);
    for (let n = 0; n < 2; n++) await first.store.compact(null, 10);
    const old = take(first.manager.events({ from: 3 }), 1);
    const kept = take(first.manager.events({ from: 12 }), 2);
    await expect(old).rejects.toMatchObject({ code: "EVENTS_COMPACTED", oldest: 11 });
    expect(gapless(await kept)).toEqual([12, 13]);
  });

  test("D1 gives what is stored at once, and the rest when it is stored", async () => {
    const process = await started();
    await emit(process, 3);
    process.store.hold();
    hold(process.manager);
    const read: TaskEvent[] = [];
    const reading = (async () => {
      for await (const event of process.manager.events({ from: 1 })) if (read.push(event) === 8) return;
    })();
    await settled();
    expect(gapless(read)).toEqual([1, 2, 3, 4, 5, 6]);
    process.store.letThrough();
    await reading;
    expect(gapless(read)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });
});

describe("§13 history() of a manager whose events are read", () => {
  test("is answered from memory when that has the first event of the task, or enough events", async () => {
    const process = await started();
    process.manager.events({ from: "now" });
    const handle = process.manager.spawn((ctx) => {
      for (let n = 0; n < 20; n++) ctx.emit(`${n}`);
      return deaf();
    });
    await settled();
    const count = counted(process);
    const events = process.store.kept.filter(({ taskId }) => taskId === handle.id);
    expect(await handle.history()).toEqual(events);
    expect(await handle.history({ limit: 3 })).toEqual(events.slice(-3));
    expect(await handle.history({ limit: 0 })).toEqual([]);
    expect(count.reads).toBe(0);
  });

  test("is read from the store when the task is older, or another task may have had the id", async () => {
    const first = await started();
    const old = first.manager.spawn(deaf).id;
    await settled();
    first.manager.events({ from: "now" });
    hold(first.manager, { id: "given" });
    await settled();
    const count = counted(first);
    expect((await task(first, old).history()).map(({ type }) => type)).toEqual(["task.created", "task.started"]);
    expect(await task(first, "given").history()).toEqual(first.store.kept.filter(({ taskId }) => taskId === "given"));
    expect(count.reads).toBe(2);
  });
});
