// Each peer does the work that errand does: all tasks, each start and each end heard. A case throws at its end if it did not.

import { describe, expect, test } from "vitest";
import { onErrand, onPeer, peers, settings } from "../../bench/spawn-cases.js";

describe.each(["ignores", "reads"] as const)("a job that %s its signal", (form) => {
  const cases = [
    ...Object.values(peers).map((peer) => onPeer({ ...peer, share: 1 }, form, 50)),
    ...Object.values(settings).map((setting) => onErrand(setting, form, 50)),
  ];
  test.each(cases)("is done in full: $name", async ({ prepare, units }) => {
    expect(units).toBe(50);
    const run = await prepare();
    await run.work();
    await run.finish?.();
  });
});

test("a peer that hears too little is found out", async () => {
  const peer = peers.onPQueue.make();
  const { finish, work } = await onPeer({ name: "deaf", make: () => peer, share: 1 }, "ignores", 5).prepare();
  peer.records.events.removeAllListeners("task.ended");
  await work();
  expect(() => finish?.()).toThrow("deaf: events: 5, not 10");
});
