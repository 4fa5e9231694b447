// One writer (D3) among real processes: a living writer never loses its lock, however busy it is, and a dead one's lock
// is free.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, link, mkdir, readdir, readFile, rename, rm, symlink, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { type Disk, nodeDisk } from "../../../lib/stores/file/disk.js";
import { isAlive, lockName, thisProcess } from "../../../lib/stores/file/owner.js";
import { WriterLock } from "../../../lib/stores/file/writer-lock.js";
import { fileStore } from "../../../lib/stores/file.js";
import { type Compiled, compiled } from "../../support/own-process.js";
import { eventsOf, note, notes, place, WRITER } from "../../support/place.js";

let built: Compiled;
let program: string;

beforeAll(async () => {
  built = await compiled();
  program = path.join(built.folder, "holder.mjs");
  await writeFile(
    program,
    `import { fileStore } from "./lib/stores/file.js";
const [directory, then] = process.argv.slice(2);
const store = fileStore(directory);
try {
  const { nextSeq } = await store.open({ instanceId: "child", pid: process.pid, startedAt: 1 });
  await store.append([{ type: "custom", seq: nextSeq, at: 1, taskId: "a", attempt: 1, name: "note", payload: null }]);
  process.stdout.write("open\\n");
} catch (error) {
  process.stdout.write(error.code + " " + error.pid + "\\n");
  process.exit();
}
if (then === "block") for (;;);
if (then === "close") await store.close();
else setInterval(() => {}, 1000);
`,
  );
});
afterAll(() => built.remove());

/**
 * Starts a process that opens the store and then holds it, closes it, or blocks its event loop. Resolves with its first
 * line.
 */
async function child(directory: string, then = "hold"): Promise<{ said: string; process: ChildProcess }> {
  const started = spawn(process.execPath, [program, directory, then], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void started.kill("SIGKILL"));
  const [chunk] = (await once(started.stdout, "data")) as [Buffer];
  return { said: chunk.toString().trim(), process: started };
}

async function locks(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter((name) => name.startsWith("lock."));
}

describe("a store that a living process has open", () => {
  test("is refused to another, whose error names the holder", async () => {
    const directory = await place();
    const holder = await child(directory);
    expect(holder.said).toBe("open");
    const locked = { code: "STORE_LOCKED", pid: holder.process.pid };
    await expect(fileStore(directory).open(WRITER)).rejects.toMatchObject(locked);
    expect((await child(directory)).said).toBe(`STORE_LOCKED ${holder.process.pid}`);
    // A process that loses leaves no file.
    expect((await locks(directory)).length).toBe(1);
  });

  test("is refused though its loop is blocked and its lock is old", async () => {
    const directory = await place();
    const holder = await child(directory, "block");
    const [lock] = await locks(directory);
    await utimes(path.join(directory, lock ?? ""), 1, 1);
    const locked = { code: "STORE_LOCKED", pid: holder.process.pid };
    await expect(fileStore(directory).open(WRITER)).rejects.toMatchObject(locked);
  });

  test("is refused though its process is stopped", async () => {
    const directory = await place();
    const holder = await child(directory);
    holder.process.kill("SIGSTOP");
    await expect(fileStore(directory).open(WRITER)).rejects.toMatchObject({ code: "STORE_LOCKED" });
  });

  test("is read and peeked at by anybody", async () => {
    const directory = await place();
    await child(directory);
    expect(await fileStore(directory).peek()).toEqual({ nextSeq: 2 });
  });

  test("is refused to another store of the same process, until it is closed", async () => {
    const directory = await place();
    const first = fileStore(directory);
    await first.open(WRITER);
    const locked = { code: "STORE_LOCKED", pid: process.pid };
    await expect(fileStore(directory).open(WRITER)).rejects.toMatchObject(locked);
    await expect(fileStore(path.join(directory, ".", "x", "..")).open(WRITER)).rejects.toMatchObject(locked);
    await first.append(notes(1, 1));
    await first.close();
    expect(await locks(directory)).toEqual([]);
    const second = fileStore(directory);
    await second.open(WRITER);
    await second.close();
  });
});

describe("a store whose process is dead", () => {
  test("is taken over, also while its parent has not heard of its death", async () => {
    const directory = await place();
    const holder = await child(directory);
    // The exit is reported in a later turn. Until then the process is a zombie.
    holder.process.kill("SIGKILL");
    const owner = { ...thisProcess(), pid: holder.process.pid ?? 0, start: 0 };
    const patience = performance.now() + 60_000;
    while (isAlive(owner) !== false && performance.now() < patience);
    expect(isAlive(owner)).toBe(false);
    const store = fileStore(directory);
    expect(await store.open(WRITER)).toEqual({ nextSeq: 2 });
    expect((await locks(directory)).length).toBe(1);
    await store.append([note(2)]);
    await store.close();
  });

  test("is taken over though another process has its pid now", async () => {
    const directory = await place();
    const owner = thisProcess();
    await writeFile(path.join(directory, lockName({ ...owner, pid: process.ppid, start: 1 })), "");
    const store = fileStore(directory);
    await store.open(WRITER);
    await store.close();
    expect(await locks(directory)).toEqual([]);
  });

  test("of another machine is taken over after a minute of silence, and not before", async () => {
    const directory = await place();
    const file = path.join(directory, lockName({ place: "0123456789abcdef", pid: process.pid, start: 1 }));
    await writeFile(file, "");
    const store = fileStore(directory);
    const error: unknown = await store.open(WRITER).catch((why: unknown) => why);
    expect(error).toMatchObject({ code: "STORE_LOCKED", message: expect.stringContaining("sign of life") });
    expect(error).toMatchObject({ pid: undefined });
    const before = Date.now() / 1000 - 61;
    await utimes(file, before, before);
    await store.open(WRITER);
    await store.close();
  });
});

describe("a lock that was copied with its directory", () => {
  test.each([
    ["in this process", { preserveTimestamps: false }],
    ["with its date", { preserveTimestamps: true }],
  ])("is no lock (D3): %s", async (_how, options) => {
    const directory = await place();
    const original = fileStore(directory);
    await original.open(WRITER);
    await original.append(notes(1, 3));
    const copied = path.join(await place(), "copy");
    await cp(directory, copied, { recursive: true, ...options });
    expect((await locks(copied)).length).toBe(1);
    const copy = fileStore(copied);
    expect(await copy.open(WRITER)).toEqual({ nextSeq: 4 });
    await copy.append(notes(4, 4));
    await copy.close();
    expect(await locks(copied)).toEqual([]);
    await expect(fileStore(directory).open(WRITER)).rejects.toMatchObject({ code: "STORE_LOCKED" });
    await original.append(notes(4, 5));
    await original.close();
    expect(await eventsOf(fileStore(copied))).toEqual(notes(1, 4));
    expect(await eventsOf(fileStore(directory))).toEqual(notes(1, 5));
  });

  test("from a living process of this machine is no lock (D3)", async () => {
    const directory = await place();
    const holder = await child(directory);
    const copied = path.join(await place(), "copy");
    await cp(directory, copied, { recursive: true });
    const copy = fileStore(copied);
    expect(await copy.open(WRITER)).toEqual({ nextSeq: 2 });
    await copy.close();
    await expect(fileStore(directory).open(WRITER)).rejects.toMatchObject({ pid: holder.process.pid });
  });

  test("by hard links is a lock: it is the same journal (D3)", async () => {
    const directory = await place();
    const original = fileStore(directory);
    await original.open(WRITER);
    const linked = await place();
    for (const name of await locks(directory)) await link(path.join(directory, name), path.join(linked, name));
    await expect(fileStore(linked).open(WRITER)).rejects.toMatchObject({ code: "STORE_LOCKED" });
    await original.close();
  });

  test("that its owner is about to write counts until it says whose it is (D3)", async () => {
    const directory = await place();
    await writeFile(path.join(directory, lockName(thisProcess())), "");
    await expect(fileStore(directory).open(WRITER)).rejects.toMatchObject({ pid: process.pid });
  });
});

describe("the date of a lock of another machine", () => {
  const rhythm = { touchMs: 20, silentMs: 1_000 };
  const elsewhere = lockName({ place: "0123456789abcdef", pid: process.pid, start: 1 });

  test("that is still to come locks nothing (D3)", async () => {
    const directory = await place();
    const file = path.join(directory, elsewhere);
    await writeFile(file, "");
    const later = Date.now() / 1000 + 3_600;
    await utimes(file, later, later);
    const lock = await WriterLock.take(nodeDisk, directory, WRITER, rhythm);
    expect((await locks(directory)).length).toBe(1);
    await lock.release();
    expect(await locks(directory)).toEqual([]);
  });

  test("that is still to come is not the end of an owner that gives another sign of life (D3)", async () => {
    const directory = await place();
    const file = path.join(directory, elsewhere);
    await writeFile(file, "");
    const later = Date.now() / 1000 + 3_600;
    await utimes(file, later, later);
    let reads = 0;
    const watched: Disk = {
      ...nodeDisk,
      async modifiedAt(of) {
        const at = await nodeDisk.modifiedAt(of);
        // The contender has read that the date is still to come, and now the date from which on it waits for a sign.
        if (of === file && ++reads === 2) await writeFile(file, "alive");
        return at;
      },
    };
    const taken = WriterLock.take(watched, directory, WRITER, { touchMs: 10_000, silentMs: 600_000 });
    await expect(taken).rejects.toMatchObject({ code: "STORE_LOCKED" });
    expect(await locks(directory)).toEqual([elsewhere]);
  });

  test("that was copied says nothing of an owner (D3)", async () => {
    const directory = await place();
    await writeFile(path.join(directory, elsewhere), `${JSON.stringify({ ...WRITER, file: "1:2" })}\n`);
    const lock = await WriterLock.take(nodeDisk, directory, WRITER, rhythm);
    await lock.release();
  });
});

describe("a writer whose lock is gone", () => {
  const robbed = { code: "STORE_LOCKED", message: expect.stringContaining("This manager has lost the store") };
  const faults: [what: string, rob: (directory: string, lock: string) => Promise<unknown>][] = [
    ["removed", (_directory, lock) => rm(lock)],
    ["moved out of its directory", async (_directory, lock) => rename(lock, path.join(await place(), "lock"))],
    [
      "replaced by another file",
      async (_directory, lock) => {
        const text = await readFile(lock);
        await rm(lock);
        await writeFile(lock, text);
      },
    ],
    ["moved with its directory", async (directory) => rename(directory, path.join(await place(), "moved"))],
    [
      "moved with its directory, which a copy replaces",
      async (directory) => {
        const moved = path.join(await place(), "moved");
        await rename(directory, moved);
        await cp(moved, directory, { recursive: true });
      },
    ],
  ];

  test.each(faults)("%s writes nothing more, whatever it is asked for (D3)", async (_what, rob) => {
    const directory = path.join(await place(), "store");
    const store = fileStore(directory);
    await store.open(WRITER);
    await store.append(notes(1, 2));
    await store.putOutput("a", "first");
    const [lock] = await locks(directory);
    await rob(directory, path.join(directory, lock ?? ""));
    await expect(store.append(notes(3, 3))).rejects.toMatchObject(robbed);
    await expect(store.putOutput("a", "second")).rejects.toMatchObject(robbed);
    await expect(store.deleteOutputs(["a"])).rejects.toMatchObject(robbed);
    await expect(store.compact({ at: 2 }, 2)).rejects.toMatchObject(robbed);
    await expect(store.append(notes(3, 3))).rejects.toMatchObject(robbed);
    await store.close();
  });

  test("leaves the journal to the one that has it now, whole (D3)", async () => {
    const directory = await place();
    const first = fileStore(directory);
    await first.open(WRITER);
    await first.append(notes(1, 2));
    for (const name of await locks(directory)) await rm(path.join(directory, name));
    const second = fileStore(directory);
    await second.open(WRITER);
    await second.append(notes(3, 4));
    await expect(first.append(notes(3, 3))).rejects.toMatchObject(robbed);
    await second.append(notes(5, 5));
    await first.close();
    await expect(fileStore(directory).open(WRITER)).rejects.toMatchObject({ code: "STORE_LOCKED" });
    await second.close();
    expect(await eventsOf(fileStore(directory))).toEqual(notes(1, 5));
  });

  test("together with its journal makes nothing anew where another process has been (D3, D5)", async () => {
    const directory = path.join(await place(), "store");
    const first = fileStore(directory);
    await first.open(WRITER);
    await first.append(notes(1, 2));
    await rm(directory, { recursive: true });
    await mkdir(directory);
    const second = fileStore(directory);
    await second.open(WRITER);
    await second.append([note(1, "second")]);
    await second.close();
    await expect(first.append(notes(3, 3))).rejects.toMatchObject({ needsSnapshot: true });
    await expect(first.compact({ at: 2 }, 2)).rejects.toMatchObject(robbed);
    await first.close();
    expect(await locks(directory)).toEqual([]);
    expect(await eventsOf(fileStore(directory))).toEqual([note(1, "second")]);
  });

  test("is not held again when it is put back later than a sign of life is due (D3)", async () => {
    const directory = await place();
    const lock = await WriterLock.take(nodeDisk, directory, WRITER, { touchMs: 5, silentMs: 1_000 });
    const [name = ""] = await locks(directory);
    const away = path.join(await place(), name);
    const reads: string[] = [];
    const watched = { ...nodeDisk, idAt: (file: string) => (reads.push(file), nodeDisk.idAt(file)) };
    const second = await WriterLock.take(watched, await place(), WRITER, { touchMs: 5, silentMs: 1_000 });
    await rename(path.join(directory, name), away);
    // Two intervals of the second lock's timer. The first lock's timer, with the same interval, has fired between them.
    while (reads.length < 3) await new Promise((resolve) => setTimeout(resolve, 1));
    await rename(away, path.join(directory, name));
    expect(lock.isHeld).toBe(false);
    await lock.release();
    await second.release();
  });
});

describe("a directory that is moved while it is open", () => {
  test("is free where it is now, once its writer has closed (D3)", async () => {
    const base = await place();
    const [directory, moved] = [path.join(base, "store"), path.join(base, "moved")];
    const store = fileStore(directory);
    await store.open(WRITER);
    await store.append(notes(1, 3));
    await rename(directory, moved);
    await expect(fileStore(moved).open(WRITER)).rejects.toMatchObject({ code: "STORE_LOCKED" });
    await store.close();
    const next = fileStore(moved);
    expect(await next.open(WRITER)).toEqual({ nextSeq: 4 });
    await next.close();
    expect(await locks(moved)).toEqual([]);
  });

  test("is made anew nowhere (D3)", async () => {
    const base = await place();
    const directory = path.join(base, "store");
    const store = fileStore(directory);
    await store.open(WRITER);
    await store.append(notes(1, 3));
    await rename(directory, path.join(base, "moved"));
    await expect(store.append(notes(4, 4))).rejects.toMatchObject({ code: "STORE_LOCKED" });
    await expect(store.compact({ at: 3 }, 3)).rejects.toMatchObject({ code: "STORE_LOCKED" });
    await store.close();
    expect(await readdir(base)).toEqual(["moved"]);
    expect(await eventsOf(fileStore(path.join(base, "moved")))).toEqual(notes(1, 3));
  });

  test("is not moved when a symbolic link to it is turned elsewhere (D3)", async () => {
    const base = await place();
    const link = path.join(base, "current");
    for (const name of ["one", "two"]) await mkdir(path.join(base, name));
    await symlink(path.join(base, "one"), link);
    const store = fileStore(path.join(link, "store"));
    await store.open(WRITER);
    await store.append(notes(1, 1));
    await rm(link);
    await symlink(path.join(base, "two"), link);
    await store.append(notes(2, 2));
    await store.putOutput("a", "long");
    await store.close();
    const before = fileStore(path.join(base, "one", "store"));
    expect(await eventsOf(before)).toEqual(notes(1, 2));
    expect(await before.getOutput("a")).toBe("long");
    expect(await readdir(path.join(base, "two"))).toEqual([]);
  });
});

describe("many who open a store at the same instant", () => {
  test("are never two winners, and once they are gone the next one wins", async () => {
    for (let round = 0; round < 20; round++) {
      const directory = await place();
      const stores = Array.from({ length: 6 }, () => fileStore(directory));
      const opens = await Promise.allSettled(stores.map((store) => store.open(WRITER)));
      expect(opens.filter(({ status }) => status === "fulfilled").length).toBeLessThanOrEqual(1);
      await Promise.all(stores.map((store) => store.close()));
      expect(await locks(directory)).toEqual([]);
      const next = fileStore(directory);
      await next.open(WRITER);
      await next.close();
    }
  });

  test("of several processes, are never two winners", async () => {
    const directory = await place();
    const children = await Promise.all(Array.from({ length: 4 }, () => child(directory)));
    expect(children.filter(({ said }) => said === "open").length).toBeLessThanOrEqual(1);
    for (const { process } of children) process.kill("SIGKILL");
  });
});

describe("an open store", () => {
  test("keeps no process alive", async () => {
    const directory = await place();
    const closing = await child(directory, "close");
    if (closing.process.exitCode === null) await once(closing.process, "exit");
    expect(closing.process.exitCode).toBe(0);
    expect(await locks(directory)).toEqual([]);
  });
});
