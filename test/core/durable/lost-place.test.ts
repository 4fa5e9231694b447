// A manager whose directory is not its own any more (D3): it says so, stops, and hands nothing out that it could not keep.

import { readdir, rename, rm } from "node:fs/promises";
import path from "node:path";
import { TaskManager, viewStore } from "errand";
import { describe, expect, test } from "vitest";
import { fileStore } from "../../../lib/stores/file.js";
import { place } from "../../support/place.js";

const LONG = "x".repeat(100_000);

async function removeLocks(directory: string): Promise<void> {
  for (const name of await readdir(directory)) if (name.startsWith("lock.")) await rm(path.join(directory, name));
}

const faults: [what: string, take: (directory: string) => Promise<string>][] = [
  ["whose lock was removed", async (directory) => (await removeLocks(directory), directory)],
  [
    "whose directory was moved",
    async (directory) => {
      await rename(directory, `${directory}.moved`);
      return `${directory}.moved`;
    },
  ],
];

describe("D3 a manager", () => {
  test.each(faults)(
    "%s emits store.failed, stops its tasks, and delivers no result that is not stored",
    async (_what, take) => {
      const directory = path.join(await place(), "store");
      const manager = await TaskManager.open({ store: fileStore(directory), graceMs: 0 });
      const failures: unknown[] = [];
      manager.on("store.failed", ({ error }) => failures.push(error));
      expect(await manager.spawn(() => LONG, { id: "before" }).result()).toBe(LONG);
      let isStopped = false;
      const running = manager.spawn(
        (ctx) =>
          new Promise<void>((_, reject) => {
            ctx.signal.addEventListener("abort", () => {
              isStopped = true;
              reject(ctx.signal.reason);
            });
          }),
        { id: "running" },
      );
      await running.stored();
      const left = await take(directory);
      // It may know by now: what it was about to store told it.
      const after = async (): Promise<unknown> => manager.spawn(() => LONG, { id: "after" }).outcome();
      const lost = { code: expect.stringMatching(/^(STORE_LOCKED|MANAGER_CLOSED)$/) };
      await expect(after()).rejects.toMatchObject(lost);
      await expect(running.outcome()).rejects.toMatchObject(lost);
      await manager.close();
      expect(failures[0]).toMatchObject({ code: "STORE_LOCKED" });
      expect(isStopped).toBe(true);
      expect(() => manager.spawn(() => 1)).toThrow(/closed/);
      const view = await viewStore(fileStore(left));
      expect(view.list().map(({ id }) => id)).toEqual(["before", "running"]);
      const next = await TaskManager.open({ store: fileStore(left) });
      expect(await next.get("before")?.result()).toBe(LONG);
      await next.close();
    },
  );

  test("whose lock was removed while another opened its directory leaves all that both have delivered", async () => {
    const directory = path.join(await place(), "store");
    const first = await TaskManager.open({ store: fileStore(directory), graceMs: 0 });
    const delivered: string[] = [];
    const spawnIn = async (manager: TaskManager, id: string): Promise<void> => {
      try {
        await manager.spawn(() => LONG, { id }).result();
        delivered.push(id);
      } catch {
        // Not delivered, so it need not be there.
      }
    };
    await spawnIn(first, "one");
    await removeLocks(directory);
    const second = await TaskManager.open({ store: fileStore(directory), graceMs: 0 });
    await Promise.all([spawnIn(first, "two"), spawnIn(second, "three")]);
    await Promise.all([spawnIn(first, "four"), spawnIn(second, "five")]);
    await first.close();
    await second.close();
    expect(delivered).toEqual(expect.arrayContaining(["one", "three", "five"]));
    const kept = new Set((await viewStore(fileStore(directory))).list().map(({ id }) => id));
    expect(delivered.filter((id) => !kept.has(id))).toEqual([]);
  });
});
