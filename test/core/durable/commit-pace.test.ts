// The pace of commits (D1): an idle manager commits at once, and commits grow under load by themselves.

import { manualClock } from "errand/testing";
import { describe, expect, test } from "vitest";
import { CommitPace } from "../../../lib/core/durable/commit-pace.js";
import { Timekeeper } from "../../../lib/core/time/clock.js";
import { settled } from "../../support/basics.js";
import { hold } from "../../support/program.js";
import { started } from "../../support/restarts.js";

const ONE_TURN = 1;

/** A pace whose events come as the test says: `perTurn[n]` in the turn `n`. Returns how many a commit had. */
async function sizeOf(pace: CommitPace, perTurn: readonly number[], eachTurn: () => unknown = () => undefined) {
  let waiting = perTurn[0] ?? 0;
  let size: number | undefined;
  pace.begin(
    () => waiting,
    () => (size = waiting),
  );
  for (const more of [...perTurn.slice(1), 0]) {
    await settled(ONE_TURN);
    waiting += more;
    await eachTurn();
  }
  return size;
}

describe("D1 a commit", () => {
  test("of a manager that was idle begins in the next turn, whatever comes then", async () => {
    const pace = new CommitPace(new Timekeeper(manualClock()));
    expect(await sizeOf(pace, [1, 64, 64])).toBe(1);
  });

  test("after one during which nothing came, or after a large one, begins in the next turn", async () => {
    const pace = new CommitPace(new Timekeeper(manualClock()));
    pace.committed(3, 0);
    expect(await sizeOf(pace, [1, 64])).toBe(1);
    pace.committed(256, 500);
    expect(await sizeOf(pace, [1, 64])).toBe(1);
  });

  test("under load waits for 256 events while every turn brings some, and for no turn that brings none", async () => {
    const pace = new CommitPace(new Timekeeper(manualClock()));
    pace.committed(64, 1);
    expect(await sizeOf(pace, [64, 64, 64, 64, 64, 64])).toBe(256);
    pace.committed(64, 1);
    expect(await sizeOf(pace, [64, 64, 0, 64, 64])).toBe(128);
  });

  test("under load waits for at most a millisecond", async () => {
    const clock = manualClock();
    const pace = new CommitPace(new Timekeeper(clock));
    pace.committed(1, 1);
    expect(await sizeOf(pace, [1, 1, 1, 1, 1, 1], () => clock.advance(1))).toBe(2);
  });

  test("of a manager grows under load: fewer appends than turns that bring events, and every event once", async () => {
    const { manager, store } = await started();
    const held = hold(manager);
    await settled();
    const append = store.append.bind(store);
    // The disk takes a turn.
    store.append = async (events) => {
      await settled(ONE_TURN);
      return append(events);
    };
    const before = store.appends;
    const turns = 64;
    for (let turn = 0; turn < turns; turn++) {
      for (let n = 0; n < 16; n++) held.ctx.emit(`${turn}.${n}`);
      await settled(ONE_TURN);
    }
    await settled();
    expect(store.appends - before).toBeLessThan(turns / 4);
    expect(store.kept.filter(({ type }) => type === "custom")).toHaveLength(turns * 16);
  });
});
