// A stored output that is gone, or cannot be read (D2): it costs itself, says so, and stays lost until it is put back.

import { execFileSync } from "node:child_process";
import { cp, mkdir, readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { StoreUnavailableError, type TaskHandle, TaskManager, type TaskOutcome, viewStore } from "errand";
import { describe, expect, test } from "vitest";
import { fileStore, verifyJournal } from "../../../lib/stores/file.js";
import { sqlStore } from "../../../lib/stores/sql.js";
import { deferred, settled } from "../../support/basics.js";
import { HeldStore } from "../../support/held-store.js";
import { place } from "../../support/place.js";
import { given } from "../../support/program.js";
import { compacted, durable, type Process, started, take, task } from "../../support/restarts.js";
import { sqlKinds } from "../../support/sql-place.js";

const LONG = "x".repeat(100_000);

/** Of a task, in every way in which a program asks for its value. */
async function expectLost(handle: TaskHandle, where: unknown): Promise<void> {
  const lost = { name: "OutputLostError", code: "OUTPUT_LOST", taskId: handle.id, where };
  await expect(handle.result()).rejects.toMatchObject(lost);
  const outcome = await handle.outcome();
  expectNoValue(outcome);
  expect(handle.record).toMatchObject({ status: "succeeded", outputOmitted: expect.stringContaining("lost") });
  expect(handle.record).not.toHaveProperty("output");
}

function expectNoValue(outcome: TaskOutcome): void {
  expect(outcome).toMatchObject({ status: "succeeded", outputLost: expect.any(String) });
  expect(() => outcome.status === "succeeded" && outcome.value).toThrow(
    expect.objectContaining({ code: "OUTPUT_LOST" }),
  );
  expect(JSON.stringify({ ...outcome })).not.toContain('"value"');
}

/** A directory with two long outputs and a short one, and the file of `lost`. */
async function stored(): Promise<{ directory: string; file: string }> {
  const directory = path.join(await place(), "store");
  const manager = await TaskManager.open({ store: fileStore(directory) });
  await Promise.all([
    manager.spawn(() => LONG, { id: "lost" }).result(),
    manager.spawn(() => ({ LONG }), { id: "long" }).result(),
    manager.spawn(() => "short", { id: "short" }).result(),
  ]);
  await manager.close();
  return { directory, file: path.join(directory, "results", "lost.json") };
}

const DAMAGES: readonly [what: string, damage: (file: string) => Promise<unknown>][] = [
  ["is not there", (file) => rm(file)],
  ["is empty", (file) => truncate(file, 0)],
  ["is cut short", (file) => truncate(file, 50_000)],
  ["is cut short by one byte", async (file) => truncate(file, (await readFile(file)).length - 1)],
  ["has other bytes", (file) => writeFile(file, "x".repeat(100_000))],
  ["has zeros", (file) => writeFile(file, Buffer.alloc(100_000))],
  ["has other JSON", (file) => writeFile(file, '{"output":1}\n')],
  ["has one byte more", (file) => writeFile(file, "\n", { flag: "a" })],
  ["is the file of another task", (file) => cp(path.join(path.dirname(file), "long.json"), file)],
  ["is a directory", async (file) => (await rm(file), await mkdir(path.join(file, "below"), { recursive: true }))],
];

describe("D2 an output whose file", () => {
  test.each(DAMAGES)("%s costs itself and nothing else", async (_what, damage) => {
    const { directory, file } = await stored();
    const copy = `${file}.copy`;
    await cp(file, copy);
    await damage(file);
    expect(await verifyJournal(directory)).toMatchObject({
      ok: false,
      outputs: 1,
      lostOutputs: [{ taskId: "lost", file, why: expect.any(String) }],
    });
    const view = await viewStore(fileStore(directory));
    expect(view.list().map(({ id, status }) => [id, status])).toEqual([
      ["lost", "succeeded"],
      ["long", "succeeded"],
      ["short", "succeeded"],
    ]);
    // Twice: what is lost stays lost, and is asked for again.
    for (let process = 0; process < 2; process++) {
      const manager = await TaskManager.open({ store: fileStore(directory) });
      await expectLost(given(manager.get("lost")), file);
      expect(await manager.get("long")?.result()).toEqual({ LONG });
      expect(await manager.get("short")?.result()).toBe("short");
      await manager.spawn(() => LONG, { id: `more-${process}` }).result();
      await manager.close();
    }
    await rm(file, { recursive: true, force: true });
    await rename(copy, file);
    const manager = await TaskManager.open({ store: fileStore(directory) });
    expect(await manager.get("lost")?.result()).toBe(LONG);
    expect(manager.get("lost")?.record).not.toHaveProperty("outputOmitted");
    await manager.close();
    expect((await verifyJournal(directory)).ok).toBe(true);
  });

  test.each<[what: string, damage: (results: string) => Promise<unknown>]>([
    ["not there", (results) => rm(results, { recursive: true })],
    ["a file", async (results) => (await rm(results, { recursive: true }), await writeFile(results, ""))],
  ])("was in a results/ that is %s costs itself: all other tasks are there", async (_what, damage) => {
    const { directory, file } = await stored();
    await damage(path.dirname(file));
    expect((await verifyJournal(directory)).lostOutputs.map(({ taskId }) => taskId)).toEqual(["lost", "long"]);
    const manager = await TaskManager.open({ store: fileStore(directory) });
    await expectLost(given(manager.get("lost")), file);
    expect(await manager.get("short")?.result()).toBe("short");
    expect(await manager.spawn(() => 1).result()).toBe(1);
    await manager.close();
  });

  test("was deleted under a living manager, with the whole of results/, is put back with the next one (D5)", async () => {
    const directory = path.join(await place(), "store");
    const manager = await TaskManager.open({ store: fileStore(directory) });
    await manager.spawn(() => LONG, { id: "before" }).result();
    await rm(path.join(directory, "results"), { recursive: true });
    expect(await manager.spawn(() => LONG, { id: "after" }).result()).toBe(LONG);
    await manager.close();
    expect(await verifyJournal(directory)).toMatchObject({ ok: true, outputs: 2, lostOutputs: [] });
    const next = await TaskManager.open({ store: fileStore(directory) });
    expect(await next.get("before")?.result()).toBe(LONG);
    await next.close();
  });
});

test("D2 another file in results/, and in the directory, is no output", async () => {
  const { directory } = await stored();
  for (const name of ["notes.json", "more.json.tmp", ".DS_Store"])
    await writeFile(path.join(directory, "results", name), "not an output");
  await mkdir(path.join(directory, "results", "folder.json"));
  await mkdir(path.join(directory, "results", "folder.tmp"));
  for (const name of ["README.md", "events.jsonl.bak", "snapshot.json.1.tmp"])
    await writeFile(path.join(directory, name), "not a journal");
  expect(await verifyJournal(directory)).toMatchObject({ ok: true, outputs: 2, lostOutputs: [] });
  const manager = await TaskManager.open({ store: fileStore(directory) });
  expect(await manager.get("lost")?.result()).toBe(LONG);
  await manager.close();
});

/** A process whose task `lost` has a long output, which the store then loses; `short` has a short one. */
async function losing(isCompacted: boolean): Promise<Process> {
  const process = await started();
  const session = process.manager.session("chat");
  await session.spawn(() => LONG, { id: "lost" }).result();
  await session.spawn(() => "short", { id: "short" }).result();
  if (isCompacted) await compacted(process);
  await process.store.deleteOutputs(["lost"]);
  return process;
}

describe.each([
  ["by its events", false],
  ["by a snapshot", true],
])("D2 a lost output of a task that is restored %s", (_how, isCompacted) => {
  test("is lost for result(), outcome() and waits, which deliver all that is there", async () => {
    const next = await (await losing(isCompacted)).restart();
    await expectLost(task(next, "lost"), "the store");
    const { reason, outcomes, ended } = await next.manager.awaitTasks(["lost", "short"]);
    expect(reason).toBe("done");
    expectNoValue(given(outcomes[0]));
    expect(outcomes[1]).toEqual({ id: "short", status: "succeeded", value: "short" });
    expect(ended.length).toBe(2);
    const read = await take(next.manager.outcomes(["lost", "short"]), 2);
    expect(read.map(({ status }) => status)).toEqual(["succeeded", "succeeded"]);
  });

  test("stays lost after a compaction and the next restarts", async () => {
    let process = await (await losing(isCompacted)).restart();
    for (let restart = 0; restart < 3; restart++) {
      await compacted(process);
      process = await process.restart();
      await expectLost(task(process, "lost"), "the store");
      expect(await task(process, "short").result()).toBe("short");
    }
  });

  test("is a sentence for those who read history, and for a model", async () => {
    const next = await (await losing(isCompacted)).restart();
    const history = await task(next, "lost").history();
    // The snapshot stands for its events.
    if (isCompacted) expect(history).toEqual([]);
    else {
      const end = given(history.find(({ type }) => type === "task.succeeded"));
      expect(end).toMatchObject({ type: "task.succeeded", outputOmitted: expect.stringContaining("lost") });
      expect(end).not.toHaveProperty("outputApart");
    }
    const tools = next.manager.session("chat").tools();
    const shown = JSON.stringify(
      await given(tools.find(({ name }) => name === "get_task")).execute({ task_id: "lost" }),
    );
    expect(shown).toContain("it is lost: the store");
    expect(shown).toContain("succeeded");
  });

  test("whose record is evicted is deleted with it", async () => {
    const next = await (await losing(isCompacted)).restart({ retention: { maxFinished: 0 } });
    await settled();
    expect(next.manager.get("lost")).toBe(undefined);
  });
});

test("D2 a task that had returned and waited for its children keeps saying that its output is lost once it has ended", async () => {
  const gate = deferred();
  const child = durable(() => gate.promise);
  const first = await started({ kinds: [child] });
  const parent = durable((ctx) => (void ctx.spawn(child, { id: "child", input: { n: 1 } }), LONG), { name: "parent" });
  first.manager.spawn(parent, { id: "parent", input: { n: 1 } });
  await settled();
  expect(first.store.outputIds).toEqual(["parent"]);
  await first.store.deleteOutputs(["parent"]);
  let process = await first.restart();
  await settled();
  await task(process, "child").cancel();
  for (let restart = 0; restart < 2; restart++) {
    await expectLost(task(process, "parent"), "the store");
    process = await process.restart();
  }
});

describe("D2 a store of the user's own", () => {
  function failing(error: unknown): HeldStore {
    return new (class extends HeldStore {
      override async getOutput(): Promise<never> {
        throw error;
      }
      outputPlace(taskId: string): string {
        return `bucket/${taskId}`;
      }
    })();
  }
  async function opened(error: unknown): Promise<TaskManager> {
    const store = failing(error);
    const first = await started({}, store);
    await first.manager.spawn(() => LONG, { id: "lost" }).result();
    await first.manager.close();
    return TaskManager.open({ store });
  }

  test.each([[new Error("EIO")], ["a text"], [undefined], [new TypeError("no such key")]])(
    "that rejects with %s for one output opens without it, and names its place",
    async (error) => {
      const manager = await opened(error);
      await expectLost(given(manager.get("lost")), "bucket/lost");
      await expect(manager.get("lost")?.result()).rejects.toMatchObject({ cause: error });
    },
  );

  test("that is not available as a whole is not opened without its outputs: they may be there a moment later", async () => {
    await expect(opened(new StoreUnavailableError("no route"))).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  });
});

describe.each(await sqlKinds())("D2 an output in $name", ({ make }) => {
  test.each([
    ["is deleted", (table: string) => `delete from ${table} where task like '%lost%'`],
    ["is no JSON", (table: string) => `update ${table} set data = 'x' || data where task like '%lost%'`],
    ["is empty", (table: string) => `update ${table} set data = '' where task like '%lost%'`],
  ])("whose row %s costs itself, also after a takeover", async (_what, damage) => {
    const { namespace, connect, ask } = await make();
    const open = () => TaskManager.open({ store: sqlStore({ connection: connect(), namespace }) });
    const first = await open();
    await first.spawn(() => LONG, { id: "lost" }).result();
    await first.spawn(() => LONG, { id: "long" }).result();
    await first.close();
    await ask(damage(`${namespace}_outputs`));
    const view = await viewStore(sqlStore({ connection: connect(), namespace }));
    expect(view.list().length).toBe(2);
    for (let restart = 0; restart < 2; restart++) {
      const manager = await open();
      await expectLost(given(manager.get("lost")), expect.stringContaining(`${namespace}_outputs`));
      expect(await manager.get("long")?.result()).toBe(LONG);
      await manager.close();
    }
  });
});

describe("D2 a name in results/ that is no output of the store costs no other output", () => {
  test.each([
    ["a directory has the name of an output", (results: string) => mkdir(path.join(results, "late.json"))],
    [
      "a file has the name of the directory",
      async (results: string) => {
        await rm(results, { recursive: true });
        await writeFile(results, "not a directory");
      },
    ],
  ])("when %s, it is moved aside, and the output is stored", async (_, spoil) => {
    const { directory } = await stored();
    await spoil(path.join(directory, "results"));
    const manager = await TaskManager.open({ store: fileStore(directory) });
    expect(await manager.spawn(() => LONG, { id: "late" }).result()).toBe(LONG);
    expect(await manager.spawn(() => "next").result()).toBe("next");
    await manager.close();
    const next = await TaskManager.open({ store: fileStore(directory) });
    expect(await given(next.get("late")).result()).toBe(LONG);
    await next.close();
  });

  test.skipIf(process.platform === "win32")("a named pipe is a broken output, and no reader waits for it", async () => {
    const { directory, file } = await stored();
    await rm(file);
    execFileSync("mkfifo", [file]);
    expect((await verifyJournal(directory)).lostOutputs).toMatchObject([{ taskId: "lost" }]);
    const manager = await TaskManager.open({ store: fileStore(directory) });
    await expectLost(given(manager.get("lost")), file);
    expect(await given(manager.get("long")).result()).toEqual({ LONG });
    await manager.close();
  });
});
