// Two processes on one database, one of them killed with SIGKILL in the middle of its work: the other goes on with it (§11, D9).

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";
import { defineKind, TaskManager } from "errand";
import { postgres, type SqlConnection, sqlite, sqlStore } from "errand/stores/sql";
import Database from "libsql";
import { Pool } from "pg";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { type Compiled, compiled } from "../support/own-process.js";
import { place } from "../support/place.js";

const LEASE_MS = 2_000;
const POSTGRES = process.env["ERRAND_TEST_POSTGRES"] ?? "postgres://root@127.0.0.1/test";

let library: Compiled;
beforeAll(async () => {
  library = await compiled();
}, 60_000);
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
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000");
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
manager.spawn((ctx) => ctx.sleep(3_600_000), { id: "plain" });
manager.spawn(count, { id: "count" });
`;

/** Goes on from the last checkpoint, and says which that was. */
const count = defineKind<number, undefined, undefined, number, number>({
  name: "count",
  canReattach: () => true,
  run: (ctx) => ctx.lastCheckpoint ?? 0,
});

/** Starts the worker, kills it once it was told that its fiftieth checkpoint is stored, and gives the last that it was told of. */
async function killed(...args: readonly string[]): Promise<number> {
  const file = path.join(library.folder, "worker.mjs");
  await writeFile(file, WORKER);
  const child: ChildProcess = spawn(process.execPath, [file, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const closed = once(child, "close");
  let last = 0;
  if (child.stdout === null) throw new Error("the worker has no output");
  for await (const line of createInterface({ input: child.stdout })) {
    last = Number(line.split(" ")[1]);
    if (last === 50) child.kill("SIGKILL");
  }
  await closed;
  expect(child.signalCode).toBe("SIGKILL");
  return last;
}

async function takesOver(connection: SqlConnection, namespace: string, kill: () => Promise<number>): Promise<void> {
  const store = sqlStore({ connection, namespace, leaseMs: LEASE_MS });
  const manager = await TaskManager.open({ store, kinds: [count] });
  expect(await manager.spawn(() => "its own").result()).toBe("its own");
  const ended = new Promise<void>((resolve) => {
    manager.on("task.succeeded", ({ taskId }) => taskId === "count" && resolve());
  });
  const last = await kill();
  await ended;
  // D2: at least what the dead one had been told; one more may have been stored when it was killed.
  const checkpoint = (await manager.get("count", count)?.result()) ?? 0;
  expect(checkpoint).toBeGreaterThanOrEqual(last);
  expect(checkpoint).toBeLessThanOrEqual(last + 1);
  expect(manager.get("count")?.record).toMatchObject({ status: "succeeded", attempt: 2 });
  const lost = await manager.get("plain")?.outcome();
  expect(lost).toMatchObject({ status: "interrupted", reason: "process_lost", pid: expect.any(Number) });
  expect(lost).not.toHaveProperty("pid", process.pid);
  await manager.close();
}

describe("what a killed process left is gone on with by another", () => {
  test("on SQLite", { timeout: 30_000 }, async () => {
    const file = path.join(await place(), "errand.db");
    const database = new Database(file);
    onTestFinished(() => void database.close());
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000");
    await takesOver(sqlite(database), "errand", () => killed("sqlite", file, "errand"));
  });

  test("on PostgreSQL", { timeout: 30_000 }, async ({ skip }) => {
    const pool = new Pool({ connectionString: POSTGRES, connectionTimeoutMillis: 1_000 });
    pool.on("error", () => undefined);
    onTestFinished(() => pool.end());
    const isThere = await pool.query("SELECT 1").then(
      () => true,
      () => false,
    );
    if (!isThere) {
      console.log(`skipped: no PostgreSQL at ${POSTGRES}; start one, or name one in ERRAND_TEST_POSTGRES`);
      skip();
    }
    const namespace = `errand_${process.pid}`;
    onTestFinished(async () => {
      const { rows } = await pool.query<{ tablename: string }>(
        "SELECT tablename FROM pg_tables WHERE tablename LIKE $1",
        [`${namespace}\\_%`],
      );
      for (const { tablename } of rows) await pool.query(`DROP TABLE IF EXISTS ${tablename} CASCADE`);
    });
    await takesOver(postgres(pool), namespace, () => killed("postgres", POSTGRES, namespace));
  });
});
