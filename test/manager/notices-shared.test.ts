// Notices of a process that is gone, in a store that several share: the one that takes over what it left tells of them (§11, N1).

import path from "node:path";
import { type Session, TaskManager, type TaskStore } from "errand";
import { sqlite, sqlStore } from "errand/stores/sql";
import { type ManualClock, manualClock } from "errand/testing";
import Database from "libsql";
import { describe, expect, onTestFinished, test } from "vitest";
import { told } from "../support/loops.js";
import { place } from "../support/place.js";
import { deaf } from "../support/program.js";

const LEASE_MS = 300;

async function databases(): Promise<() => TaskStore> {
  const file = path.join(await place(), "errand.db");
  return () => {
    const database = new Database(file);
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    onTestFinished(() => void database.close());
    return sqlStore({ connection: sqlite(database), leaseMs: LEASE_MS });
  };
}

/** A process that gives no more signs of life than its clock is moved. */
async function still(store: TaskStore): Promise<{ readonly manager: TaskManager; readonly clock: ManualClock }> {
  const clock = manualClock(Date.now());
  return { manager: await TaskManager.open({ store, clock }), clock };
}

/** Its clock stands still, so a close needs a push; its store may be another's by now. */
async function closed({ manager, clock }: Awaited<ReturnType<typeof still>>): Promise<void> {
  const closing = manager.close({ graceMs: 0 }).catch(() => undefined);
  await clock.advance(1);
  await closing;
}

/** All that it is told of until nothing is left; what it was told is acknowledged at once. */
async function readAll(chat: Session): Promise<string[]> {
  const seen: string[] = [];
  for (;;) {
    const batch = await chat.nextNotices();
    if (batch === undefined) return seen;
    seen.push(...(told(batch) ?? []));
    await batch.ack();
  }
}

describe("what a process left untold", () => {
  test("wakes the loop of its session that waits in another process already, once", async () => {
    const open = await databases();
    const dead = await still(open());
    const alive = await TaskManager.open({ store: open() });
    const chat = alive.session("chat");
    // Something lives, so that the loop waits.
    chat.spawn(deaf, { id: "alive", graceMs: 0 });
    const next = chat.nextNotices();
    dead.manager.session("chat").spawn(() => 1, { id: "done" });
    dead.manager.session("chat").spawn(deaf, { id: "lost" });
    expect(told(await dead.manager.session("chat").nextNotices())).toEqual(["done succeeded"]);

    const first = await next;
    const seen = told(first) ?? [];
    expect(seen[0]).toBe("done succeeded");
    await first?.ack();
    void alive.get("alive")?.cancel();
    seen.push(...(await readAll(chat)));
    expect(seen.toSorted()).toEqual(["alive cancelled", "done succeeded", "lost interrupted"]);
    await alive.close();
    await closed(dead);

    const later = await TaskManager.open({ store: open() });
    expect(await later.session("chat").nextNotices()).toBeUndefined();
    await later.close();
  });

  test("wakes it from a snapshot too, with nothing living in the journal that is taken over", async () => {
    const open = await databases();
    const one = await still(open());
    one.manager.session("chat").spawn(() => 1, { id: "of one" });
    expect(told(await one.manager.session("chat").nextNotices())).toEqual(["of one succeeded"]);

    // It takes over from the first, which stores a snapshot of both, and dies too.
    const two = await still(open());
    two.manager.session("chat").spawn(() => 2, { id: "of two" });
    expect(told(await two.manager.session("chat").nextNotices())).toContain("of two succeeded");
    while (two.manager.get("of one") === undefined) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      await two.clock.advance(LEASE_MS / 3);
    }
    expect(told(await two.manager.session("chat").nextNotices())?.toSorted()).toEqual([
      "of one succeeded",
      "of two succeeded",
    ]);
    // Stored as its own.
    await two.clock.advance(1);

    const alive = await TaskManager.open({ store: open() });
    const chat = alive.session("chat");
    chat.spawn(deaf, { id: "alive", graceMs: 0 });
    const seen = (async () => {
      const all: string[] = [];
      while (all.length < 2) {
        const batch = await chat.nextNotices();
        all.push(...(told(batch) ?? []));
        await batch?.ack();
      }
      return all;
    })();
    expect((await seen).toSorted()).toEqual(["of one succeeded", "of two succeeded"]);
    await alive.close({ graceMs: 0 });
    for (const process of [one, two]) await closed(process);

    const later = await TaskManager.open({ store: open() });
    expect(told(await later.session("chat").nextNotices())).toEqual(["alive interrupted"]);
    await later.close();
  });
});
