// The tables of the SQL store, the requirements for its connection, and the checks of its arguments.
import { postgres, type SqlConnection, type SqlStoreOptions, sqlite, sqlStore } from "errand/stores/sql";
import Database from "libsql";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { eventsOf, notes, place, WRITER } from "../../support/place.js";
import { FaultyConnection } from "../../support/sql-faults.js";
import { type SqlPlace, sqlKinds } from "../../support/sql-place.js";

const UNAVAILABLE = { code: "STORE_UNAVAILABLE" };

describe.each(await sqlKinds())("the tables ($name)", ({ make }) => {
  let where: SqlPlace;
  beforeEach(async () => {
    where = await make();
  });

  const storeOn = (connection: SqlConnection = where.connect()) => {
    const store = sqlStore({ connection, namespace: where.namespace });
    onTestFinished(() => store.close());
    return store;
  };

  test("are made once, though eight open an empty database at once", async () => {
    for (let round = 1; round <= 3; round++) {
      where = await make();
      const stores = Array.from({ length: 8 }, () => storeOn());
      await Promise.all(stores.map((store) => store.open(WRITER)));
      await Promise.all(stores.map((store) => store.append(notes(1, 2))));
      const migrations = await where.ask(`select version from ${where.namespace}_migrations order by version`);
      expect(migrations.map(({ version }) => Number(version))).toEqual([1, 2, 3]);
      const journals = await where.ask(`select number from ${where.namespace}_journals order by number`);
      expect(journals.map(({ number }) => Number(number))).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    }
  });

  test("are left alone by who finds them there, and so needs no right to make any", async () => {
    const [first, second] = [new FaultyConnection(where.connect()), new FaultyConnection(where.connect())];
    await storeOn(first).open(WRITER);
    await storeOn(second).open(WRITER);
    const made = [first, second].map(({ texts }) => texts.filter((text) => text.startsWith("create table")).length);
    expect(made).toEqual([6, 0]);
  });

  test("that a newer errand has made are refused, also to those who look, and are left as they are", async () => {
    const store = storeOn();
    await store.open(WRITER);
    await store.append(notes(1, 2));
    await store.close();
    await where.ask(`insert into ${where.namespace}_migrations (version, applied_at) values (99, 0)`);
    const older = storeOn();
    await expect(older.open(WRITER)).rejects.toMatchObject({
      ...UNAVAILABLE,
      message: expect.stringMatching(/version 99.*newer/),
    });
    await expect(older.peek()).rejects.toMatchObject(UNAVAILABLE);
    await expect(eventsOf(older)).rejects.toMatchObject(UNAVAILABLE);
    await expect(older.shared?.others()).rejects.toMatchObject(UNAVAILABLE);
    await where.ask(`delete from ${where.namespace}_migrations where version = 99`);
    expect(await older.open(WRITER)).toEqual({ nextSeq: 3 });
  });

  test("are not made by who only looks: without any, that is StoreUnavailableError", async () => {
    const reader = storeOn();
    await expect(reader.peek()).rejects.toMatchObject(UNAVAILABLE);
    await expect(eventsOf(reader)).rejects.toMatchObject(UNAVAILABLE);
    await expect(reader.getOutput("a")).rejects.toMatchObject(UNAVAILABLE);
    await storeOn().open(WRITER);
    expect(await reader.peek()).toEqual({ nextSeq: 1 });
    // A store with tables but without a journal is empty too.
    await where.ask(`delete from ${where.namespace}_journals`);
    expect(await reader.peek()).toEqual({ nextSeq: 1 });
    expect(await eventsOf(reader)).toEqual([]);
    await expect(eventsOf(reader, { from: 0 })).rejects.toMatchObject({ code: "EVENTS_COMPACTED", oldest: 1 });
    expect(await reader.getOutput("a")).toBe(undefined);
  });

  test("are not made in a database that may lose what it calls committed: it is refused, with what to set", async () => {
    const store = storeOn(where.volatile());
    await expect(store.open(WRITER)).rejects.toMatchObject({
      ...UNAVAILABLE,
      message: expect.stringMatching(/synchronous/),
    });
    await expect(storeOn().peek()).rejects.toMatchObject(UNAVAILABLE);
  });
});

describe("a SQLite database", () => {
  const opening = async (...settings: string[]): Promise<unknown> => {
    const database = new Database(`${await place()}/errand.db`);
    for (const setting of settings) database.exec(`pragma ${setting}`);
    const store = sqlStore({ connection: sqlite(database) });
    try {
      return await store.open(WRITER);
    } finally {
      await store.close();
    }
  };

  test("is refused where a crash may lose what was committed, or break it", async () => {
    for (const settings of [
      [],
      ["journal_mode = memory"],
      ["journal_mode = off", "synchronous = extra"],
      ["journal_mode = wal", "synchronous = normal"],
      ["journal_mode = truncate", "synchronous = full"],
    ])
      await expect(opening(...settings), settings.join()).rejects.toMatchObject({
        ...UNAVAILABLE,
        message: expect.stringContaining("PRAGMA"),
      });
  });

  test("is taken in WAL mode, with EXTRA in another, and in memory, where nothing is meant to last", async () => {
    await opening("journal_mode = wal");
    await opening("synchronous = extra");
    const store = sqlStore({ connection: sqlite(new Database(":memory:")) });
    expect(await store.open(WRITER)).toEqual({ nextSeq: 1 });
    await store.close();
  });
});

describe("sqlStore", () => {
  const connection = sqlite(new Database(":memory:"));
  const given = (options: unknown): (() => unknown) => {
    // A program in JavaScript may pass such values.
    return () => sqlStore(options as SqlStoreOptions);
  };

  test("takes no name that is not one, or too long for the longest of its tables", () => {
    for (const namespace of [
      "",
      "1a",
      "A",
      "a-b",
      "a b",
      'a"b',
      "a;drop table b",
      "sqlite",
      "sqlite_a",
      "ä",
      "a".repeat(48),
    ])
      expect(given({ connection, namespace }), namespace).toThrow(RangeError);
    expect(given({ connection, namespace: 7 })).toThrow(TypeError);
    for (const namespace of ["a", "_", "errand_2", "a".repeat(47), "sqlitely"])
      expect(given({ connection, namespace }), namespace).not.toThrow();
  });

  test("takes no lease that is no time", () => {
    for (const leaseMs of [0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY])
      expect(given({ connection, leaseMs }), String(leaseMs)).toThrow(RangeError);
    expect(given({ connection, leaseMs: "1" })).toThrow(TypeError);
    expect(sqlStore({ connection }).shared?.leaseMs).toBe(15_000);
  });

  test("takes no connection that is none, and no option that it does not have", () => {
    expect(given({ connection: {} })).toThrow(TypeError);
    expect(given({ connection: { ...connection, query() {}, transaction() {}, dialect: "mysql" } })).toThrow(TypeError);
    expect(given({ connection, table: "a" })).toThrow(/no option "table"/);
    expect(() => sqlite({} as never)).toThrow(TypeError);
    expect(() => postgres({} as never)).toThrow(TypeError);
  });
});
