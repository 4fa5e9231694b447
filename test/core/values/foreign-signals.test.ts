// Signals whose class is not the global one (§12): jsdom replaces the globals, a realm has its own, a library brings its own.

import { runInNewContext } from "node:vm";
import { TaskManager } from "errand";
import { afterEach, describe, expect, test } from "vitest";
import { peek, settled } from "../../support/basics.js";
import { refusalOf, untilStopped, world } from "../../support/program.js";

const natives = { AbortController, AbortSignal, DOMException };
afterEach(() => {
  Object.assign(globalThis, natives);
});

/** As jsdom does: classes of its own, whose signals Node knows nothing of. */
class ForeignSignal {
  aborted = false;
  reason: unknown;
  readonly listeners = new Set<() => void>();
  addEventListener(_type: string, listener: () => void): void {
    this.listeners.add(listener);
  }
  removeEventListener(_type: string, listener: () => void): void {
    this.listeners.delete(listener);
  }
}
class ForeignController {
  readonly signal = new ForeignSignal();
  abort(reason?: unknown): void {
    this.signal.aborted = true;
    this.signal.reason = reason;
    for (const listener of this.signal.listeners) listener();
  }
}
class ForeignException extends Error {}

function replaceGlobals(): void {
  Object.assign(globalThis, {
    AbortController: ForeignController,
    AbortSignal: ForeignSignal,
    DOMException: ForeignException,
  });
}

const controllers: readonly [what: string, make: () => AbortController][] = [
  ["native", () => new natives.AbortController()],
  ["of a library", () => new ForeignController() as unknown as AbortController],
];

describe.each([
  ["the platform's globals", () => undefined],
  ["globals that a library replaced", replaceGlobals],
])("under %s", (_where, prepare) => {
  describe.each(controllers)("a signal that is %s", (_what, make) => {
    test("W2 withdraws a wait with its reason, and no listener is left", async () => {
      prepare();
      const { manager } = world();
      const handle = manager.spawn(untilStopped);
      const controller = make();
      const waiting = handle.outcome({ signal: controller.signal });
      await settled();
      const reason = new Error("enough");
      controller.abort(reason);
      expect(await peek(waiting)).toEqual({ is: "rejected", error: reason });
      await handle.cancel();
    });

    test("cancels the task that was spawned with it", async () => {
      prepare();
      const { manager } = world();
      const controller = make();
      const handle = manager.spawn(untilStopped, { signal: controller.signal });
      await settled();
      controller.abort(new Error("enough"));
      expect(await handle.outcome()).toMatchObject({ status: "cancelled", reason: "enough" });
    });

    test("that has aborted refuses a wait with its reason", async () => {
      prepare();
      const { manager } = world();
      const controller = make();
      const reason = new Error("before");
      controller.abort(reason);
      const handle = manager.spawn(untilStopped);
      expect(await refusalOf(() => handle.outcome({ signal: controller.signal }))).toBe(reason);
      const [tool] = manager.session("s").tools();
      expect(await refusalOf(() => tool?.execute({}, { callId: "c", signal: controller.signal }))).toBe(reason);
      await handle.cancel();
    });
  });

  test("the signal of a task is the platform's own, which fetch and Node take", async () => {
    prepare();
    const manager = new TaskManager();
    const handle = manager.spawn((ctx) => {
      expect(ctx.signal).toBeInstanceOf(natives.AbortSignal);
      return untilStopped(ctx);
    });
    await settled();
    expect(await handle.cancel("words")).toMatchObject({ status: "cancelled", reason: "words" });
    await manager.close();
  });
});

test("a signal that says no reason gives an AbortError", async () => {
  const { manager } = world();
  const controller = new ForeignController();
  const handle = manager.spawn(untilStopped);
  const waiting = handle.outcome({ signal: controller.signal as unknown as AbortSignal });
  await settled();
  controller.abort();
  expect(await peek(waiting)).toMatchObject({ is: "rejected", error: { name: "AbortError" } });
  await handle.cancel();
});

test("an abort whose reason is of another realm keeps its words", async () => {
  const { manager } = world();
  const controller = new AbortController();
  const handle = manager.spawn(untilStopped, { signal: controller.signal });
  await settled();
  controller.abort(runInNewContext(`new Error("from elsewhere")`));
  expect(await handle.outcome()).toMatchObject({ reason: "from elsewhere" });
});

test("a native abort without a reason is `aborted`, whatever the global DOMException is", async () => {
  const { manager } = world();
  const controller = new AbortController();
  replaceGlobals();
  const handle = manager.spawn(untilStopped, { signal: controller.signal });
  await settled();
  controller.abort();
  expect(await handle.outcome()).toMatchObject({ reason: "aborted" });
});

test.each<[string, unknown]>([
  ["a flag alone", { aborted: true }],
  ["an emitter", { aborted: false, on: () => undefined }],
  ["a controller", new AbortController()],
  ["a listener without a flag", { addEventListener: () => undefined, removeEventListener: () => undefined }],
])("§12 what is no signal is refused: %s", async (_what, signal) => {
  const { manager } = world();
  expect(await refusalOf(() => manager.spawn(() => 1, { signal: signal as AbortSignal }))).toMatchObject({
    name: "TypeError",
    message: expect.stringContaining("signal must be an AbortSignal"),
  });
});
