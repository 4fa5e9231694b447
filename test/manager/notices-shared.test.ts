// Notices of a process that is gone, in a store that several share: the one that takes over what it left tells of them (§11, N1).

import type { Session, TaskManager } from "errand";
import { type ManualClock, manualClock } from "errand/testing";
import { describe, expect, test } from "vitest";
import { settled } from "../support/basics.js";
import { told } from "../support/loops.js";
import { deaf } from "../support/program.js";
import { PASS_MS, type SharedStores, sharedStores } from "../support/shared-stores.js";
import { sqliteKind } from "../support/sql-place.js";

interface Still {
  readonly manager: TaskManager;
  readonly clock: ManualClock;
}

/** A process that gives no more signs of life than its clock is moved. */
async function still(open: SharedStores["open"]): Promise<Still> {
  const clock = manualClock(Date.now());
  return { manager: await open({ clock }), clock };
}

/** Its clock stands still, so a close needs a push; its store may be another's by now. */
async function closed({ manager, clock }: Still): Promise<void> {
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
    const { open, dies } = sharedStores(await sqliteKind.make());
    const dead = await still(open);
    const alive = await open();
    const chat = alive.session("chat");
    // Something lives, so that the loop waits.
    chat.spawn(deaf, { id: "alive", graceMs: 0 });
    const next = chat.nextNotices();
    dead.manager.session("chat").spawn(() => 1, { id: "done" });
    dead.manager.session("chat").spawn(deaf, { id: "lost" });
    expect(told(await dead.manager.session("chat").nextNotices())).toEqual(["done succeeded"]);

    await dies(dead.manager);
    const first = await next;
    const seen = told(first) ?? [];
    expect(seen[0]).toBe("done succeeded");
    await first?.ack();
    void alive.get("alive")?.cancel();
    seen.push(...(await readAll(chat)));
    expect(seen.toSorted()).toEqual(["alive cancelled", "done succeeded", "lost interrupted"]);
    await alive.close();
    await closed(dead);

    const later = await open();
    expect(await later.session("chat").nextNotices()).toBeUndefined();
    await later.close();
  });

  test("wakes it from a snapshot too, with nothing living in the journal that is taken over", async () => {
    const { open, dies } = sharedStores(await sqliteKind.make());
    const one = await still(open);
    one.manager.session("chat").spawn(() => 1, { id: "of one" });
    expect(told(await one.manager.session("chat").nextNotices())).toEqual(["of one succeeded"]);

    // It takes over from the first, which stores a snapshot of both, and dies too.
    const two = await still(open);
    two.manager.session("chat").spawn(() => 2, { id: "of two" });
    expect(told(await two.manager.session("chat").nextNotices())).toContain("of two succeeded");
    const isTaken = dies(one.manager);
    while (two.manager.get("of one") === undefined) {
      await two.clock.advance(PASS_MS);
      await settled();
    }
    await isTaken;
    expect(told(await two.manager.session("chat").nextNotices())?.toSorted()).toEqual([
      "of one succeeded",
      "of two succeeded",
    ]);
    // Stored as its own.
    await two.clock.advance(1);

    const alive = await open();
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
    await dies(two.manager);
    expect((await seen).toSorted()).toEqual(["of one succeeded", "of two succeeded"]);
    await alive.close({ graceMs: 0 });
    for (const process of [one, two]) await closed(process);

    const later = await open();
    expect(told(await later.session("chat").nextNotices())).toEqual(["alive interrupted"]);
    await later.close();
  });
});
