// One writer (D3), between real processes: a living one is never robbed, however busy, and a dead one's place is taken over.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { isAlive, lockName, thisProcess } from "../../lib/stores/file/owner.js";
import { fileStore } from "../../lib/stores/file.js";
import { type Compiled, compiled } from "../core/process.js";
import { note, notes, place, WRITER } from "./place.js";

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
}, 30_000);
afterAll(() => built.remove());

/** A process that opens the store, and then holds it, closes it, or blocks its own loop; and the first line it says. */
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
  test("is refused to another, which is told whose it is", async () => {
    const directory = await place();
    const holder = await child(directory);
    expect(holder.said).toBe("open");
    const locked = { code: "STORE_LOCKED", pid: holder.process.pid };
    await expect(fileStore(directory).open(WRITER)).rejects.toMatchObject(locked);
    expect((await child(directory)).said).toBe(`STORE_LOCKED ${holder.process.pid}`);
    // Who lost leaves nothing.
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
    // Its exit is heard of in a later turn: until then it is a zombie.
    holder.process.kill("SIGKILL");
    const owner = { ...thisProcess(), pid: holder.process.pid ?? 0, start: 0 };
    const patience = performance.now() + 5_000;
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
