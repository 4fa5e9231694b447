// The live tree of the audit, drawn from real tasks on screens of given sizes.

import { TaskManager, type TaskTree } from "errand";
import { afterEach, expect, test } from "vitest";

import { treeLines } from "../../examples/audit/tree-view.js";

const manager = new TaskManager();
afterEach(() => manager.cancelAll());

/** Two packages at work, one that asks, one in line. */
async function audit(question: string): Promise<TaskTree> {
  const lead = manager.spawn(
    async (ctx) => {
      ctx.progress({ current: 1, total: 5 });
      for (const name of ["a", "b"]) {
        ctx.spawn(
          async (pkg) => {
            pkg.spawn((check) => check.cancelled(), { title: "size" });
            pkg.spawn((check) => check.cancelled(), { title: "code" });
            await pkg.cancelled();
          },
          { title: name },
        );
      }
      ctx.spawn((pkg) => pkg.approve(question), { title: "c" });
      await ctx.cancelled();
    },
    { title: "project" },
  );
  await expect.poll(() => manager.inbox.list().length).toBe(1);
  const [tree] = manager.tree(lead.id);
  if (tree === undefined) throw new Error("the lead has no tree");
  return tree;
}

const still = (line: string) => line.replace(/[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]/u, "*");

test("a tree shows what was begun, each with its checks, and the oldest question", async () => {
  const lines = treeLines(await audit("Accept c?"), manager.inbox.list(), 7, { rows: 24, columns: 80 });
  expect(lines.map(still)).toEqual([
    "Auditing project   1 of 5 packages   7 s   Ctrl-C stops",
    "* a",
    "├ * size",
    "└ * code",
    "* b",
    "├ * size",
    "└ * code",
    "? c",
    "",
    "? Accept c?",
    "  y yes   n no   0 more to answer",
  ]);
});

test("a tree fits its screen, and the question is never cut", async () => {
  const question = "Accept it? ".repeat(8).trim();
  const lines = treeLines(await audit(question), manager.inbox.list(), 7, { rows: 12, columns: 30 });
  expect(lines.length).toBeLessThan(12);
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(30);
  expect(lines.join("")).toContain(question);
  expect(lines.some((line) => /^… \d more$/u.test(line))).toBe(true);
});
