// The file store on a disk that fails, is full, is slow, or is removed; and its journal while it grows and is
// compacted.
import fs from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import path from "node:path";
import { isErrandError } from "errand";
import { describe, expect, onTestFinished, test } from "vitest";
import { FileStore } from "../../../lib/stores/file/file-store.js";
import { segmentAt } from "../../../lib/stores/file/segment.js";
import { fileStore, verifyJournal } from "../../../lib/stores/file.js";
import { FaultyDisk, once, systemError } from "../../support/faulty-disk.js";
import { eventsOf, filesIn, note, notes, pictureOf, place, WRITER } from "../../support/place.js";

const SEGMENT_BYTES = 4096;
const LONG = "x".repeat(SEGMENT_BYTES);

interface Opened {
  readonly directory: string;
  readonly disk: FaultyDisk;
  readonly store: FileStore;
}

async function opened(): Promise<Opened> {
  const directory = path.join(await place(), "journal");
  const disk = new FaultyDisk();
  const store = new FileStore(directory, disk, SEGMENT_BYTES);
  await store.open(WRITER);
  await store.append(notes(1, 3));
  return { directory, disk, store };
}

/** Asserts that a process killed now would leave these events, and that a store can continue them. */
async function leaves(directory: string, last: number): Promise<void> {
  const picture = await pictureOf(directory);
  const store = fileStore(picture);
  expect((await store.open(WRITER)).nextSeq).toBe(last + 1);
  const { snapshot } = await store.peek();
  expect(await eventsOf(store)).toEqual(snapshot === undefined ? notes(1, last) : expect.anything());
  await store.append(notes(last + 1, last + 1));
  await store.close();
  expect(await verifyJournal(picture)).toMatchObject({ ok: true, lastSeq: last + 1 });
}

describe("an append that the disk refuses", () => {
  test.each<[what: string, fault: () => FaultyDisk["fault"]]>([
    ["ENOSPC at once", () => once("write", /^events/, "ENOSPC")],
    [
      "ENOSPC after a part of it",
      () => {
        let writes = 0;
        return ({ what, file }) => {
          if (what !== "write" || !file.startsWith("events")) return undefined;
          if (++writes === 2) throw systemError("ENOSPC");
          return writes === 1 ? 100 : undefined;
        };
      },
    ],
    [
      "not one byte more after a part of it",
      () => {
        let writes = 0;
        return ({ what, file }) =>
          what === "write" && file.startsWith("events") && ++writes <= 2 ? 50 * (2 - writes) : undefined;
      },
    ],
    ["EIO at its fdatasync", () => once("sync", /^events/, "EIO")],
  ])("with %s keeps nothing of it, and the next one goes on (D5)", async (_what, fault) => {
    const { directory, disk, store } = await opened();
    disk.fault = fault();
    await expect(store.append(notes(4, 5))).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
      needsSnapshot: false,
      cause: expect.any(Error),
    });
    await leaves(directory, 3);
    await store.append(notes(4, 6));
    await leaves(directory, 6);
    await store.close();
    expect(await eventsOf(store)).toEqual(notes(1, 6));
    expect(disk.openFiles).toBe(0);
  });

  test("that will not even be cut off is left torn, and is cut off before the next one", async () => {
    const { directory, disk, store } = await opened();
    disk.fault = ({ what, file }) => {
      if (what === "sync" && file.startsWith("events")) throw systemError("EIO");
      if (what === "truncate") throw systemError("EIO");
      return what === "write" && file.startsWith("events") ? 40 : undefined;
    };
    for (let again = 0; again < 3; again++) {
      await expect(store.append(notes(4, 5))).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    }
    disk.fault = () => undefined;
    await store.append(notes(4, 4));
    await leaves(directory, 4);
    await store.close();
  });

  test("when a segment is begun leaves none, and the next one begins it", async () => {
    for (const fault of [
      once("open", /^events/, "EMFILE"),
      once("write", /^events/, "ENOSPC"),
      once("sync", /^events/, "EIO"),
      once("syncDirectory", /./, "EIO"),
    ]) {
      const { directory, disk, store } = await opened();
      await store.append([note(4, LONG)]);
      disk.fault = fault;
      await expect(store.append(notes(5, 5))).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
      expect((await filesIn(directory)).length).toBe(1);
      await store.append(notes(5, 6));
      await store.close();
      expect(await filesIn(directory)).toEqual([1, 5].map((seq) => path.basename(segmentAt(directory, seq).file)));
      expect((await verifyJournal(directory)).lastSeq).toBe(6);
      expect(disk.openFiles).toBe(0);
    }
  });

  test("tells what the disk said", async () => {
    const { disk, store } = await opened();
    disk.fault = once("write", /^events/, "ENOSPC");
    const error: unknown = await store.append(notes(4, 4)).catch((why: unknown) => why);
    expect(isErrandError(error, "STORE_UNAVAILABLE") && error.cause).toMatchObject({ code: "ENOSPC" });
    expect(String(error)).toContain("ENOSPC");
    await store.close();
  });
});

describe("a write that takes a part of what it is given", () => {
  test("is gone on with until all of it is written", async () => {
    const { directory, disk, store } = await opened();
    disk.fault = ({ what }) => (what === "write" ? 7 : undefined);
    await store.append(notes(4, 6));
    await store.compact({ tasks: [1, 2] }, 3);
    await store.putOutput("a", "output");
    expect(await store.getOutput("a")).toBe("output");
    await store.close();
    expect(await verifyJournal(directory)).toMatchObject({ ok: true, lastSeq: 6, snapshotSeq: 3, outputs: 1 });
  });
});

describe("a directory that is deleted under its writer", () => {
  test.each<[what: string, remove: (directory: string) => Promise<void>]>([
    ["as a whole", (directory) => rm(directory, { recursive: true })],
    ["as to its segment", (directory) => rm(segmentAt(directory, 1).file)],
    [
      "and made again, empty",
      async (directory) => {
        await rm(directory, { recursive: true });
        await mkdir(directory);
      },
    ],
  ])("%s wants a snapshot, and then all is made anew (D5)", async (_what, remove) => {
    const { directory, disk, store } = await opened();
    await store.compact("before", 2);
    await remove(directory);
    const lost = { code: "STORE_UNAVAILABLE", needsSnapshot: true };
    await expect(store.append(notes(4, 5))).rejects.toMatchObject(lost);
    await expect(store.append(notes(4, 5))).rejects.toMatchObject(lost);
    await store.compact({ at: 5 }, 5);
    await store.append(notes(4, 7));
    await store.putOutput("a", 1);
    await expect(fileStore(directory).open(WRITER)).rejects.toMatchObject({ code: "STORE_LOCKED" });
    expect(await eventsOf(store)).toEqual(notes(4, 7));
    await store.close();
    expect(await fileStore(directory).peek()).toEqual({ nextSeq: 8, snapshot: { at: 5 } });
    expect(disk.openFiles).toBe(0);
  });

  test("is noticed by a compaction too, and by a segment that is to begin", async () => {
    const { directory, store } = await opened();
    await rm(directory, { recursive: true });
    await store.compact({ at: 3 }, 3);
    await store.append([note(4, LONG)]);
    await rm(directory, { recursive: true });
    await expect(store.append(notes(5, 5))).rejects.toMatchObject({ needsSnapshot: true });
    await store.compact({ at: 5 }, 5);
    await store.append(notes(6, 6));
    await store.close();
    expect(await verifyJournal(directory)).toMatchObject({ ok: true, firstSeq: 6, lastSeq: 6, snapshotSeq: 5 });
  });
});

describe("a directory that is not there", () => {
  test("is made by open, with those above it; a reader gets its path", async () => {
    const directory = path.join(await place(), "a", "b", "c");
    const store = fileStore(directory);
    const absent = { code: "STORE_UNAVAILABLE", message: expect.stringContaining(directory) };
    await expect(store.peek()).rejects.toMatchObject(absent);
    await expect(eventsOf(store)).rejects.toMatchObject(absent);
    await expect(verifyJournal(directory)).rejects.toMatchObject(absent);
    expect(await store.open(WRITER)).toEqual({ nextSeq: 1 });
    await store.close();
    expect(await store.peek()).toEqual({ nextSeq: 1 });
  });
});

describe("a journal that grows", () => {
  test("begins a segment when one is long, and is read across them", async () => {
    const { directory, store } = await opened();
    for (let seq = 4; seq <= 8; seq++) await store.append([note(seq, LONG)]);
    expect((await filesIn(directory)).length).toBe(5);
    expect((await eventsOf(store)).map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    for (let from = 1; from <= 8; from++) expect((await eventsOf(store, { from }))[0]?.seq).toBe(from);
    await store.close();
  });

  test("loses the segments that the snapshot before the newest stands for", async () => {
    const { directory, store } = await opened();
    for (let seq = 4; seq <= 8; seq++) await store.append([note(seq, LONG)]);
    await store.compact("five", 5);
    expect((await eventsOf(store))[0]?.seq).toBe(1);
    await store.compact("seven", 7);
    expect((await eventsOf(store))[0]?.seq).toBe(6);
    await expect(eventsOf(store, { from: 5 })).rejects.toMatchObject({ code: "EVENTS_COMPACTED", oldest: 6 });
    await store.compact("eight", 8);
    await store.compact("eight", 8);
    // The newest segment stays.
    expect((await eventsOf(store))[0]?.seq).toBe(8);
    await store.append(notes(9, 9));
    await store.close();
    expect(await verifyJournal(directory)).toMatchObject({ ok: true, firstSeq: 8, lastSeq: 9, snapshotSeq: 8 });
  });
});

describe("a compaction that the disk refuses", () => {
  test.each([
    once("open", /^snapshot/, "EMFILE"),
    once("write", /^snapshot/, "ENOSPC"),
    once("sync", /^snapshot/, "EIO"),
    once("rename", /^snapshot/, "EIO"),
  ])("leaves the old snapshot, and no other file (D6)", async (fault) => {
    const { directory, disk, store } = await opened();
    await store.compact("old", 1);
    const files = await filesIn(directory);
    disk.fault = fault;
    await expect(store.compact("new", 3)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE", needsSnapshot: false });
    expect(await filesIn(directory)).toEqual(files);
    expect((await store.peek()).snapshot).toBe("old");
    await store.append(notes(4, 4));
    await store.compact("new", 4);
    await store.close();
    expect(await store.peek()).toEqual({ nextSeq: 5, snapshot: "new" });
    expect(disk.openFiles).toBe(0);
  });

  test("holds up no append", async () => {
    const { disk, store } = await opened();
    let go = (): void => undefined;
    const gate = new Promise<undefined>((resolve) => (go = () => resolve(undefined)));
    disk.fault = ({ what, file }) => (what === "sync" && file.startsWith("snapshot") ? gate : undefined);
    const compacted = store.compact("slow", 3);
    await store.append(notes(4, 5));
    expect(await eventsOf(store)).toEqual(notes(1, 5));
    go();
    await compacted;
    expect(await store.peek()).toEqual({ nextSeq: 6, snapshot: "slow" });
    await store.close();
  });
});

describe("a snapshot of long lists", () => {
  test("is written in pieces, between which the loop goes on", async () => {
    const { disk, store } = await opened();
    const tasks = Array.from({ length: 5_000 }, (_, index) => ({ id: `task_${index}`, text: "x".repeat(100) }));
    await store.compact({ tasks, counts: [1, 2] }, 3);
    expect(
      disk.asked.filter(({ what, file }) => what === "write" && file.startsWith("snapshot")).length,
    ).toBeGreaterThan(8);
    expect((await store.peek()).snapshot).toEqual({ tasks, counts: [1, 2] });
    await store.close();
  });
});

describe("a reader", () => {
  test("beside a writer that is half-way through a batch is at the end, and goes on behind it later (D3)", async () => {
    const { directory, disk, store } = await opened();
    let go = (): void => undefined;
    const gate = new Promise<undefined>((resolve) => (go = () => resolve(undefined)));
    let writes = 0;
    disk.fault = ({ what, file }) => {
      if (what !== "write" || !file.startsWith("events")) return undefined;
      return ++writes === 1 ? 60 : gate;
    };
    const appended = store.append(notes(4, 6));
    const other = fileStore(directory);
    while (writes < 2) await eventsOf(other);
    expect(await eventsOf(other)).toEqual(notes(1, 3));
    // A living writer holds the lock, so this is not a torn tail.
    expect(await other.peek()).toEqual({ nextSeq: 4 });
    go();
    await appended;
    expect(await eventsOf(other)).toEqual(notes(1, 6));
    await store.close();
  });

  test("goes on into a segment that is begun while it reads", async () => {
    const { directory, store } = await opened();
    const seen: number[] = [];
    for await (const { seq } of fileStore(directory).read()) {
      seen.push(seq);
      if (seq < 8) await store.append([note(seq + 3, LONG)]);
    }
    expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    await store.close();
  });

  test("past what is compacted goes on, and before it gets the oldest", async () => {
    for (const from of [1, 5]) {
      const { directory, store } = await opened();
      for (let seq = 4; seq <= 8; seq++) await store.append([note(seq, LONG)]);
      const seen: number[] = [];
      const read = async (): Promise<void> => {
        for await (const { seq } of fileStore(directory).read({ from })) {
          seen.push(seq);
          if (seq !== from) continue;
          await store.compact("five", 5);
          await store.compact("eight", 8);
        }
      };
      if (from === 5) {
        await read();
        expect(seen).toEqual([5, 6, 7, 8]);
      } else {
        await expect(read()).rejects.toMatchObject({ code: "EVENTS_COMPACTED", oldest: 6 });
        expect(seen).toEqual([1, 2, 3, 4]);
      }
      await store.close();
    }
  });

  test("that has read the half of one batch and the half of another looks again", async () => {
    const { directory, store } = await opened();
    await store.close();
    const { file } = segmentAt(directory, 1);
    const whole = await readFile(file);
    await writeFile(file, whole.toString().replace('"page":2', '"page":7'));
    const looking = new FaultyDisk();
    let reads = 0;
    looking.fault = async ({ what }) => {
      // The reads are: the batch, the end of the file, and the batch again.
      if (what === "read" && ++reads === 3) await writeFile(file, whole);
      return undefined;
    };
    expect(await new FileStore(directory, looking).peek()).toEqual({ nextSeq: 4 });
    expect(reads).toBeGreaterThan(3);
  });

  test("that has read a batch which the disk then refuses goes on behind it once it is written again", async () => {
    const { directory, disk, store } = await opened();
    let refuse = (): void => undefined;
    const gate = new Promise<undefined>((_resolve, reject) => (refuse = () => reject(systemError("EIO"))));
    disk.fault = ({ what, file }) => (what === "sync" && file.startsWith("events") ? gate : undefined);
    const refused = store.append(notes(4, 5));
    const seen: number[] = [];
    for await (const { seq } of fileStore(directory).read()) {
      seen.push(seq);
      if (seq !== 5) continue;
      refuse();
      await expect(refused).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
      disk.fault = () => undefined;
      await store.append(notes(4, 7));
    }
    expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7]);
    await store.close();
  });

  test("without a beginning of its own starts at the oldest kept, also when that goes just then", async () => {
    const { directory, store } = await opened();
    for (let seq = 4; seq <= 8; seq++) await store.append([note(seq, LONG)]);
    await store.compact("seven", 7);
    const looking = new FaultyDisk();
    looking.fault = async ({ what }) => {
      if (what === "open") await store.compact("seven", 7);
      return undefined;
    };
    expect((await eventsOf(new FileStore(directory, looking))).map(({ seq }) => seq)).toEqual([8]);
    await store.close();
  });

  test("that is left half-way leaves no file open", async () => {
    const { disk, store } = await opened();
    for await (const { seq } of store.read()) if (seq === 2) break;
    await store.close();
    expect(disk.openFiles).toBe(0);
  });
});

describe("what a crash has left", () => {
  test("of an output that was being written goes at the next open", async () => {
    const { directory, store } = await opened();
    await store.putOutput("a", 1);
    await store.close();
    await writeFile(path.join(directory, "results", "a.json.7.tmp"), "{");
    const again = fileStore(directory);
    await again.open(WRITER);
    await again.close();
    expect(await readdir(path.join(directory, "results"))).toEqual(["a.json"]);
  });

  test("is named by open: file, line, byte and length", async () => {
    const { directory, store } = await opened();
    await store.close();
    const { file } = segmentAt(directory, 1);
    const whole = await readFile(file);
    await writeFile(file, Buffer.concat([whole, Buffer.from('{"type":"custom","seq":4')]));
    expect(await fileStore(directory).peek()).toEqual({
      nextSeq: 4,
      torn: { file, line: 5, byte: whole.length, bytes: 24 },
    });
    expect((await verifyJournal(directory)).torn).toEqual({ file, line: 5, byte: whole.length, bytes: 24 });
  });
});

test("a store opens where a FileHandle cannot sync, as under Yarn Plug'n'Play", async () => {
  const { open } = fs.promises;
  onTestFinished(() => {
    fs.promises.open = open;
    syncBuiltinESMExports();
  });
  fs.promises.open = async () => {
    throw new Error("Method not implemented.");
  };
  syncBuiltinESMExports();
  const directory = `${await place()}/above/store`;
  const store = fileStore(directory);
  await store.open(WRITER);
  await store.append(notes(1, 2));
  await store.compact({ at: 2 }, 2);
  await store.putOutput("a", "long");
  await store.close();
  expect(await verifyJournal(directory)).toMatchObject({ ok: true, lastSeq: 2, outputs: 1 });
});
