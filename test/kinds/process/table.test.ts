// The process table (§10): which groups are those of a program, by session and by descent.

import { spawn, spawnSync } from "node:child_process";
import { afterEach, describe, expect, test } from "vitest";
import { leaderOf, readPs, readTable, readTableNow, type Table } from "../../../lib/kinds/process/table.js";
import { until } from "../../support/programs.js";

const isPosix = process.platform !== "win32" && spawnSync("bash", ["--version"]).status === 0;
const isLinux = process.platform === "linux" && isPosix;

const groups = new Set<number>();
afterEach(() => {
  for (const group of groups) process.kill(-group, "SIGKILL");
  groups.clear();
});

/** A shell that leads a session, has a job in a group of its own and, below that, a daemon that has left. */
async function tree(): Promise<{ readonly pid: number; readonly job: number; readonly daemon: number }> {
  const line = `set -m; bash -c 'echo job $$; setsid bash -c "echo daemon \\$\\$; sleep 100; :" & sleep 100; :' & wait`;
  const child = spawn("bash", ["-c", line], { detached: true, stdio: ["ignore", "pipe", "ignore"] });
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => void (said += text));
  await until(() => /job \d+\n/.test(said) && /daemon \d+\n/.test(said));
  const idOf = (who: string) => Number(new RegExp(`${who} (\\d+)`).exec(said)?.[1]);
  const found = { pid: child.pid ?? 0, job: idOf("job"), daemon: idOf("daemon") };
  for (const group of Object.values(found)) groups.add(group);
  return found;
}

describe("the groups of a program", () => {
  const tables: readonly [how: string, read: () => Promise<Table>, can: boolean][] = [
    ["by its session, from /proc", readTable, isLinux],
    ["by its session, from /proc, at once", async () => readTableNow(), isLinux],
    ["by descent, from `ps`", readPs, isPosix],
  ];
  for (const [how, read, can] of tables) {
    test.skipIf(!can)(`are found ${how}: a job of a shell, and no daemon that has left`, async () => {
      const { pid, job, daemon } = await tree();
      const found = (await read()).groupsOf(leaderOf(pid), new Set([pid]));
      expect(found).toEqual(new Set([pid, job]));
      expect(found.has(daemon)).toBe(false);
    });
  }

  test.skipIf(!isLinux)("are none once another program has the number of the leader", async () => {
    const { pid } = await tree();
    const leader = leaderOf(pid);
    expect(leader.startedAt).toMatch(/^\d+$/);
    const table = await readTable();
    expect([...table.groupsOf({ pid, startedAt: "1" }, new Set([pid]))]).toEqual([]);
  });

  test.skipIf(!isLinux)("are read once for all that ask before the reading begins", async () => {
    const [first, second] = await Promise.all([readTable(), readTable()]);
    expect(first).toBe(second);
    expect(await readTable()).not.toBe(first);
  });
});
