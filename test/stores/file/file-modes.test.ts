// Modes (D3): only the owner can use the files that errand writes, whatever the umask and the existing files are.

import { chmod, mkdir, readdir, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { nodeDisk } from "../../../lib/stores/file/disk.js";
import { FileStore } from "../../../lib/stores/file/file-store.js";
import { note, place, WRITER } from "../../support/place.js";

const LONG = "x".repeat(1_000);
let umask: number;

beforeEach(() => {
  umask = process.umask();
});
afterEach(() => void process.umask(umask));

/** Returns the modes of `directory` and of everything below it. */
async function modesIn(directory: string): Promise<Map<string, number>> {
  const names = ["", ...(await readdir(directory, { recursive: true }))];
  return new Map(
    await Promise.all(
      names.map(async (name) => [name, (await stat(path.join(directory, name))).mode & 0o777] as const),
    ),
  );
}

function expectPrivate(modes: ReadonlyMap<string, number>): void {
  for (const [name, mode] of modes) {
    const isDirectory = name === "" || name === "results";
    expect(`${name} ${mode.toString(8)}`).toBe(`${name} ${isDirectory ? "700" : "600"}`);
  }
}

/** Writes segments, a snapshot and outputs, and replaces the snapshot and the outputs. */
async function work(directory: string): Promise<FileStore> {
  const store = new FileStore(directory, nodeDisk, 500);
  const { nextSeq } = await store.open(WRITER);
  for (let seq = nextSeq; seq < nextSeq + 5; seq++) {
    await store.append([note(seq, LONG)]);
    if (seq === nextSeq || seq === nextSeq + 1) await store.compact({ at: seq }, seq);
    await store.putOutput("a", seq);
    await store.putOutput(`b${seq}`, seq);
  }
  return store;
}

describe("D3 what errand makes", () => {
  test.each([0o000, 0o002, 0o022, 0o077, 0o177, 0o277])("is its owner's alone with umask %d", async (mask) => {
    const directory = path.join(await place(), "store");
    process.umask(mask);
    const store = await work(directory);
    process.umask(umask);
    const modes = await modesIn(directory);
    expect([...modes.keys()].filter((name) => name.startsWith("lock.")).length).toBe(1);
    expect([...modes.keys()].filter((name) => name.startsWith("events.")).length).toBeGreaterThan(1);
    expectPrivate(modes);
    await store.close();
    expectPrivate(await modesIn(directory));
  });

  test("in a directory that an earlier version left open to read is its owner's alone from the next open on", async () => {
    const directory = path.join(await place(), "store");
    await (await work(directory)).close();
    for (const name of (await modesIn(directory)).keys())
      await chmod(path.join(directory, name), name === "" || name === "results" ? 0o755 : 0o644);
    await writeFile(path.join(directory, "snapshot.json.tmp"), "left by a crash", { mode: 0o644 });
    const store = new FileStore(directory, nodeDisk, 500);
    await store.open(WRITER);
    const modes = await modesIn(directory);
    expect(modes.get("results")).toBe(0o700);
    for (const [name, mode] of modes)
      if (/^(events|snapshot|lock)\b/.test(name) && !name.endsWith(".tmp")) expect([name, mode]).toEqual([name, 0o600]);
    await store.compact({ at: 5 }, 5);
    expect((await modesIn(directory)).get("snapshot.json")).toBe(0o600);
    await store.close();
  });

  test("leaves a directory that the user has made as it is, and those above the store readable", async () => {
    const base = await place();
    process.umask(0o022);
    const made = path.join(base, "made");
    await mkdir(made, { mode: 0o755 });
    await (await work(made)).close();
    const modes = await modesIn(made);
    expect(modes.get("")).toBe(0o755);
    modes.delete("");
    expectPrivate(modes);
    await (await work(path.join(base, "above", "store"))).close();
    expect((await stat(path.join(base, "above"))).mode & 0o777).toBe(0o755);
    expectPrivate(await modesIn(path.join(base, "above", "store")));
  });
});
