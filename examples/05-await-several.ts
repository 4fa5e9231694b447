// 5. Await several: all of them, the first, or as they come, and never longer than you like.
//
// A failed task is a result here, and so is a timeout: nothing throws, nothing is missed, what ended before counts.

import assert from "node:assert/strict";
import { setTimeout as work } from "node:timers/promises";

import { TaskManager } from "errand";

const manager = new TaskManager();
const ask = (name: string, ms: number) =>
  manager.spawn(({ signal }) => work(ms, `${name}: yes`, { signal }), { title: name });

// All, but not for ever. What has not ended yet goes on, and its place is empty.
const quick = manager.spawn(() => "quick: yes", { title: "quick" });
const slow = ask("slow", 300);
const soon = await manager.awaitTasks([quick, slow], { timeoutMs: 50 });
console.log(`${soon.reason}: ${soon.ended.length} ended, ${soon.pending.map(({ title }) => title).join()} still at it`);
assert.equal(soon.reason, "timeout");
assert.equal(soon.outcomes[0]?.status, "succeeded");
assert.equal(soon.outcomes[1], undefined);

const both = await manager.awaitTasks([quick, slow]);
assert.equal(both.reason, "done");
assert.equal(both.ended.at(-1)?.id, slow.id);

// A race: the first success wins, and inside a task `cancelRest` stops the losers.
const race = manager.spawn(async (ctx) => {
  const runners = [60_000, 5, 60_000].map((ms) => ctx.spawn(({ signal }) => work(ms, `${ms} ms`, { signal })));
  const { outcomes } = await ctx.awaitTasks(runners, { until: "success", cancelRest: true });
  await ctx.awaitTasks(runners);
  return { won: outcomes.findIndex((outcome) => outcome !== undefined), ended: runners.map(({ status }) => status) };
});
const { won, ended } = await race.result();
console.log(`runner ${won} won: ${ended.join(", ")}`);
assert.deepEqual(ended, ["cancelled", "succeeded", "cancelled"]);

// One by one, in the order in which they end.
const names: string[] = [];
for await (const outcome of manager.outcomes([ask("c", 200), ask("a", 5), ask("b", 100)])) {
  if (outcome.status === "succeeded") names.push(outcome.value);
}
console.log(names.join(", "));
assert.deepEqual(names, ["a: yes", "b: yes", "c: yes"]);

await manager.close();
