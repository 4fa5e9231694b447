// The lease of a shared store: signs of life, and the journals that nobody has, pass by pass on a manual clock.

import { StoreLockedError } from "errand";
import { manualClock } from "errand/testing";
import { describe, expect, test } from "vitest";
import { Lease } from "../../../lib/core/durable/lease.js";
import type { OtherJournal, SeizedJournal, SharedJournals } from "../../../lib/core/durable/store.js";
import { Timekeeper } from "../../../lib/core/time/clock.js";

const LEASE_MS = 3_000;
const PASS_MS = LEASE_MS / 3;

function journal(name: string, isFree: boolean): SeizedJournal {
  return {
    name,
    isFree,
    version: "1",
    writer: { instanceId: name, pid: 1, startedAt: 1 },
    peek: async () => ({ nextSeq: 1 }),
    read: async function* () {},
    getOutput: async () => undefined,
    absorb: async () => {},
  };
}

/** What is asked of the store, and of the manager, in order. */
class Shared implements SharedJournals {
  readonly leaseMs = LEASE_MS;
  readonly clock = manualClock();
  readonly asked: string[] = [];
  readonly failures: unknown[] = [];
  lost: unknown;
  readonly unwanted = new Set<string>();
  slow: Promise<void> | undefined;
  journals: SeizedJournal[] = [];
  /** Thrown by what is so named. */
  fails = new Map<string, Error>();
  readonly lease = new Lease({
    shared: this,
    clock: new Timekeeper(this.clock),
    isWanted: async ({ name }) => !this.unwanted.has(name),
    takeOver: async ({ name }) => {
      await this.slow;
      this.#ask(`take over ${name}`);
      this.journals = this.journals.filter((each) => each.name !== name);
    },
    onFailed: (error) => void this.failures.push(error),
    onLost: (error) => (this.lost = error),
  });

  #ask(what: string): void {
    this.asked.push(what);
    const failure = this.fails.get(what);
    if (failure !== undefined) throw failure;
  }

  async heartbeat(): Promise<void> {
    this.#ask("heartbeat");
  }
  async others(): Promise<readonly OtherJournal[]> {
    this.#ask("others");
    return this.journals;
  }
  async seize(name: string): Promise<SeizedJournal | undefined> {
    this.#ask(`seize ${name}`);
    return this.journals.find((each) => each.name === name);
  }

  /** What one pass asks. */
  async pass(): Promise<readonly string[]> {
    this.asked.length = 0;
    await this.clock.advance(PASS_MS);
    return [...this.asked];
  }
}

describe("a lease", () => {
  test("gives three signs of life in each lease, from the beginning on, until it is closed", async () => {
    const shared = new Shared();
    await shared.lease.begin();
    expect(shared.asked).toEqual(["heartbeat", "others"]);
    expect(await shared.pass()).toEqual(["heartbeat", "others"]);
    await shared.clock.advance(PASS_MS - 1);
    expect(shared.asked).toEqual(["heartbeat", "others"]);
    shared.lease.close();
    expect(await shared.pass()).toEqual([]);
    expect(shared.clock.nextAt).toBeUndefined();
  });

  test("takes over journals that no process has, and leaves those of the living alone", async () => {
    const shared = new Shared();
    shared.journals = [journal("living", false), journal("dead", true)];
    await shared.lease.begin();
    expect(shared.asked).toEqual(["heartbeat", "others", "seize dead", "take over dead"]);
    expect(await shared.pass()).toEqual(["heartbeat", "others"]);
  });

  test("D9 leaves a free one alone that has nothing for it, and takes it once it has", async () => {
    const shared = new Shared();
    shared.journals = [journal("foreign", true), journal("dead", true)];
    shared.unwanted.add("foreign");
    await shared.lease.begin();
    expect(shared.asked).toEqual(["heartbeat", "others", "seize dead", "take over dead"]);
    shared.unwanted.clear();
    expect(await shared.pass()).toContain("take over foreign");
  });

  test("gives signs of life while a takeover takes its time, and begins no other meanwhile", async () => {
    const shared = new Shared();
    shared.journals = [journal("dead", true), journal("dead too", true)];
    let taken = (): void => {};
    const slow = new Promise<void>((resolve) => (taken = resolve));
    shared.slow = slow;
    await shared.lease.keep();
    const begun = shared.lease.begin();
    await shared.clock.advance(0);
    expect(await shared.pass()).toEqual(["heartbeat"]);
    expect(await shared.pass()).toEqual(["heartbeat"]);
    taken();
    await begun;
    expect(shared.asked).toContain("take over dead too");
  });

  test("takes over four in a pass at most", async () => {
    const shared = new Shared();
    shared.journals = Array.from({ length: 10 }, (_, index) => journal(`j${index}`, true));
    await shared.lease.begin();
    const takenIn = (asked: readonly string[]): number => asked.filter((each) => each.startsWith("take over")).length;
    expect(takenIn(shared.asked)).toBe(4);
    expect([takenIn(await shared.pass()), takenIn(await shared.pass()), takenIn(await shared.pass())]).toEqual([
      4, 2, 0,
    ]);
  });

  test.each(["heartbeat", "others", "seize dead", "take over dead"])(
    "tells of a pass in which %s fails, and goes on with the next",
    async (what) => {
      const shared = new Shared();
      shared.journals = [journal("dead", true)];
      shared.fails.set(what, new Error("the database is away"));
      await shared.lease.begin();
      expect(shared.failures).toEqual([new Error("the database is away")]);
      shared.fails.clear();
      const asked = await shared.pass();
      expect(asked).toContain("take over dead");
      expect(shared.failures).toHaveLength(1);
      // Seized once: it is tried again with the same journal.
      if (what === "take over dead") expect(asked).not.toContain("seize dead");
    },
  );

  test("passes over one that another process was first to seize", async () => {
    const shared = new Shared();
    shared.journals = [journal("gone", true)];
    shared.seize = async () => undefined;
    await shared.lease.begin();
    expect(shared.asked).toEqual(["heartbeat", "others"]);
  });

  test("says once that its own was taken by another, and asks nothing more", async () => {
    const shared = new Shared();
    await shared.lease.begin();
    const taken = new StoreLockedError("errand", "process 7", 7);
    shared.fails.set("heartbeat", taken);
    await shared.pass();
    expect(shared.lost).toBe(taken);
    expect(shared.failures).toEqual([]);
    expect(await shared.pass()).toEqual([]);
  });
});
