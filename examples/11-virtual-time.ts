// 11. Virtual time: a test of an agent loop that would take days takes milliseconds.
//
// `simulate` gives the loop a manager whose clock jumps whenever nothing can go on, and plays the people who answer at the inbox.

import assert from "node:assert/strict";

import type { TaskContext } from "errand";
import { simulate } from "errand/testing";

// The loop under test: it watches a build, every hour, and asks before it rolls back.
async function watchBuild(ctx: TaskContext, check: () => "green" | "red"): Promise<string> {
  for (let hour = 1; ; hour += 1) {
    await ctx.sleep(3_600_000);
    if (check() === "green") continue;
    await ctx.approve(`The build is red after ${hour} hours. Roll back?`, { timeoutMs: 24 * 3_600_000 });
    return `rolled back after ${hour} hours`;
  }
}

// Three days of green, then a red build, and Ada says yes.
const said = await simulate(
  async ({ manager, clock }) => {
    const said = await manager
      .spawn((ctx) => watchBuild(ctx, () => (clock.now() > 72 * 3_600_000 ? "red" : "green")))
      .result();
    assert.equal(clock.now(), 73 * 3_600_000);
    return said;
  },
  { answers: [{ to: "Roll back?", answer: true, by: "ada" }] },
);
console.log(said);
assert.equal(said, "rolled back after 73 hours");

// Nobody answers: a day later the question expires, and the task fails.
const ended = await simulate(({ manager }) => manager.spawn((ctx) => watchBuild(ctx, () => "red")).outcome());
console.log(ended.status, ended.status === "failed" ? ended.error.message : "");
assert.equal(ended.status, "failed");

// A loop that waits for what never comes is no hang: the error says who waits for what.
await assert.rejects(
  simulate(({ manager }) => manager.spawn((ctx) => ctx.receive(), { title: "listener" }).result()),
  /task_1 "listener" is blocked on a message/,
);
