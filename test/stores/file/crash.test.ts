// Crashes at every step: a program of appends, compactions and outputs runs on a disk in memory. A kill or a power
// failure stops it before each operation of the disk. The store that is left opens, has all that was confirmed, and has
// nothing that was not given.
import path from "node:path";
import type { Json } from "errand";
import { describe, expect, test } from "vitest";
import type { Disk } from "../../../lib/stores/file/disk.js";
import { FileStore } from "../../../lib/stores/file/file-store.js";
import { verify } from "../../../lib/stores/file/verify.js";
import { seeded } from "../../../lib/testing/seeded.js";
import { MemoryDisk } from "../../support/memory-disk.js";
import { eventsOf, note, notes, WRITER } from "../../support/place.js";

const DIRECTORY = path.resolve("journal");
/** The size of a segment in bytes, and a text of that size. */
const SEGMENT_BYTES = 4096;
const LONG = "x".repeat(SEGMENT_BYTES);

/** The confirmations that the program received. */
interface Told {
  /** The last event whose append began, and the last whose append resolved. */
  given: number;
  durable: number;
  snapshots: number[];
  durableSnapshot: number;
  outputs: Map<string, Json>;
}

async function program(disk: Disk, told: Told): Promise<void> {
  const store = new FileStore(DIRECTORY, disk, SEGMENT_BYTES);
  const append = async (count: number, payload?: Json): Promise<void> => {
    const first = told.durable + 1;
    told.given = told.durable + count;
    const events = notes(first, told.given);
    await store.append(payload === undefined ? events : events.map(({ seq }) => note(seq, payload)));
    told.durable = told.given;
  };
  const compact = async (seq: number): Promise<void> => {
    told.snapshots.push(seq);
    await store.compact({ seq, list: [seq, "x".repeat(700)] }, seq);
    told.durableSnapshot = seq;
  };
  await store.open(WRITER);
  await append(1);
  await append(30);
  await compact(20);
  await store.putOutput("a", "x".repeat(600));
  told.outputs.set("a", "x".repeat(600));
  await append(1, LONG);
  await append(3);
  await compact(32);
  await append(1, LONG);
  await append(2);
  // This compaction deletes the first segment.
  await compact(told.durable);
  await append(1);
  await store.close();
}

/** Stops the program before its `step`th operation: that operation never settles. */
function stoppedAt(disk: MemoryDisk, step: number, stop: () => void): Disk {
  let asked = 0;
  const stopping = (): Promise<never> | undefined => {
    if (asked++ < step) return undefined;
    if (asked === step + 1) stop();
    return new Promise(() => undefined);
  };
  return new Proxy<Disk>(disk, {
    get(target, name: keyof Disk) {
      if (name === "links" || name === "idOf" || name === "idAt") return target[name];
      const operation = target[name] as (...operands: unknown[]) => Promise<unknown>;
      return async (...operands: unknown[]) => {
        await stopping();
        return operation(...operands);
      };
    },
  });
}

/** Returns the disk at `step` and the confirmations until then; `undefined` if the program ended before. */
async function runTo(step: number): Promise<{ disk: MemoryDisk; told: Told } | undefined> {
  const disk = new MemoryDisk();
  const told: Told = { given: 0, durable: 0, snapshots: [], durableSnapshot: 0, outputs: new Map() };
  const isStopped = await new Promise<boolean>((resolve, reject) => {
    const stopped = stoppedAt(disk, step, () => resolve(true));
    program(stopped, told).then(() => resolve(false), reject);
  });
  return isStopped ? { disk, told } : undefined;
}

async function checkLeft(disk: MemoryDisk, told: Told): Promise<void> {
  const store = new FileStore(DIRECTORY, disk, SEGMENT_BYTES);
  const { nextSeq, snapshot } = await store.open(WRITER);
  const last = nextSeq - 1;
  expect([told.durable, told.given]).toContain(last);
  const seq = snapshot === undefined ? 0 : (snapshot as { seq: number }).seq;
  expect([told.durableSnapshot, told.snapshots.at(-1) ?? 0]).toContain(seq);
  const events = await eventsOf(store, { from: seq + 1 });
  expect(events.map((event) => event.seq)).toEqual(notes(seq + 1, last).map((event) => event.seq));
  for (const [id, output] of told.outputs) expect(await store.getOutput(id)).toBe(output);
  await store.append(notes(nextSeq, nextSeq));
  expect((await eventsOf(store)).at(-1)).toEqual(note(nextSeq));
  await store.close();
  const verified = await verify(disk, DIRECTORY);
  expect(verified).toMatchObject({ ok: true, lastSeq: nextSeq });
  expect(verified.torn).toBeUndefined();
}

describe("a store whose process was stopped before any operation of its disk", () => {
  test("has all that was reported, killed or without power (D2, D6)", async () => {
    const random = seeded(1);
    let step = 0;
    for (; ; step++) {
      const at = await runTo(step);
      if (at === undefined) break;
      await checkLeft(at.disk.afterKill(), at.told);
      for (let cut = 0; cut < 6; cut++) await checkLeft(at.disk.afterPowerCut(random), at.told);
    }
    expect(step).toBeGreaterThan(60);
  });
});
