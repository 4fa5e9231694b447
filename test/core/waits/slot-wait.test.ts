// Slot wait: a task that waits for the manager itself, which its record shows as a wait for a slot (L2, D1).

import { describe, expect, test } from "vitest";
import { deferred, peek, settled } from "../../support/basics.js";
import { hold, refusalOf, world } from "../../support/program.js";
import { started } from "../../support/restarts.js";

describe("a task that waits for room", () => {
  test("L2 L6 is blocked on a slot, and goes on when there is room", async () => {
    const { manager } = world({ concurrency: 2, limits: { maxQueued: 0 } });
    const gate = deferred();
    const waiter = manager.spawn(async () => {
      await gate.promise;
      await manager.room();
      return "room";
    });
    await settled();
    manager.pause();
    gate.resolve();
    await settled();
    expect(waiter.record).toMatchObject({ status: "blocked", blockedOn: [{ on: "slot" }] });
    manager.resume();
    expect(await waiter.result()).toBe("room");
  });

  test("W2 L2 gets the reason of its signal while there is none", async () => {
    const { manager } = world({ concurrency: 1, limits: { maxQueued: 0 } });
    const controller = new AbortController();
    manager.pause();
    const reason = new Error("enough");
    const room = refusalOf(() => manager.room({ signal: controller.signal }));
    await settled();
    controller.abort(reason);
    expect(await room).toBe(reason);
  });
});

describe("a condition of the manager that holds already", () => {
  test("D1 is reported once everything that was decided before is stored, and its signal ends that", async () => {
    const { manager, store } = await started();
    const running = hold(manager);
    await settled();
    store.hold();
    running.finish();
    await settled();
    const idle = manager.idle();
    const controller = new AbortController();
    const ended = refusalOf(() => manager.idle({ signal: controller.signal }));
    expect((await peek(idle)).is).toBe("pending");
    controller.abort(new Error("enough"));
    expect(await ended).toMatchObject({ message: "enough" });
    expect((await peek(idle)).is).toBe("pending");
    store.letThrough();
    expect((await peek(idle)).is).toBe("fulfilled");
  });
});
