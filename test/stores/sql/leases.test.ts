// Leases of the SQL store: each writer has its own journal, heartbeats keep it, and a journal never has two writers.
import { setTimeout as sleep } from "node:timers/promises";
import type { TaskEvent } from "errand";
import { type SqlConnection, sqlStore } from "errand/stores/sql";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { SeizedJournal, SharedJournals, TaskStore } from "../../../lib/core/durable/store.js";
import { eventsOf, notes } from "../../support/place.js";
import { lapse, type SqlPlace, sqlKinds } from "../../support/sql-place.js";

const LOCKED = { code: "STORE_LOCKED" };
const UNAVAILABLE = { code: "STORE_UNAVAILABLE" };

let place: SqlPlace;
let opened: TaskStore[];
let processes = 0;

/** Returns a store that is not open. */
function storeOn(
  connection: SqlConnection = place.connect(),
  leaseMs = 600_000,
): TaskStore & { shared: SharedJournals } {
  const store = sqlStore({ connection, namespace: place.namespace, leaseMs });
  opened.push(store);
  if (store.shared === undefined) throw new Error("It is a store for several processes");
  return Object.assign(store, { shared: store.shared });
}

async function openedStore(leaseMs?: number): Promise<ReturnType<typeof storeOn>> {
  const store = storeOn(undefined, leaseMs);
  await store.open(runtime());
  return store;
}

function runtime() {
  const instanceId = `instance ${++processes}`;
  return { instanceId, pid: 100_000 + processes, startedAt: processes };
}

/** Resolves with the names of the other journals. */
async function namesOf({ shared }: ReturnType<typeof storeOn>): Promise<string[]> {
  return (await shared.others()).map(({ name }) => name);
}

async function seized(store: ReturnType<typeof storeOn>, name = "1"): Promise<SeizedJournal> {
  const journal = await store.shared.seize(name);
  if (journal === undefined) throw new Error(`journal ${name} was not seized`);
  return journal;
}

/** Asserts that each write of the store is refused. */
async function expectFenced(zombie: ReturnType<typeof storeOn>, nextSeq: number): Promise<void> {
  for (let time = 1; time <= 2; time++) {
    await expect(zombie.append(notes(nextSeq, nextSeq + 1))).rejects.toMatchObject(LOCKED);
    await expect(zombie.compact("zombie", nextSeq - 1)).rejects.toMatchObject(LOCKED);
    await expect(zombie.putOutput("zombie", 1)).rejects.toMatchObject(LOCKED);
    await expect(zombie.deleteOutputs(["a"])).rejects.toMatchObject(LOCKED);
    await expect(zombie.shared.heartbeat()).rejects.toMatchObject(LOCKED);
  }
}

describe.each(await sqlKinds())("two on one database ($name)", ({ make }) => {
  beforeEach(async () => {
    place = await make();
    opened = [];
  });
  afterEach(() => Promise.all(opened.map((store) => store.close())));

  test("each has a journal of its own, and sees the other's", async () => {
    const one = await openedStore();
    const two = await openedStore();
    await Promise.all([one.append(notes(1, 3)), two.append(notes(1, 2)), two.putOutput("a", "of two")]);
    await one.compact("snapshot of one", 2);
    expect(await eventsOf(one)).toEqual(notes(1, 3));
    expect(await eventsOf(two)).toEqual(notes(1, 2));
    expect(await one.getOutput("a")).toBe(undefined);
    const [other, ...more] = await one.shared.others();
    expect(more).toEqual([]);
    expect(other).toMatchObject({ isFree: false, writer: { pid: 100_000 + processes } });
    if (other === undefined) return;
    expect(await eventsOf(other, { from: 2 })).toEqual(notes(2, 2));
    expect(await other.getOutput("a")).toBe("of two");
    expect(await other.peek()).toEqual({ nextSeq: 3 });
    const [back] = await two.shared.others();
    expect(await back?.peek()).toEqual({ nextSeq: 4, snapshot: "snapshot of one" });
  });

  test("who has not opened it sees all, by age; and itself reads the oldest", async () => {
    const reader = storeOn();
    await expect(reader.shared.others()).rejects.toMatchObject(UNAVAILABLE);
    const one = await openedStore();
    await openedStore();
    await one.append(notes(1, 2));
    expect(await namesOf(reader)).toEqual(["1", "2"]);
    expect(await reader.peek()).toEqual({ nextSeq: 3 });
    expect(await eventsOf(reader)).toEqual(notes(1, 2));
    await expect(reader.shared.heartbeat()).rejects.toMatchObject(UNAVAILABLE);
    await expect(reader.shared.seize("1")).rejects.toMatchObject(UNAVAILABLE);
  });

  test("a journal of the living is neither opened nor seized", async () => {
    await openedStore();
    const two = await openedStore();
    expect(await two.shared.seize("1")).toBe(undefined);
    expect(await namesOf(two)).toEqual(["1"]);
  });

  test("one that was given back is free at once: the next to open goes on with it, with the oldest first", async () => {
    const [one, two] = [await openedStore(), await openedStore()];
    await one.append(notes(1, 4));
    await two.append(notes(1, 2));
    await two.close();
    await one.close();
    const three = storeOn();
    expect(await three.open(runtime())).toEqual({ nextSeq: 5 });
    expect(await three.shared.others()).toMatchObject([{ name: "2", isFree: true }]);
    // The closed store still reads its journal.
    await three.append(notes(5, 5));
    expect((await two.peek()).nextSeq).toBe(3);
    expect(await eventsOf(one)).toEqual(notes(1, 5));
  });

  test("a lease lapses by itself, by the database's clock", async () => {
    const one = await openedStore();
    const two = await openedStore(150);
    await two.append(notes(1, 1));
    while ((await one.shared.others())[0]?.isFree !== true) await sleep(10);
    expect((await seized(one, "2")).name).toBe("2");
    await expectFenced(two, 2);
  });

  test("a sign of life keeps it: a heartbeat, an append, a snapshot", async () => {
    const [one, two] = [await openedStore(), await openedStore()];
    const signs = [() => one.shared.heartbeat(), () => one.append(notes(1, 1)), () => one.compact("one", 1)];
    for (const sign of signs) {
      await lapse(place, "1");
      expect(await two.shared.others()).toMatchObject([{ isFree: true }]);
      // The heartbeat is late, but no other process has taken the journal.
      await sign();
      expect(await two.shared.others()).toMatchObject([{ isFree: false }]);
      expect(await two.shared.seize("1")).toBe(undefined);
    }
  });

  test("one that lapsed is gone on with by `open`, and its writer keeps nothing any more", async () => {
    const one = await openedStore();
    await one.append(notes(1, 3));
    await one.putOutput("a", "kept");
    await lapse(place);
    const two = storeOn();
    expect(await two.open(runtime())).toEqual({ nextSeq: 4 });
    await expectFenced(one, 4);
    await expect(one.append(notes(4, 4))).rejects.toMatchObject({ pid: 100_000 + processes });
    expect(await namesOf(one)).toEqual(["1"]);
    expect(await namesOf(two)).toEqual([]);
    await two.append(notes(4, 5));
    await expectFenced(one, 4);
    // The lost journal belongs to another process, so `close` does not give it back.
    await one.close();
    expect(await two.peek()).toEqual({ nextSeq: 6 });
    expect(await eventsOf(two)).toEqual(notes(1, 5));
    expect(await two.getOutput("a")).toBe("kept");
    expect(await two.getOutput("zombie")).toBe(undefined);
    const three = await openedStore();
    expect(await three.shared.others()).toMatchObject([{ name: "1", isFree: false }]);
    await two.shared.heartbeat();
  });

  test("one that lapsed is seized, and is then one more of this writer", async () => {
    const one = await openedStore();
    await one.append(notes(1, 3));
    const two = await openedStore();
    await lapse(place, "1");
    const journal = await seized(two);
    expect(journal).toMatchObject({ name: "1", isFree: false, writer: { pid: 100_000 + processes - 1 } });
    await expectFenced(one, 4);
    expect(await eventsOf(journal)).toEqual(notes(1, 3));
    expect(await namesOf(two)).toEqual([]);
    const three = await openedStore();
    expect(await three.shared.seize("1")).toBe(undefined);
    // One heartbeat keeps both journals.
    await lapse(place);
    await two.shared.heartbeat();
    expect((await three.shared.others()).map(({ isFree }) => isFree)).toEqual([false, false]);
    await two.close();
    expect((await three.shared.others()).map(({ isFree }) => isFree)).toEqual([true, true]);
  });

  test("nothing is seized that is not there, or is one's own", async () => {
    const one = await openedStore();
    await lapse(place);
    for (const name of ["1", "2", "0", "-1", "1.5", "", "no number", "9007199254740993"])
      expect(await one.shared.seize(name), name).toBe(undefined);
    await one.append(notes(1, 1));
  });

  test("a journal that is absorbed is gone, and what it had is this one's", async () => {
    const one = await openedStore();
    await one.append(notes(1, 3));
    await one.putOutput("a", "of one");
    await one.putOutput("both", "of one");
    await one.compact("one", 2);
    const two = await openedStore();
    await two.append(notes(1, 2));
    await two.putOutput("both", "of two");
    await lapse(place, "1");
    const journal = await seized(two);
    await two.append(notes(3, 3));
    await journal.absorb({ tasks: ["of both"] }, 3);
    await two.append(notes(4, 4));

    expect(await namesOf(two)).toEqual([]);
    await expect(journal.peek()).rejects.toMatchObject(UNAVAILABLE);
    await expect(eventsOf(journal)).rejects.toMatchObject(UNAVAILABLE);
    await expectFenced(one, 4);
    expect(await two.getOutput("a")).toBe("of one");
    expect(await two.getOutput("both")).toBe("of two");
    for (const table of ["events", "snapshots", "outputs"])
      expect(await place.ask(`select 1 as found from ${place.namespace}_${table} where journal = 1`)).toEqual([]);
    await two.close();
    const next = storeOn();
    expect(await next.open(runtime())).toEqual({ nextSeq: 5, snapshot: { tasks: ["of both"] } });
    expect(await eventsOf(next, { from: 4 })).toEqual(notes(4, 4));
    expect(await namesOf(next)).toEqual([]);
    // The number of a removed journal is never used again, even if it was the last one.
    await openedStore();
    expect(await namesOf(next)).toEqual(["3"]);
    await lapse(place, "3");
    await (await seized(next, "3")).absorb("of all", 4);
    await openedStore();
    expect(await namesOf(next)).toEqual(["4"]);
  });

  test("D9 a journal of which some tasks are left has exactly those, and no process has it", async () => {
    const one = await openedStore();
    await one.append(notes(1, 3));
    for (const task of ["taken", "left"]) await one.putOutput(task, `of ${task}`);
    const two = await openedStore();
    await lapse(place, "1");
    const [before] = await two.shared.others();
    const journal = await seized(two);
    await journal.absorb("mine", 0, { snapshot: "left", seq: 3, outputs: ["left"], ids: [] });

    const [left] = await two.shared.others();
    expect(left).toMatchObject({ name: "1", isFree: true });
    expect(left?.version).not.toBe(before?.version);
    expect(await left?.peek()).toEqual({ nextSeq: 4, snapshot: "left" });
    expect([await left?.getOutput("left"), await left?.getOutput("taken")]).toEqual(["of left", undefined]);
    expect([await two.getOutput("left"), await two.getOutput("taken")]).toEqual([undefined, "of taken"]);
    await expectFenced(one, 4);
    // The remaining journal is like any other, and can be seized with `left` again.
    const again = await seized(two);
    await again.absorb("mine", 0, { snapshot: "left again", seq: 3, outputs: [], ids: [] });
    expect(await (await two.shared.others())[0]?.peek()).toEqual({ nextSeq: 4, snapshot: "left again" });
    await two.close();
    const three = storeOn();
    await three.open(runtime(), ["1"]);
    expect(await three.peek()).toEqual({ nextSeq: 1, snapshot: "mine" });
    const four = storeOn();
    expect(await four.open(runtime())).toEqual({ nextSeq: 4, snapshot: "left again" });
    await four.append(notes(4, 4));
    expect(await eventsOf(four)).toEqual(notes(4, 4));
  });

  test("D9 one journal has the task of an id: who claims it after that keeps nothing, and is given who has it and how its task ended", async () => {
    const [one, two] = [await openedStore(), await openedStore()];
    const [ids, others] = [one.shared.ids, two.shared.ids];
    if (ids === undefined || others === undefined) throw new Error("its ids are one space");
    const claim = (id: string, content = "same") => ({ id, content });
    const stamp = { seq: 9, at: 1, taskId: "a", attempt: 1 } as const;
    const failed: TaskEvent = { ...stamp, type: "task.failed", error: { code: "error", message: "no" } };
    const interrupted: TaskEvent = { ...stamp, type: "task.interrupted", reason: "shutdown" };
    const odd = "\u0000\ud800 'quoted' ".repeat(60);
    expect(await ids.append(notes(1, 2), [claim("a"), claim(odd)], [])).toEqual([]);
    expect(await others.append(notes(1, 1), [claim("b"), claim("a", "other")], [])).toMatchObject([
      { id: "a", content: "same", isOwn: false, writer: { instanceId: expect.any(String) } },
    ]);
    expect(await eventsOf(two)).toEqual([]);
    expect(await ids.find(["a", "b", odd])).toHaveLength(2);
    expect(await others.append(notes(1, 1), [claim("b")], [])).toEqual([]);
    // An end is stored only for an id of the own journal; an interrupted task frees its id.
    await others.append(notes(2, 2), [], [{ id: "a", event: interrupted }]);
    expect((await ids.find(["a"]))[0]).not.toHaveProperty("end");
    await ids.append(notes(3, 3), [], [{ id: "a", event: failed }]);
    expect(await others.append(notes(3, 3), [claim("a")], [])).toMatchObject([{ end: { type: "task.failed" } }]);
    // S1: the end that is kept is final, until the id is claimed again.
    await ids.append(notes(4, 4), [], [{ id: "a", event: interrupted }]);
    expect(await others.append(notes(3, 3), [claim("a")], [])).toMatchObject([{ end: { type: "task.failed" } }]);
    await ids.append(notes(5, 5), [claim("a")], [{ id: "a", event: interrupted }]);
    expect(await others.append(notes(3, 3), [claim("a")], [])).toEqual([]);
    expect(await others.find(["a"])).toMatchObject([{ isOwn: true }]);
    // Ids of other journals are not forgotten.
    await ids.forget(["a", odd]);
    expect((await ids.find(["a", odd])).map(({ id }) => id)).toEqual(["a"]);
    await lapse(place, "1");
    const journal = await seized(two);
    await ids.append(notes(6, 6), [claim("c")], []).catch(() => undefined);
    await journal.absorb("both", 3);
    expect(await others.find(["a", "b", "c"])).toMatchObject([{ isOwn: true }, { isOwn: true }]);
  });

  test("an open resumes no journal that is not wanted, and begins one where there is no other", async () => {
    const one = await openedStore();
    await one.append(notes(1, 2));
    await one.close();
    const two = storeOn();
    expect(await two.open(runtime(), ["1", "nonsense"])).toEqual({ nextSeq: 1 });
    expect(await namesOf(two)).toEqual(["1"]);
    expect(await two.shared.own?.()).toBe("2");
  });

  test("who was robbed of what it seized, or of its own, absorbs nothing", async () => {
    const one = await openedStore();
    await one.append(notes(1, 3));
    await one.putOutput("a", "of one");
    const [two, three] = [await openedStore(), await openedStore()];
    await two.append(notes(1, 1));
    await lapse(place, "1");
    const first = await seized(two);
    await lapse(place, "1");
    const second = await seized(three);
    await expect(first.absorb("stolen", 1)).rejects.toMatchObject(LOCKED);
    expect(await two.peek()).toEqual({ nextSeq: 2 });
    expect(await two.getOutput("a")).toBe(undefined);

    await lapse(place, "3");
    await seized(two, "3");
    await expect(second.absorb("stolen", 0)).rejects.toMatchObject(LOCKED);
    expect(await eventsOf(second)).toEqual(notes(1, 3));
    expect(await second.getOutput("a")).toBe("of one");

    await two.close();
    await expect(first.absorb("late", 1)).rejects.toMatchObject(UNAVAILABLE);
    expect(await two.peek()).toEqual({ nextSeq: 2 });
  });

  test("one that was seized and given back is absorbed by no process that has not seized it again", async () => {
    await openedStore();
    const two = await openedStore();
    await lapse(place, "1");
    const before = await seized(two);
    await two.close();
    await two.open(runtime());
    await expect(before.absorb("late", 0)).rejects.toMatchObject(UNAVAILABLE);
  });

  test("of many who seize at once, one has it; of many who open at once, each has another", async () => {
    const dead = await openedStore();
    await dead.append(notes(1, 5));
    const many = await Promise.all(Array.from({ length: 6 }, () => openedStore()));
    for (let round = 1; round <= 4; round++) {
      await lapse(place, "1");
      const all = await Promise.all(many.map((store) => store.shared.seize("1")));
      expect(all.filter((journal) => journal !== undefined)).toHaveLength(1);
    }
    await lapse(place);
    const stores = Array.from({ length: 9 }, () => storeOn());
    const seqs = (await Promise.all(stores.map((store) => store.open(runtime())))).map(({ nextSeq }) => nextSeq);
    expect(seqs.filter((seq) => seq === 6)).toHaveLength(1);
    expect(seqs.filter((seq) => seq === 1)).toHaveLength(8);
    const names = await Promise.all(stores.map(async (store) => (await namesOf(store)).sort().join()));
    expect(new Set(names).size).toBe(9);
  });

  test("stores of other names in one database know nothing of each other", async () => {
    const one = await openedStore();
    const other = sqlStore({ connection: place.connect(), namespace: `${place.namespace}_other` });
    opened.push(other);
    await Promise.all([one.append(notes(1, 2)), other.open(runtime())]);
    expect(await other.peek()).toEqual({ nextSeq: 1 });
    expect(await other.shared?.others()).toEqual([]);
  });
});
