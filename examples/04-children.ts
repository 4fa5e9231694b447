// 4. Children: a task spawns tasks of its own, and answers for them.
//
// A parent is not done before its children are, and stopping it stops everything below. While it waits for them it lends its slot, so
// even with one slot a tree of any depth comes to its end.

import assert from "node:assert/strict";
import { setTimeout as work } from "node:timers/promises";

import { type TaskContext, TaskManager } from "errand";

const manager = new TaskManager({ concurrency: 1 });

const research = manager.spawn(
  async (ctx) => {
    const chapters = await ctx.map(
      ["rivers", "lakes"],
      (child, topic) => child.spawn(() => `about ${topic}`).result(),
      { concurrency: 2 },
    );
    return chapters.join(", ");
  },
  { title: "research" },
);
console.log(`research: ${await research.result()}`);
assert.equal(await research.result(), "about rivers, about lakes");
const [tree] = manager.tree(research.id);
console.log(`it took ${tree?.children.length} children, and ${tree?.usage.tasks} tasks in all`);
assert.equal(tree?.usage.tasks, 5);

// A child that fails does not fail its parent: the parent reads the outcome, and decides.
const careful = manager.spawn(async (ctx) => {
  const attempt = ctx.spawn((): string => {
    throw new Error("the library is closed");
  });
  const outcome = await attempt.outcome();
  return outcome.status === "succeeded" ? outcome.value : "asked a friend instead";
});
console.log(`careful: ${await careful.result()}`);
assert.equal(await careful.result(), "asked a friend instead");

// Cancelling a parent cancels the whole tree below, leaves first.
async function branch(ctx: TaskContext): Promise<void> {
  const { depth } = ctx.record;
  if (depth < 2) await ctx.spawn(branch, { title: `depth ${depth + 1}` }).result();
  else await work(60_000, undefined, { signal: ctx.signal });
}
const root = manager.spawn(branch, { title: "depth 0" });
await work(50);

const ended: string[] = [];
manager.on("task.cancelled", ({ taskId }) => ended.push(manager.get(taskId)?.record.title ?? taskId));
await root.cancel();
console.log(`cancelled: ${ended.join(", ")}`);
assert.deepEqual(ended, ["depth 2", "depth 1", "depth 0"]);

await manager.close();
