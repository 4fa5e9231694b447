// The tasks that are shown, and their branches, computed from trees alone.
import { TaskManager, type TaskRecord, type TaskTree } from "errand";
import { expect, test } from "vitest";
import { type Branch, branchesOf } from "../../lib/cli/tree.js";

const manager = new TaskManager();
const { record } = manager.spawn(() => undefined);

function tree(id: string, children: readonly TaskTree[] = [], status: TaskRecord["status"] = "running"): TaskTree {
  const over = status === "running" ? {} : { finishedAt: 1 };
  return { record: { ...record, id, status, ...over }, usage: record.usage, children };
}

function drawn(branches: readonly Branch[]): string[] {
  return branches.map(({ twigs, shows }) => `${twigs}${typeof shows === "number" ? `${shows} more` : shows.id}`);
}

const everything = { isAll: true, fits: () => true };

test("a branch goes on below a task that has others after it, and ends at the last one", () => {
  const roots = [tree("a", [tree("b", [tree("c"), tree("d")]), tree("e", [tree("f")])]), tree("g")];
  expect(drawn(branchesOf(roots, everything))).toEqual(["a", "├ b", "│ ├ c", "│ └ d", "└ e", "  └ f", "g"]);
});

test("what has ended counts as living while something below it lives", () => {
  const ended = Array.from({ length: 30 }, (_, index) => tree(`ended ${index}`, [], "succeeded"));
  const above = tree("above", [tree("detached")], "succeeded");
  const lines = drawn(branchesOf([above, ...ended], { isAll: false, fits: () => true }));
  expect(lines.slice(0, 4)).toEqual(["10 more", "above", "└ detached", "ended 10"]);
});

test("what is not shown is counted with what is below it, when it fits", () => {
  const family = () => tree("parent", [tree("good", [], "succeeded"), tree("bad", [], "failed")], "succeeded");
  const roots = Array.from({ length: 23 }, family);
  expect(drawn(branchesOf(roots, { isAll: false, fits: () => true }))[0]).toBe("9 more");
  const failed = branchesOf(roots, { isAll: false, fits: ({ status }) => status === "failed" });
  expect(drawn(failed).slice(0, 3)).toEqual(["3 more", "parent", "└ bad"]);
});

test("a tree may be deeper than the stack", () => {
  let deep = tree("bottom");
  for (let depth = 0; depth < 20_000; depth++) deep = tree("above", [deep]);
  expect(branchesOf([deep], everything).length).toBe(20_001);
});
