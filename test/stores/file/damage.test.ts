// Damage: what a crash, a power failure or a bad disk does to each byte of a journal.
//
// The journal is small: two segments, batches of one, two and three events, a snapshot, two outputs. A read gives the
// exact events, or the whole batches before a torn end, or JournalCorruptError. A read never gives another event and
// never skips one.
import path from "node:path";
import { isErrandError, type TaskEvent } from "errand";
import { beforeEach, describe, expect, test } from "vitest";
import { FileStore } from "../../../lib/stores/file/file-store.js";
import { findEnd } from "../../../lib/stores/file/journal-end.js";
import { segmentAt } from "../../../lib/stores/file/segment.js";
import { verify } from "../../../lib/stores/file/verify.js";
import { MemoryDisk } from "../../support/memory-disk.js";
import { eventsOf, note, notes, WRITER } from "../../support/place.js";

const SNAPSHOT = { tasks: [{ id: "a" }, "ä"], count: 1 };
const DIRECTORY = path.resolve("journal");
const FIRST = segmentAt(DIRECTORY, 1).file;
const SECOND = segmentAt(DIRECTORY, 5).file;
const SNAPSHOT_FILE = path.join(DIRECTORY, "snapshot.json");
const OUTPUT_FILE = path.join(DIRECTORY, "results", "a.json");

/** The `seq` of each batch's last event in the second segment; 4 is the end of the first segment. */
const ENDS = [4, 5, 7, 10];

let disk: MemoryDisk;
let original: ReadonlyMap<string, Buffer>;

beforeEach(async () => {
  disk = new MemoryDisk();
  const before = new FileStore(DIRECTORY, disk);
  await before.open(WRITER);
  await before.append([note(1), note(2, "ä\u2028")]);
  await before.append(notes(3, 3));
  await before.append(notes(4, 4));
  await before.compact(SNAPSHOT, 2);
  await before.putOutput("a", { long: "x".repeat(30) });
  await before.close();
  disk.set(SECOND, await segmentFrom(4, [notes(5, 5), [note(6), NOTE_7], notes(8, 10)]));
  original = new Map(disk.files().map((file) => [file, disk.get(file)]));
});

/** The first segment of a journal whose snapshot covers the events before it. */
async function segmentFrom(snapshotSeq: number, batches: readonly TaskEvent[][]): Promise<Buffer> {
  const other = new MemoryDisk();
  const store = new FileStore(DIRECTORY, other);
  await store.open(WRITER);
  await store.compact("before", snapshotSeq);
  for (const batch of batches) await store.append(batch);
  await store.close();
  return other.get(segmentAt(DIRECTORY, snapshotSeq + 1).file);
}

function cut(file: string, length: number): void {
  disk.set(file, bytesOf(file).subarray(0, length));
}

function store(): FileStore {
  return new FileStore(DIRECTORY, disk);
}

/** A text that looks like a line of the store itself. */
const NOTE_7 = note(7, { text: ',"crc":"00000000"}', crc: "00000000" });
const ALL: readonly TaskEvent[] = [note(1), note(2, "ä\u2028"), ...notes(3, 6), NOTE_7, ...notes(8, 10)];

function bytesOf(file: string): Buffer {
  return original.get(file) ?? Buffer.alloc(0);
}

type Seen = { events: TaskEvent[]; error?: { file: string; line: number; byte: number } };

async function read(): Promise<Seen> {
  const events: TaskEvent[] = [];
  try {
    for await (const event of store().read()) events.push(event);
    return { events };
  } catch (error) {
    if (!isErrandError(error, "JOURNAL_CORRUPT")) throw error;
    return { events, error: { file: error.file, line: error.line, byte: error.byte } };
  }
}

/** Returns the offset at which the line of `byte` begins, and its number. */
function lineAt(file: string, byte: number): { line: number; byte: number } {
  const before = bytesOf(file).subarray(0, byte).toString("latin1");
  return { line: before.split("\n").length, byte: before.lastIndexOf("\n") + 1 };
}

describe("a journal that is whole", () => {
  test("is read, and verified", async () => {
    expect(await read()).toEqual({ events: ALL });
    expect(await verify(disk, DIRECTORY)).toEqual({
      ok: true,
      segments: [
        {
          file: FIRST,
          firstSeq: 1,
          lastSeq: 4,
          batches: 3,
          events: 4,
          bytes: bytesOf(FIRST).length,
        },
        {
          file: SECOND,
          firstSeq: 5,
          lastSeq: 10,
          batches: 3,
          events: 6,
          bytes: bytesOf(SECOND).length,
        },
      ],
      snapshotSeq: 2,
      firstSeq: 1,
      lastSeq: 10,
      events: 10,
      bytes: bytesOf(FIRST).length + bytesOf(SECOND).length,
      outputs: 1,
      lostOutputs: [],
    });
  });

  test("is one JSON object a line, whose first and last of a batch say one thing more", () => {
    const lines = bytesOf(SECOND).toString().trimEnd().split("\n");
    const objects = lines.map((line): unknown => JSON.parse(line));
    expect(objects[0]).toEqual({
      errand: "journal",
      version: 1,
      firstSeq: 5,
      crc: expect.stringMatching(/^[0-9a-f]{8}$/),
    });
    expect(objects[1]).toEqual({ ...note(5), batch: 1, crc: expect.any(String) });
    expect(objects.slice(-3)).toEqual([{ ...note(8), batch: 3 }, note(9), { ...note(10), crc: expect.any(String) }]);
  });
});

describe("a journal cut off at any byte", () => {
  test("of its newest segment has the whole batches before it, and the rest is torn", async () => {
    const ends = batchEnds(SECOND);
    for (let length = bytesOf(SECOND).length; length >= 0; length--) {
      cut(SECOND, length);
      const batches = ends.filter((end) => end <= length).length;
      const { events, error } = await read();
      expect(error).toBeUndefined();
      expect(events).toEqual(ALL.slice(0, ENDS[Math.max(0, batches - 1)]));
      const begin = ends[batches - 1] ?? 0;
      const torn = { file: SECOND, ...lineAt(SECOND, begin), bytes: length - begin };
      const end = await findEnd(disk, DIRECTORY);
      expect(end.lastSeq).toBe(events.length);
      expect(end.torn).toEqual(length === begin && batches > 0 ? undefined : torn);
      expect(await verify(disk, DIRECTORY)).toMatchObject({ ok: true, events: events.length });
    }
  });

  test("of an older segment is broken there", async () => {
    const ends = batchEnds(FIRST);
    for (let length = bytesOf(FIRST).length - 1; length >= 0; length--) {
      cut(FIRST, length);
      const { events, error } = await read();
      const batches = ends.filter((end) => end <= length).length;
      expect(events).toEqual(ALL.slice(0, [0, 0, 2, 3, 4][batches]));
      // Between two batches, the error is that the next segment does not follow.
      if (ends.includes(length)) expect(error).toEqual({ file: SECOND, line: 1, byte: 0 });
      else expect(error).toEqual({ file: FIRST, ...lineAt(FIRST, ends[batches - 1] ?? 0) });
      expect(await verify(disk, DIRECTORY)).toMatchObject({ ok: false, broken: error });
    }
  });

  test("is opened, touched by nothing but the first append, and goes on there", async () => {
    const ends = batchEnds(SECOND);
    for (let length = bytesOf(SECOND).length - 1; length >= 0; length--) {
      disk.set(FIRST, bytesOf(FIRST));
      cut(SECOND, length);
      const opened = store();
      const { nextSeq } = await opened.open(WRITER);
      expect(nextSeq).toBe((ENDS[ends.filter((end) => end <= length).length - 1] ?? 4) + 1);
      await opened.peek();
      await eventsOf(opened);
      expect(disk.get(SECOND).length).toBe(length);
      await opened.append(notes(nextSeq, 12));
      await opened.close();
      expect(await eventsOf(store())).toEqual([...ALL.slice(0, nextSeq - 1), ...notes(nextSeq, 12)]);
      const verified = await verify(disk, DIRECTORY);
      expect(verified).toMatchObject({ ok: true, lastSeq: 12 });
      expect(verified.torn).toBeUndefined();
    }
  });

  test("and whose rest is zeros, as a power cut leaves it, is torn there", async () => {
    const ends = batchEnds(SECOND);
    for (let length = 0; length <= bytesOf(SECOND).length; length++) {
      disk.set(SECOND, Buffer.concat([bytesOf(SECOND).subarray(0, length), Buffer.alloc(4096)]));
      const batches = ends.filter((end) => end <= length).length;
      expect(await read()).toEqual({ events: ALL.slice(0, ENDS[Math.max(0, batches - 1)]) });
    }
  });
});

describe("a batch of many sectors", () => {
  test("of which a power cut has left any out is torn, and so is one without its end", async () => {
    cut(SECOND, batchEnds(SECOND)[1] ?? 0);
    const begin = disk.get(SECOND).length;
    const opened = store();
    await opened.open(WRITER);
    await opened.append([note(6, "x".repeat(1500)), note(7, "y".repeat(1500))]);
    await opened.close();
    const whole = disk.get(SECOND);
    for (let sector = Math.floor(begin / 512); sector * 512 < whole.length; sector++) {
      const damaged = Buffer.from(whole);
      damaged.fill(0, Math.max(begin, sector * 512), Math.min(whole.length, (sector + 1) * 512));
      for (const bytes of [damaged, damaged.subarray(0, -5)]) {
        disk.set(SECOND, bytes);
        expect(await read()).toEqual({ events: ALL.slice(0, 5) });
        expect((await store().peek()).torn).toEqual({
          file: SECOND,
          line: 3,
          byte: begin,
          bytes: bytes.length - begin,
        });
      }
    }
  });
});

describe("a changed byte", () => {
  const changes: readonly ((byte: number) => number)[] = [
    (byte) => byte ^ 1,
    (byte) => byte ^ 0x80,
    (byte) => (byte === 0x0a ? 0x20 : 0x0a),
    (byte) => (byte === 0x7d ? 0x2c : 0x7d),
  ];

  test.each([
    ["an older segment", FIRST],
    ["the newest segment", SECOND],
  ])("anywhere in %s is found, and where it is", async (_which, file) => {
    const whole = bytesOf(file);
    const begins = [0, ...batchEnds(file)];
    const lasts = file === FIRST ? [0, 0, 2, 3, 4] : [4, ...ENDS];
    for (let at = 0; at < whole.length; at++) {
      const batch = begins.filter((begin) => begin <= at).length - 1;
      for (const change of at % 2 === 0 ? changes.slice(0, 2) : changes.slice(1)) {
        const damaged = Buffer.from(whole);
        damaged[at] = change(whole[at] ?? 0);
        disk.set(file, damaged);
        const { events, error } = await read();
        expect(events).toEqual(ALL.slice(0, lasts[batch]));
        // The error names the changed line, or the first line of its batch if the changed line could still be right.
        expect(error?.file).toBe(file);
        expect([lineAt(file, begins[batch] ?? 0), lineAt(file, at)]).toContainEqual({
          line: error?.line,
          byte: error?.byte,
        });
      }
    }
  });

  test("in the newest segment stops open, which touches nothing", async () => {
    const whole = bytesOf(SECOND);
    for (let at = 0; at < whole.length; at += 7) {
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ 4;
      disk.set(SECOND, damaged);
      await expect(store().open(WRITER)).rejects.toMatchObject({ code: "JOURNAL_CORRUPT" });
      await expect(store().peek()).rejects.toMatchObject({ code: "JOURNAL_CORRUPT" });
      expect(disk.get(SECOND)).toEqual(damaged);
    }
    expect(disk.files()).toEqual([...original.keys()]);
  });

  test("anywhere in the snapshot is found, and so is a missing end, where the journal is not there from its beginning (D2)", async () => {
    const whole = bytesOf(SNAPSHOT_FILE);
    await disk.remove(FIRST);
    disk.set(segmentAt(DIRECTORY, 3).file, await segmentFrom(2, [notes(3, 4)]));
    const corrupt = { code: "JOURNAL_CORRUPT", file: SNAPSHOT_FILE, line: 1, byte: 0 };
    for (let at = 0; at < whole.length; at++) {
      for (const change of changes) {
        const damaged = Buffer.from(whole);
        damaged[at] = change(whole[at] ?? 0);
        disk.set(SNAPSHOT_FILE, damaged);
        await expect(store().peek()).rejects.toMatchObject(corrupt);
      }
      cut(SNAPSHOT_FILE, at);
      await expect(store().peek()).rejects.toMatchObject(corrupt);
    }
    disk.set(SNAPSHOT_FILE, whole);
    expect((await store().peek()).snapshot).toEqual(SNAPSHOT);
  });

  test("in a snapshot costs nothing while the journal is there from its beginning (D2)", async () => {
    const whole = bytesOf(SNAPSHOT_FILE);
    for (const damaged of [Buffer.alloc(0), Buffer.from("x"), whole.subarray(0, 40), whole.subarray(0, -1)]) {
      disk.set(SNAPSHOT_FILE, damaged);
      const brokenSnapshot = { file: SNAPSHOT_FILE, why: expect.any(String) };
      expect(await store().peek()).toEqual({ nextSeq: 11, brokenSnapshot });
      expect(await read()).toEqual({ events: ALL });
      expect(await verify(disk, DIRECTORY)).toMatchObject({ ok: false, brokenSnapshot, lastSeq: 10 });
    }
    const writer = store();
    await writer.open(WRITER);
    await writer.append(notes(11, 11));
    await writer.compact("new", 11);
    await writer.close();
    expect(await store().peek()).toEqual({ nextSeq: 12, snapshot: "new" });
    expect((await verify(disk, DIRECTORY)).ok).toBe(true);
  });

  test("anywhere in an output is found", async () => {
    const whole = bytesOf(OUTPUT_FILE);
    for (let at = 0; at < whole.length; at++) {
      for (const change of changes) {
        const damaged = Buffer.from(whole);
        damaged[at] = change(whole[at] ?? 0);
        disk.set(OUTPUT_FILE, damaged);
        await expect(store().getOutput("a")).rejects.toMatchObject({ code: "JOURNAL_CORRUPT", file: OUTPUT_FILE });
      }
    }
    // No event and no snapshot refers to this output, so it belongs to no task.
    expect(await verify(disk, DIRECTORY)).toMatchObject({ ok: true, outputs: 0, lostOutputs: [] });
  });
});

describe("a journal", () => {
  test("of another version is refused, and the version is named", async () => {
    for (const file of [SECOND, SNAPSHOT_FILE]) {
      disk.set(file, Buffer.from(bytesOf(file).toString().replace('"version":1', '"version":2')));
      await expect(store().peek()).rejects.toMatchObject({ code: "JOURNAL_CORRUPT", line: 1 });
      await expect(store().peek()).rejects.toThrow("version 2");
      disk.set(file, bytesOf(file));
    }
  });

  test("from whose middle a segment is gone is broken there", async () => {
    const { file } = segmentAt(DIRECTORY, 13);
    disk.set(file, await segmentFrom(12, [notes(13, 13)]));
    await expect(eventsOf(store())).rejects.toMatchObject({ code: "JOURNAL_CORRUPT", file, line: 1, byte: 0 });
    await expect(eventsOf(store())).rejects.toThrow("11 to 12");
    expect((await verify(disk, DIRECTORY)).broken).toMatchObject({ file });
  });

  test("whose beginning is gone without a snapshot for it is broken there", async () => {
    await disk.remove(FIRST);
    const corrupt = { file: SECOND, line: 1, byte: 0 };
    await expect(store().open(WRITER)).rejects.toMatchObject({ code: "JOURNAL_CORRUPT", ...corrupt });
    expect((await verify(disk, DIRECTORY)).broken).toMatchObject(corrupt);
  });

  test("behind whose last batch there are foreign bytes is broken there", async () => {
    const begun = JSON.stringify({ ...note(11), batch: 4 });
    const [line, byte] = [bytesOf(SECOND).toString().split("\n").length, bytesOf(SECOND).length];
    for (const [written, lines, bytes] of [
      ["hello\n", 0, 0],
      [`${JSON.stringify(note(11))}\n`, 0, 0],
      [`${begun}\nhello\n`, 1, begun.length + 1],
      [`${begun}\n${JSON.stringify(note(13))}\n`, 1, begun.length + 1],
    ] as const) {
      disk.set(SECOND, Buffer.concat([bytesOf(SECOND), Buffer.from(written)]));
      expect((await read()).error).toEqual({ file: SECOND, line: line + lines, byte: byte + bytes });
    }
  });

  test("whose segment has the name of another is broken there", async () => {
    disk.set(FIRST, bytesOf(SECOND));
    expect((await read()).error).toEqual({ file: FIRST, line: 1, byte: 0 });
  });
});

/** Returns the ends of the header and of each batch. */
function batchEnds(file: string): number[] {
  const ends: number[] = [];
  const text = bytesOf(file).toString("latin1");
  for (const match of text.matchAll(/,"crc":"[0-9a-f]{8}"}\n/g)) ends.push(match.index + match[0].length);
  return ends;
}
