// Kept shapes: objects that errand keeps for good, and that show nowhere.

import { TaskManager } from "errand";
import { expect, test, vi } from "vitest";
import { Loop } from "../../lib/core/loop.js";
import { Waits } from "../../lib/core/waits/waits.js";

test("no listener, list, statistic, timer or probe shows the kept objects, and work goes on as before", async () => {
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
  const before = timers();
  const created = vi.spyOn(Loop.prototype, "created");
  const begun = vi.spyOn(Waits.prototype, "begin");
  const manager = new TaskManager({ limits: { maxQueued: 5_000 } });
  let heard = 0;
  manager.on("task.created", () => {
    heard++;
  });
  for (let round = 1; round <= 2; round++) {
    const handles = Array.from({ length: 1_500 }, (_, n) => manager.spawn(() => n));
    const { ended } = await manager.awaitTasks(handles);
    expect(ended).toHaveLength(1_500);
    expect([created.mock.calls.length, heard]).toEqual([1_500 * round, 1_500 * round]);
    expect(begun.mock.calls.length).toBe(round);
    expect(manager.list()).toHaveLength(1_000);
    const { queued, running, blocked, starting } = manager.stats();
    expect([queued, running, blocked, starting]).toEqual([0, 0, 0, 0]);
  }
  await manager.close();
  expect(timers()).toBe(before);
  vi.restoreAllMocks();
});
