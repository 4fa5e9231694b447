// Two processes on one database, one of them killed with SIGKILL in the middle of its work: the other goes on with it (§11, D9).

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";
import { defineKind } from "errand";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Compiled, compiled } from "../support/own-process.js";
import { LEASE_MS, sharedStores } from "../support/shared-stores.js";
import { type SqlPlace, sqlKinds } from "../support/sql-place.js";

let library: Compiled;
beforeAll(async () => {
  library = await compiled();
});
afterAll(() => library.remove());

/** The same in both processes: a kind, and where the tables are. */
const WORKER = `
import Database from "libsql";
import { Pool } from "pg";
import { defineKind, TaskManager } from "./lib/index.js";
import { postgres, sqlite, sqlStore } from "./lib/stores/sql.js";

const [dialect, where, namespace] = process.argv.slice(2);
let connection;
if (dialect === "sqlite") {
  const database = new Database(where);
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  connection = sqlite(database);
} else connection = postgres(new Pool({ connectionString: where }));
const count = defineKind({
  name: "count",
  canReattach: () => true,
  run: async (ctx) => {
    for (let at = 1; ; at++) {
      await ctx.checkpoint(at);
      console.log("stored", at);
    }
  },
});
const manager = await TaskManager.open({ store: sqlStore({ connection, namespace, leaseMs: ${LEASE_MS} }), kinds: [count] });
console.log("instance", manager.runtime.instanceId);
manager.spawn((ctx) => ctx.sleep(3_600_000), { id: "plain" });
manager.spawn(count, { id: "count" });
`;

/** Goes on from the last checkpoint, and says which that was. */
const count = defineKind<number, undefined, undefined, number, number>({
  name: "count",
  canReattach: () => true,
  run: (ctx) => ctx.lastCheckpoint ?? 0,
});

interface Killed {
  readonly runtime: { readonly instanceId: string };
  /** The last checkpoint that was reported to it. */
  readonly last: number;
}

/** Starts the worker, and kills it once its fiftieth checkpoint is stored and reported to it. */
async function killed({ words }: SqlPlace): Promise<Killed> {
  const file = path.join(library.folder, "worker.mjs");
  await writeFile(file, WORKER);
  const child: ChildProcess = spawn(process.execPath, [file, ...words], { stdio: ["ignore", "pipe", "inherit"] });
  const closed = once(child, "close");
  let instanceId = "";
  let last = 0;
  if (child.stdout === null) throw new Error("the worker has no output");
  for await (const line of createInterface({ input: child.stdout })) {
    const [what, value = ""] = line.split(" ");
    if (what === "instance") instanceId = value;
    else last = Number(value);
    if (last === 50) child.kill("SIGKILL");
  }
  await closed;
  expect(child.signalCode).toBe("SIGKILL");
  return { runtime: { instanceId }, last };
}

describe.each(await sqlKinds())("on $name", ({ make }) => {
  test("what a killed process left is gone on with by another", async () => {
    const place = await make();
    const { open, dies } = sharedStores(place);
    const manager = await open({ kinds: [count] });
    expect(await manager.spawn(() => "its own").result()).toBe("its own");
    const ended = new Promise<void>((resolve) => {
      manager.on("task.succeeded", ({ taskId }) => taskId === "count" && resolve());
    });
    const worker = await killed(place);
    await dies(worker);
    await ended;
    // D2: at least what the dead one had been told; one more may have been stored when it was killed.
    const checkpoint = (await manager.get("count", count)?.result()) ?? 0;
    expect(checkpoint).toBeGreaterThanOrEqual(worker.last);
    expect(checkpoint).toBeLessThanOrEqual(worker.last + 1);
    expect(manager.get("count")?.record).toMatchObject({ status: "succeeded", attempt: 2 });
    const lost = await manager.get("plain")?.outcome();
    expect(lost).toMatchObject({ status: "interrupted", reason: "process_lost", pid: expect.any(Number) });
    expect(lost).not.toHaveProperty("pid", process.pid);
    await manager.close();
  });
});
