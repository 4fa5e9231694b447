// Drivers of SQLite: the store uses only what all of them have, and the error for another driver names it (§12, D9).

import path from "node:path";
import { TaskManager } from "errand";
import { describe, expect, test } from "vitest";
import { type SqliteDatabase, type SqlStatement, sqlite, sqlStore } from "../../../lib/stores/sql.js";
import { place } from "../../support/place.js";
import { libsql, otherDrivers } from "../../support/sqlite-drivers.js";

const drivers = [libsql, ...(await otherDrivers()).found];

describe.each(drivers)("$name", (driver) => {
  const opened = async () => {
    const file = path.join(await place(), "errand.db");
    const database = driver.open(file);
    database.exec("pragma journal_mode = wal; pragma synchronous = full");
    return { file, database };
  };

  test("is taken as it is, with values that stand in a text twice, out of order, or for null", async () => {
    const { database } = await opened();
    const connection = sqlite(database);
    const rows = async (statement: SqlStatement) => (await connection.query(statement)).map((row) => ({ ...row }));
    await rows({ sql: "create table t (a text, b bigint, c text)", values: [] });
    await rows({ sql: "insert into t (a, b, c) values ($2, $1, $3)", values: [1, "one", null] });
    await rows({ sql: "insert into t (a, b, c) values ($1, $2, $1)", values: ["two", 2] });
    expect(
      await rows({ sql: "select a, b, c from t where b >= $1 and b >= $1 order by b limit $2", values: [1, 5] }),
    ).toEqual([
      { a: "one", b: 1, c: null },
      { a: "two", b: 2, c: "two" },
    ]);
    expect(await rows({ sql: "insert into t (a) values ($1) returning a", values: ["three"] })).toEqual([
      { a: "three" },
    ]);
    database.close();
  });

  test("that finds the file taken waits without stopping the process (D9)", async () => {
    const { file, database } = await opened();
    database.exec("create table t (a text)");
    const other = driver.open(file);
    other.exec("begin immediate");
    let isDone = false;
    const waiting = sqlite(database)
      .query({ sql: "insert into t (a) values ($1)", values: ["x"] })
      .then(() => (isDone = true));
    for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(isDone).toBe(false);
    other.exec("commit");
    await waiting;
    expect(isDone).toBe(true);
    other.close();
    database.close();
  });

  test("keeps a manager's tasks over a restart", async () => {
    const { file, database } = await opened();
    const first = await TaskManager.open({ store: sqlStore({ connection: sqlite(database) }) });
    await first.spawn(() => "x".repeat(100_000), { id: "long" }).result();
    await first.close();
    database.close();
    const again = driver.open(file);
    again.exec("pragma synchronous = full");
    const next = await TaskManager.open({ store: sqlStore({ connection: sqlite(again) }) });
    expect(await next.get("long")?.result()).toHaveLength(100_000);
    await next.close();
    again.close();
  });
});

describe("§12 a driver that errand cannot use is named with what it lacks:", () => {
  const statement = { run: () => undefined, all: () => [{ one: 1 }] };
  const given = (prepared: unknown): unknown => ({ exec: () => undefined, prepare: () => prepared });
  test.each<[what: string, database: unknown, lacks: RegExp]>([
    ["no database", undefined, /database must be an object/],
    ["a path", "errand.db", /database must be an object/],
    ["no prepare", { exec: () => undefined }, /database\.prepare must be a function/],
    ["no exec", { prepare: () => statement }, /database\.exec must be a function/],
    [
      "a statement that is a promise",
      given(Promise.resolve(statement)),
      /database\.prepare\(sql\)\.run must be a function/,
    ],
    ["no all", given({ run: () => undefined }), /database\.prepare\(sql\)\.all must be a function/],
    ["rows that come later", given({ ...statement, all: async () => [] }), /must return rows at once/],
    ["rows in a callback", given({ ...statement, all: () => statement }), /must return rows at once/],
    ["rows that are lists", given({ ...statement, all: () => [[1]] }), /as objects/],
  ])("%s", (_what, database, lacks) => {
    expect(() => sqlite(database as SqliteDatabase)).toThrow(TypeError);
    expect(() => sqlite(database as SqliteDatabase)).toThrow(lacks);
  });

  test("a database that is closed says so when it is opened as a store", async () => {
    const database = libsql.open(":memory:");
    database.close();
    const store = sqlStore({ connection: sqlite(database) });
    await expect(TaskManager.open({ store })).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  });
});
