// Places: a read begins near its first event, and a place that is out of date changes nothing (D2, D3, D6).

import { cp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { type Disk, nodeDisk } from "../../../lib/stores/file/disk.js";
import { FileStore } from "../../../lib/stores/file/file-store.js";
import { Places } from "../../../lib/stores/file/places.js";
import { segmentAt } from "../../../lib/stores/file/segment.js";
import { FaultyDisk } from "../../support/faulty-disk.js";
import { eventsOf, note, notes, place, WRITER } from "../../support/place.js";

const KB = 1024;
const at = (byte: number, seq: number) => ({ byte, seq, crc: byte });

/** The disk of this machine, which counts the bytes that are read. */
class CountingDisk implements Disk {
  bytes = 0;
  readonly #disk = nodeDisk;
  readonly open: Disk["open"] = (...args) => this.#disk.open(...args);
  readonly read: Disk["read"] = async (...args) => {
    const bytes = await this.#disk.read(...args);
    this.bytes += bytes;
    return bytes;
  };
  readonly write: Disk["write"] = (...args) => this.#disk.write(...args);
  readonly truncate: Disk["truncate"] = (...args) => this.#disk.truncate(...args);
  readonly sync: Disk["sync"] = (...args) => this.#disk.sync(...args);
  readonly close: Disk["close"] = (...args) => this.#disk.close(...args);
  readonly links: Disk["links"] = (...args) => this.#disk.links(...args);
  readonly idOf: Disk["idOf"] = (...args) => this.#disk.idOf(...args);
  readonly idAt: Disk["idAt"] = (...args) => this.#disk.idAt(...args);
  readonly list: Disk["list"] = (...args) => this.#disk.list(...args);
  readonly modifiedAt: Disk["modifiedAt"] = (...args) => this.#disk.modifiedAt(...args);
  readonly rename: Disk["rename"] = (...args) => this.#disk.rename(...args);
  readonly remove: Disk["remove"] = (...args) => this.#disk.remove(...args);
  readonly makeDirectory: Disk["makeDirectory"] = (...args) => this.#disk.makeDirectory(...args);
  readonly makePrivate: Disk["makePrivate"] = (...args) => this.#disk.makePrivate(...args);
  readonly realPath: Disk["realPath"] = (...args) => this.#disk.realPath(...args);
  readonly syncDirectory: Disk["syncDirectory"] = (...args) => this.#disk.syncDirectory(...args);
}

describe("the places of a store", () => {
  test("are found by the seq of an event: the nearest one before it", () => {
    const places = new Places();
    for (const [byte, seq] of [
      [10 * KB, 5],
      [80 * KB, 9],
      [90 * KB, 11],
    ] as const)
      places.add(1, at(byte, seq));
    expect(places.before(1, 4)).toBeUndefined();
    expect(places.before(1, 9)?.seq).toBe(9);
    expect(places.before(1, 10)?.seq).toBe(9);
    expect(places.before(1, 500)?.seq).toBe(11);
    expect(places.before(2, 500)).toBeUndefined();
  });

  test("are few: the last one, and one for every 64 KiB before it, of four segments", () => {
    const places = new Places();
    for (let kb = 1; kb <= 1_000; kb++) places.add(1, at(kb * KB, kb));
    const known = new Set(Array.from({ length: 1_000 }, (_, seq) => places.before(1, seq + 1)?.seq));
    expect(known.size).toBeLessThan(1_000 / 64 + 3);
    expect(places.before(1, 1_000)?.seq).toBe(1_000);
    for (const segment of [2_000, 3_000, 4_000, 5_000]) places.add(segment, at(KB, segment + 1));
    expect(places.before(1, 1_000)).toBeUndefined();
    expect(places.before(5_000, 5_001)?.seq).toBe(5_001);
  });

  test("that are forgotten take the later ones of the segment with them", () => {
    const places = new Places();
    places.add(1, at(100 * KB, 5));
    places.add(1, at(200 * KB, 9));
    places.add(2, at(KB, 3));
    places.forget(1, at(200 * KB, 9));
    expect(places.before(1, 9)?.seq).toBe(5);
    places.forget(1, at(100 * KB, 5));
    expect(places.before(1, 9)).toBeUndefined();
    expect(places.before(2, 3)?.seq).toBe(3);
  });
});

describe("D6 a read behind what was read or written before", () => {
  test("reads the end of a long segment, and not its beginning", async () => {
    const directory = await place();
    const store = new FileStore(directory, nodeDisk);
    await store.open(WRITER);
    for (let seq = 1; seq <= 40_000; seq += 100) await store.append(notes(seq, seq + 99));
    const disk = new CountingDisk();
    const follower = new FileStore(directory, disk);
    expect(await eventsOf(follower, { from: 39_999 })).toEqual(notes(39_999, 40_000));
    const whole = disk.bytes;
    expect(whole).toBeGreaterThan(3_000 * KB);
    await store.append(notes(40_001, 40_003));
    disk.bytes = 0;
    expect(await eventsOf(follower, { from: 40_001 })).toEqual(notes(40_001, 40_003));
    expect(await eventsOf(follower, { from: 40_004 })).toEqual([]);
    expect(disk.bytes).toBeLessThan(64 * KB);
    disk.bytes = 0;
    expect(await eventsOf(follower, { from: 39_000 })).toEqual(notes(39_000, 40_003));
    expect(disk.bytes).toBeLessThan(400 * KB);
    await store.close();
  });

  test("reads near the end of what the same store has written", async () => {
    const disk = new CountingDisk();
    const store = new FileStore(await place(), disk);
    await store.open(WRITER);
    for (let seq = 1; seq <= 20_000; seq += 100) await store.append(notes(seq, seq + 99));
    disk.bytes = 0;
    expect(await eventsOf(store, { from: 19_990 })).toEqual(notes(19_990, 20_000));
    expect(disk.bytes).toBeLessThan(200 * KB);
    await store.close();
  });

  test("names the line and the byte of damage behind the place", async () => {
    const directory = await place();
    const store = new FileStore(directory, nodeDisk);
    await store.open(WRITER);
    await store.append(notes(1, 3));
    const follower = new FileStore(directory, nodeDisk);
    await eventsOf(follower);
    await store.append(notes(4, 5));
    await store.append(notes(6, 6));
    await store.close();
    const { file } = segmentAt(directory, 1);
    const text = await readFile(file, "utf8");
    await writeFile(file, text.replace('"page":5', '"page":7'));
    const place5 = { code: "JOURNAL_CORRUPT", line: 5, byte: text.indexOf('{"type":"custom","seq":4') };
    await expect(eventsOf(new FileStore(directory, nodeDisk), { from: 4 })).rejects.toMatchObject(place5);
    await expect(eventsOf(follower, { from: 4 })).rejects.toMatchObject(place5);
  });
});

describe("D2 a place that is out of date", () => {
  test("of a batch that the disk refused after it was read, and that was written again with more events", async () => {
    const directory = await place();
    const disk = new FaultyDisk();
    const store = new FileStore(directory, disk);
    await store.open(WRITER);
    await store.append(notes(1, 3));
    let refuse = (): void => undefined;
    const gate = new Promise<undefined>((_resolve, reject) => (refuse = () => reject(new Error("EIO"))));
    disk.fault = ({ what, file }) => (what === "sync" && file.startsWith("events") ? gate : undefined);
    const refused = store.append(notes(4, 5));
    const follower = new FileStore(directory, nodeDisk);
    while ((await eventsOf(follower, { from: 4 })).length < 2);
    refuse();
    await expect(refused).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(await eventsOf(follower, { from: 6 })).toEqual([]);
    disk.fault = () => undefined;
    await store.append(notes(4, 9));
    expect(await eventsOf(follower, { from: 6 })).toEqual(notes(6, 9));
    await store.close();
  });

  test("of a journal in whose place another one is", async () => {
    const one = await place();
    const other = await place();
    for (const [directory, word] of [
      [one, "one"],
      [other, "another"],
    ] as const) {
      const store = new FileStore(directory, nodeDisk);
      await store.open(WRITER);
      for (let seq = 1; seq <= 9; seq++) await store.append([note(seq, word)]);
      await store.close();
    }
    const follower = new FileStore(one, nodeDisk);
    expect(await eventsOf(follower)).toHaveLength(9);
    const { file } = segmentAt(one, 1);
    await rm(file);
    await cp(segmentAt(other, 1).file, file);
    expect(await eventsOf(follower, { from: 9 })).toEqual([note(9, "another")]);
    await truncate(file, 0);
    expect(await eventsOf(follower, { from: 9 })).toEqual([]);
  });
});
