// Ids over a whole store (D9): a second process that spawns the same id is the stand-by of the first. Two processes never run the same id at once.

import { defineKind, type TaskEvent, type TaskManager } from "errand";
import { manualClock } from "errand/testing";
import { beforeEach, describe, expect, test } from "vitest";
import { deferred } from "../../support/basics.js";
import { type SharedStores, sharedStores } from "../../support/shared-stores.js";
import { sqlKinds } from "../../support/sql-place.js";

const waitsFor = ({ runtime }: TaskManager) => [{ on: "process", instanceId: runtime.instanceId }];

/** Resolves once the manager has stored an event of this type. */
async function stored(manager: TaskManager, wanted: TaskEvent["type"]): Promise<void> {
  for await (const { type } of manager.events()) if (type === wanted) return;
}

describe.each(await sqlKinds())("D9 the same id in two processes, on $name", ({ make }) => {
  let open: SharedStores["open"];
  let dies: SharedStores["dies"];
  beforeEach(async () => {
    ({ open, dies } = sharedStores(await make()));
  });

  test("runs once: the second one is queued, names the first, and delivers its outcome", async () => {
    const [one, two] = [await open(), await open()];
    let runs = 0;
    const end = deferred<string>();
    const first = one.spawn(() => (runs++, end.promise), { id: "nightly" });
    await first.stored();
    const second = two.spawn(() => (runs++, "never"), { id: "nightly" });
    await stored(two, "task.parked");
    expect(second.record).toMatchObject({ status: "queued", blockedOn: waitsFor(one) });
    end.resolve("done");
    expect(await second.result()).toBe("done");
    expect([runs, second.record.output, second.record.startedAt]).toEqual([1, "done", undefined]);
    // Also of a task that had ended before.
    const third = await open();
    expect(await third.spawn(() => (runs++, "never"), { id: "nightly" }).result()).toBe("done");
    expect(runs).toBe(1);
    await Promise.all([one.close(), two.close(), third.close()]);
  });

  test("of many that spawn it at once, one runs it, also where its result is long, or a failure", async () => {
    const managers = await Promise.all(Array.from({ length: 4 }, () => open()));
    for (const [id, value] of [
      ["short", "x"],
      ["long", "x".repeat(100_000)],
      ["fails", undefined],
    ] as const) {
      let runs = 0;
      const areAllStored = deferred();
      const handles = managers.map((manager) =>
        manager.spawn(
          async () => {
            runs++;
            await areAllStored.promise;
            if (value === undefined) throw new Error("no");
            return value;
          },
          { id },
        ),
      );
      await Promise.all(handles.map((handle) => handle.stored()));
      areAllStored.resolve();
      const outcomes = await Promise.all(handles.map((handle) => handle.outcome()));
      for (const outcome of outcomes)
        expect(outcome).toMatchObject(
          value === undefined ? { status: "failed", error: { message: "no" } } : { status: "succeeded", value },
        );
      expect(runs).toBe(1);
    }
    await Promise.all(managers.map((manager) => manager.close()));
  });

  test("when the first process dies, the stand-by does the work once, from its checkpoint on", async () => {
    const runs: unknown[] = [];
    const kind = defineKind<unknown>({
      name: "nightly",
      canReattach: () => true,
      run: async (ctx) => {
        runs.push(ctx.lastCheckpoint ?? "anew");
        if (ctx.lastCheckpoint === undefined) {
          await ctx.checkpoint("half");
          await ctx.sleep(3_600_000);
        }
        return "done";
      },
    });
    const alive = await open({ kinds: [kind] });
    const dead = await open({ kinds: [kind], clock: manualClock(Date.now()) });
    dead.spawn(kind, { id: "nightly", title: "of the dead one" });
    // The task sleeps: its checkpoint is stored.
    await stored(dead, "task.blocked");
    const second = alive.spawn(kind, { id: "nightly", title: "of the living one" });
    const plain = dead.spawn(() => new Promise(() => undefined), { id: "plain" });
    await plain.stored();
    const ours = alive.spawn(() => "ours", { id: "plain" });
    await ours.stored();
    await dies(dead);
    expect([await second.result(), await ours.result()]).toEqual(["done", "ours"]);
    expect(runs).toEqual(["anew", "half"]);
    expect(alive.list().map(({ id, title }) => [id, title])).toEqual([
      ["nightly", "of the dead one"],
      ["plain", undefined],
    ]);
    await alive.close();
  });

  test("when the first process closes, the stand-by does the work of a plain function", async () => {
    const [one, two] = [await open({ graceMs: 10 }), await open()];
    const first = one.spawn((ctx) => ctx.sleep(3_600_000), { id: "daemon" });
    await first.stored();
    const second = two.spawn(() => "mine", { id: "daemon" });
    await second.stored();
    await one.close();
    expect(await second.result()).toBe("mine");
    await two.close();
  });

  test("with other content it fails, and says so; another owner is other content", async () => {
    const kind = defineKind({ name: "page", run: (_ctx, input: { n: number }) => input.n });
    const [one, two] = [await open({ kinds: [kind] }), await open({ kinds: [kind] })];
    await one.spawn(kind, { id: "a", input: { n: 1 } }).result();
    const error = { code: "error", name: "IdConflictError", message: expect.stringContaining('"a"') };
    expect(await two.spawn(kind, { id: "a", input: { n: 2 } }).outcome()).toMatchObject({ status: "failed", error });
    const three = await open({ kinds: [kind] });
    expect(
      await three
        .session("chat")
        .spawn(kind, { id: "a", input: { n: 1 } })
        .outcome(),
    ).toMatchObject({ error });
    await three.close();
    await Promise.all([one.close(), two.close()]);
  });

  test("the same content is the same, in whatever order its fields were written", async () => {
    const kind = defineKind({ name: "page", run: (_ctx, { of }: { n: number; of: { a: string; b: string } }) => of.a });
    const [one, two] = [await open({ kinds: [kind] }), await open({ kinds: [kind] })];
    await one.spawn(kind, { id: "a", input: { n: 1, of: { a: "x", b: "y" } } }).result();
    expect(await two.spawn(kind, { id: "a", input: { of: { b: "y", a: "x" }, n: 1 } }).result()).toBe("x");
    await Promise.all([one.close(), two.close()]);
  });

  test("a cancel of the stand-by withdraws it alone; a close leaves it, and a record that is evicted frees its id", async () => {
    const [one, two] = [await open(), await open({ graceMs: 10 })];
    const first = one.spawn((ctx) => ctx.receive().then(() => "done"), { id: "nightly" });
    await first.stored();
    const second = two.spawn(() => "never", { id: "nightly" });
    await second.stored();
    expect(await second.cancel("enough")).toMatchObject({ status: "cancelled", reason: "enough" });
    expect(first.status).toBe("blocked");
    await first.send("go");
    expect(await first.result()).toBe("done");
    await two.close();
    await one.close();
  });
});
