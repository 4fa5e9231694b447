// Several copies of errand in one process (§10): a bundle for each route, a module that is loaded again. What one made, another knows.

import { defineKind, isErrandError, type TaskHandle, TaskManager } from "errand";
import { describe, expect, test, vi } from "vitest";
import { VERSION } from "../../../lib/core/values/copies.js";
import manifest from "../../../package.json" with { type: "json" };
import { allFree, peek, settled, slots } from "../../support/basics.js";
import { refusalOf, world } from "../../support/program.js";

/** Another copy: its modules are evaluated once more. */
async function another() {
  vi.resetModules();
  const [core, kinds] = await Promise.all([import("errand"), import("errand/kinds")]);
  expect(core.TaskManager).not.toBe(TaskManager);
  return { ...core, kinds };
}

test("the version that brands carry is that of the package", () => {
  expect(VERSION).toBe(manifest.version);
});

describe("§10 a kind of another copy", () => {
  test("runs, with its schemas and hooks", async () => {
    const other = await another();
    const wound: string[] = [];
    const kind = other.defineKind({
      name: "double",
      run: (ctx, n: number) => (n > 0 ? 2 * n : ctx.sleep(Number.POSITIVE_INFINITY).then(() => 0)),
      cancel: (_record, reason) => void wound.push(reason),
    });
    const { manager } = world({ kinds: [kind] });
    expect(await manager.spawn(kind, { input: 21 }).result()).toBe(42);
    expect(await manager.spawn("double", { input: 4 }).result()).toBe(8);
    const handle = manager.spawn(kind, { input: 0 });
    await settled();
    await handle.cancel("enough");
    expect(wound).toEqual(["enough"]);
    allFree(manager);
  });

  test("fails its task with the code that its remote reports", async () => {
    const other = await another();
    const kind = other.defineKind({
      name: "far",
      run: () => undefined,
      reconcile: () => ({ status: "failed", message: "it burnt", code: "stalled" }) as const,
    });
    const { manager } = world();
    expect(await manager.spawn(kind).outcome()).toMatchObject({ status: "failed", error: { code: "stalled" } });
  });

  test("may be a ready one: a program, a monitor, a remote that asks", async () => {
    const other = await another();
    const manager = new TaskManager();
    const ran = manager.spawn(other.kinds.process(), { input: { command: process.execPath, args: ["-e", ""] } });
    expect(await ran.result()).toMatchObject({ exitCode: 0 });
    const ticked: number[] = [];
    const run = (_ctx: unknown, { count }: { readonly count: number }) => void ticked.push(count);
    await manager.spawn(other.kinds.monitor({ every: { ms: 1 }, maxTicks: 2, run })).result();
    expect(ticked).toEqual([1, 2]);
    await manager.close();
  });

  test("is the kind of a handle, and not another", async () => {
    const other = await another();
    const kind = other.defineKind({ name: "one", run: () => 1 });
    const { manager } = world();
    const { id } = manager.spawn(kind);
    expect(await manager.get(id, kind)?.result()).toBe(1);
  });

  test.each<[string, (kind: never) => unknown]>([
    ["spawn", (kind) => new TaskManager().spawn(kind)],
    ["kinds", (kind) => new TaskManager({ kinds: [kind] })],
  ])("of another version is refused by %s, with both versions", (_where, use) => {
    const kind = defineKind({ name: "k", run: () => 1 });
    const brand = Symbol.for("errand.kind");
    const other = { name: "k", "~kind": {}, [brand]: { version: "0.0.9", content: Reflect.get(kind, brand) } };
    const unknown = { name: "k", "~kind": {} };
    expect(() => use(other as never)).toThrow(
      /another copy of errand, of version 0\.0\.9, and this copy is of version/,
    );
    expect(() => use(unknown as never)).toThrow(/another copy of errand/);
  });
});

describe("§13 a handle of another copy", () => {
  test("is awaited, read and cancelled like that of another manager", async () => {
    const other = await another();
    const { manager } = world();
    const theirs = new other.TaskManager();
    const fast = theirs.spawn(() => 1);
    const slow = theirs.spawn((ctx) => ctx.sleep(Number.POSITIVE_INFINITY));
    const { outcomes } = await manager.awaitTasks([fast]);
    expect(outcomes).toMatchObject([{ status: "succeeded", value: 1 }]);
    const waiting = manager.awaitTasks([slow, manager.spawn(() => 2)], { until: "any", cancelRest: false });
    expect(await waiting).toMatchObject({ reason: "done", ended: [{ value: 2 }] });
    const seen: unknown[] = [];
    void slow.cancel("enough");
    for await (const outcome of manager.outcomes([fast, slow])) seen.push(outcome.status);
    expect(seen).toEqual(["succeeded", "cancelled"]);
    await theirs.close();
  });

  test("L2 a task that waits for it lends its slot", async () => {
    const other = await another();
    const { manager } = world({ concurrency: 1 });
    const theirs = new other.TaskManager();
    const slow = theirs.spawn((ctx) => ctx.sleep(Number.POSITIVE_INFINITY));
    const waits = manager.spawn(() => slow.outcome());
    await settled();
    expect(waits.status).toBe("blocked");
    expect(slots(manager)).toMatchObject({ held: 0 });
    await slow.cancel();
    expect(await peek(waits.result())).toMatchObject({ is: "fulfilled", value: { status: "cancelled" } });
    await theirs.close();
  });

  test("L3 a wait that can never end is refused across copies", async () => {
    const other = await another();
    const { manager } = world();
    const theirs = new other.TaskManager();
    const task: TaskHandle = manager.spawn(async () => {
      await settled();
      return theirs.spawn(() => task.outcome()).outcome();
    });
    const inner = await task.outcome();
    expect(inner).toMatchObject({
      status: "succeeded",
      value: { status: "failed", error: { name: "AwaitCycleError" } },
    });
    await theirs.close();
  });

  test("as a parent says that it is another manager's", async () => {
    const other = await another();
    const { manager } = world();
    const theirs = new other.TaskManager();
    const parent = theirs.spawn((ctx) => ctx.sleep(Number.POSITIVE_INFINITY));
    expect(() => manager.spawn(() => 1, { parent })).toThrow(/must be a task of this manager/);
    await theirs.close();
  });

  test("of another version is refused, with both versions", async () => {
    const { manager } = world();
    const handle = { id: "t", [Symbol.for("errand.handle")]: { version: "0.0.9", content: {} } };
    expect(await refusalOf(() => manager.awaitTasks([handle as never]))).toMatchObject({
      name: "TypeError",
      message: expect.stringMatching(/tasks\[0\] comes from another copy of errand, of version 0\.0\.9/),
    });
  });
});

test("§12 an error of another copy is known by its brand", async () => {
  const other = await another();
  const theirs = new other.TaskManager();
  const error = await refusalOf(() => theirs.awaitTasks(["none"]));
  expect(isErrandError(error, "TASK_NOT_FOUND")).toBe(true);
  const { manager } = world();
  const asks = manager.spawn(() => Promise.reject(new other.RequestRejectedError("r", "no", "ada")));
  expect(await asks.outcome()).toMatchObject({ error: { code: "rejected" } });
  await theirs.close();
});

describe("§10 §12 a Proxy, as containers and mocking libraries make it", () => {
  const wrapped = <T extends object>(target: T): T => new Proxy(target, {});

  test("around a kind is that kind: registered, spawned, and asked for by get and tools", async () => {
    const kind = defineKind({ name: "double", run: (_ctx, n: number) => 2 * n });
    const proxy = wrapped(kind);
    const { manager } = world({ kinds: [proxy, kind] });
    const handle = manager.spawn(proxy, { input: 21 });
    expect(await handle.result()).toBe(42);
    expect(await manager.spawn("double", { input: 4 }).result()).toBe(8);
    expect(manager.get(handle.id, proxy)?.id).toBe(handle.id);
    expect(manager.session("a").tools({ kinds: [proxy] })[0]?.name).toBe("spawn_task");
  });

  test("around a handle is refused by each verb with words that say what to do, and by each wait for it", async () => {
    const { manager } = world();
    const handle = manager.spawn(() => 1);
    const proxy = wrapped(handle);
    const uses: (() => unknown)[] = [
      () => proxy.id,
      () => proxy.status,
      () => proxy.record,
      () => proxy.usage(),
      () => proxy.messages(),
      () => proxy.output(),
      () => proxy.result(),
      () => proxy.outcome(),
      () => proxy.cancel(),
      () => proxy.send("a"),
      () => proxy.stored(),
      () => proxy.history(),
      () => proxy[Symbol.asyncDispose](),
      () => manager.awaitTasks([proxy]),
      () => manager.spawn(() => 2, { parent: proxy }),
    ];
    for (const use of uses) {
      const error = await refusalOf(use);
      expect(error).toBeInstanceOf(TypeError);
      expect(String(error)).toMatch(/used through a Proxy, .* use the handle itself/);
    }
    expect(await handle.result()).toBe(1);
  });

  test("around a handle that binds its methods to the handle is that handle", async () => {
    const { manager } = world();
    const handle = manager.spawn(() => 1);
    const proxy = new Proxy(handle, {
      get(target, key) {
        const found: unknown = Reflect.get(target, key);
        return typeof found === "function" ? found.bind(target) : found;
      },
    });
    expect([proxy.id, await proxy.result()]).toEqual([handle.id, 1]);
    expect(await manager.awaitTasks([proxy])).toMatchObject({ reason: "done", ended: [{ value: 1 }] });
  });
});
