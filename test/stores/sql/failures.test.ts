// Failures of a database under the SQL store: it breaks half-way, loses an answer, is busy, or refuses. No half of a
// write is kept.
import { setTimeout as sleep } from "node:timers/promises";
import { sqlite, sqlStore } from "errand/stores/sql";
import Database from "libsql";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { SeizedJournal, TaskStore } from "../../../lib/core/durable/store.js";
import { eventsOf, note, notes, place, WRITER } from "../../support/place.js";
import { FaultyConnection } from "../../support/sql-faults.js";
import { lapse, type SqlPlace, sqlKinds } from "../../support/sql-place.js";

const UNAVAILABLE = { code: "STORE_UNAVAILABLE" };

let where: SqlPlace;
let connection: FaultyConnection;
let store: TaskStore;

async function seized(name: string): Promise<SeizedJournal> {
  const journal = await store.shared?.seize(name);
  if (journal === undefined) throw new Error(`journal ${name} was not seized`);
  return journal;
}

const kinds = await sqlKinds();

describe.each(kinds)("a connection that fails ($name)", ({ make }) => {
  beforeEach(async () => {
    where = await make();
    connection = new FaultyConnection(where.connect());
    store = sqlStore({ connection, namespace: where.namespace });
    await store.open(WRITER);
    onTestFinished(() => store.close());
  });

  test("is StoreUnavailableError with what it said, at whichever statement, and nothing is kept", async () => {
    await store.append(notes(1, 2));
    await store.compact("two", 2);
    await store.append(notes(3, 3));
    const writes: (() => Promise<void>)[] = [
      () => store.append(notes(4, 5)),
      () => store.compact("three", 3),
      () => store.putOutput("a", 1),
      () => store.deleteOutputs(["b"]),
    ];
    await store.putOutput("b", 2);
    for (const write of writes) {
      const before = [
        await store.peek(),
        await eventsOf(store),
        await store.getOutput("a"),
        await store.getOutput("b"),
      ];
      connection.breaksAt = 1;
      for (;;) {
        const isDone = await write().then(
          () => true,
          (error: unknown) => {
            expect(error).toMatchObject({ ...UNAVAILABLE, cause: { message: "the connection broke" } });
            return false;
          },
        );
        if (isDone) break;
        const after = [
          await store.peek(),
          await eventsOf(store),
          await store.getOutput("a"),
          await store.getOutput("b"),
        ];
        expect(after).toEqual(before);
        connection.breaksAt++;
      }
      expect(connection.breaksAt).toBeGreaterThan(2);
      connection.breaksAt = undefined;
    }
    expect(await store.peek()).toEqual({ nextSeq: 6, snapshot: "three" });
    expect(await eventsOf(store)).toEqual(notes(3, 5));
  });

  test("two journals become one all at once: at whichever statement it breaks, both stay as they were", async () => {
    const dead = sqlStore({ connection: where.connect(), namespace: where.namespace });
    onTestFinished(() => dead.close());
    await dead.open(WRITER);
    await dead.append(notes(1, 3));
    await dead.putOutput("a", "of the dead");
    await dead.compact("dead", 2);
    await store.append(notes(1, 2));
    await lapse(where, "2");
    const journal = await seized("2");
    for (connection.breaksAt = 1; ; connection.breaksAt++) {
      const isDone = await journal.absorb("both", 2).then(
        () => true,
        () => false,
      );
      if (isDone) break;
      expect(await store.peek()).toEqual({ nextSeq: 3 });
      expect(await store.getOutput("a")).toBe(undefined);
      expect(await journal.peek()).toEqual({ nextSeq: 4, snapshot: "dead" });
      expect(await eventsOf(journal)).toEqual(notes(1, 3));
      expect(await journal.getOutput("a")).toBe("of the dead");
    }
    expect(connection.breaksAt).toBeGreaterThan(6);
    expect(await store.peek()).toEqual({ nextSeq: 3, snapshot: "both" });
    expect(await store.getOutput("a")).toBe("of the dead");
    await expect(journal.peek()).rejects.toMatchObject(UNAVAILABLE);
  });

  test("a commit whose answer was lost is not made twice: the same events go with later ones", async () => {
    await store.append(notes(1, 2));
    connection.losesAnswer = true;
    await expect(store.append(notes(3, 5))).rejects.toMatchObject(UNAVAILABLE);
    await store.append([...notes(3, 4), note(5, "another"), note(6)]);
    expect(await eventsOf(store)).toEqual([...notes(1, 4), note(5, "another"), note(6)]);
    // The batch after the failure may also be shorter.
    connection.losesAnswer = true;
    await expect(store.append(notes(7, 9))).rejects.toMatchObject(UNAVAILABLE);
    await store.append(notes(7, 7));
    await store.close();
    expect(await store.open(WRITER)).toEqual({ nextSeq: 8 });
    await store.append(notes(8, 8));
  });

  test("a takeover whose answer was lost may be asked for again", async () => {
    const dead = sqlStore({ connection: where.connect(), namespace: where.namespace });
    onTestFinished(() => dead.close());
    await dead.open(WRITER);
    await dead.append(notes(1, 3));
    await lapse(where, "2");
    const journal = await seized("2");
    connection.losesAnswer = true;
    await expect(journal.absorb("both", 0)).rejects.toMatchObject(UNAVAILABLE);
    await store.append(notes(1, 1));
    await store.compact("both and one more", 1);
    await journal.absorb("both again", 1);
    expect(await store.peek()).toEqual({ nextSeq: 2, snapshot: "both again" });
  });

  test("D9 one of which some tasks were left, too; and what another process has made of that journal since stays", async () => {
    const dead = sqlStore({ connection: where.connect(), namespace: where.namespace });
    onTestFinished(() => dead.close());
    await dead.open(WRITER);
    await dead.append(notes(1, 3));
    await lapse(where, "2");
    const journal = await seized("2");
    const left = { snapshot: "left", seq: 3, outputs: [], ids: [] };
    connection.losesAnswer = true;
    await expect(journal.absorb("mine", 0, left)).rejects.toMatchObject(UNAVAILABLE);
    const third = sqlStore({ connection: where.connect(), namespace: where.namespace });
    onTestFinished(() => third.close());
    expect(await third.open(WRITER)).toEqual({ nextSeq: 4, snapshot: "left" });
    await third.append(notes(4, 4));
    await journal.absorb("mine", 0, left);
    expect(await eventsOf(third)).toEqual(notes(4, 4));
    expect(await store.peek()).toEqual({ nextSeq: 1, snapshot: "mine" });
  });

  test("an open that fails leaves the store to be opened again", async () => {
    const next = sqlStore({ connection, namespace: where.namespace });
    connection.breaksAt = 2;
    await expect(next.open(WRITER)).rejects.toMatchObject(UNAVAILABLE);
    await expect(next.append(notes(1, 1))).rejects.toMatchObject(UNAVAILABLE);
    connection.breaksAt = undefined;
    expect(await next.open(WRITER)).toEqual({ nextSeq: 1 });
    await next.close();
  });

  test("what was changed by hand is JournalCorruptError, which names the place", async () => {
    await store.append(notes(1, 6));
    const { ask, namespace } = where;
    const table = `${namespace}_events, journal 1`;
    await ask(`update ${namespace}_events set data = '{"seq":7}' where seq = 5`);
    await expect(eventsOf(store)).rejects.toMatchObject({ code: "JOURNAL_CORRUPT", file: table, line: 5 });
    await ask(`delete from ${namespace}_events where seq = 3`);
    await expect(eventsOf(store)).rejects.toMatchObject({ code: "JOURNAL_CORRUPT", file: table, line: 3 });
    await expect(eventsOf(store, { from: 3 })).rejects.toMatchObject({ code: "JOURNAL_CORRUPT", line: 3 });
    expect(await eventsOf(store, { from: 6 })).toEqual(notes(6, 6));
    await store.compact("snapshot", 0);
    await ask(`update ${namespace}_snapshots set data = '{'`);
    await store.close();
    await expect(store.open(WRITER)).rejects.toMatchObject({ code: "JOURNAL_CORRUPT" });
    await expect(store.open(WRITER)).rejects.toMatchObject({ code: "JOURNAL_CORRUPT" });
    await ask(`update ${namespace}_snapshots set data = '1'`);
    expect(await store.open(WRITER)).toEqual({ nextSeq: 7, snapshot: 1 });
  });

  test("a page of events that are long is followed by shorter pages, and all are read", async () => {
    const long = "x".repeat(60_000);
    const events = Array.from({ length: 300 }, (_, index) => note(index + 1, index > 150 ? long : ""));
    await store.append(events);
    expect((await eventsOf(store)).map(({ seq }) => seq)).toEqual(events.map(({ seq }) => seq));
  });
});

const postgresql = kinds.find(({ name }) => name === "PostgreSQL");

describe.skipIf(postgresql === undefined)("PostgreSQL", () => {
  beforeEach(async () => {
    if (postgresql === undefined) return;
    where = await postgresql.make();
    connection = new FaultyConnection(where.connect());
    store = sqlStore({ connection, namespace: where.namespace });
    await store.open(WRITER);
    onTestFinished(() => store.close());
  });

  test("a connection that is cut off in a transaction costs that transaction, and the next has another", async () => {
    connection.before = "select pg_terminate_backend(pg_backend_pid())";
    await expect(store.append(notes(1, 2))).rejects.toMatchObject({ ...UNAVAILABLE, cause: expect.any(Error) });
    await store.append(notes(1, 3));
    expect(await eventsOf(store)).toEqual(notes(1, 3));
  });

  test("a transaction that collided with another is made again", async () => {
    for (const state of ["40001", "40P01"]) {
      const { nextSeq } = await store.peek();
      connection.before = `do $$ begin raise exception using errcode = '${state}'; end $$`;
      await store.append(notes(nextSeq, nextSeq + 1));
    }
    expect(await eventsOf(store)).toEqual(notes(1, 4));
  });

  test("a zombie that holds its journal's row keeps no process waiting: the next begins another journal", async () => {
    await lapse(where);
    const unlock = await where.lockRows?.();
    const next = sqlStore({ connection: where.connect(), namespace: where.namespace });
    await next.open({ ...WRITER, instanceId: "next" });
    expect(await next.shared?.seize("1")).toBe(undefined);
    expect(await next.shared?.others()).toMatchObject([{ name: "1", isFree: true }]);
    await unlock?.();
    expect((await next.shared?.seize("1"))?.name).toBe("1");
    await next.close();
  });
});

describe("SQLite", () => {
  test("a file that another connection has is waited for, and the process goes on meanwhile", async () => {
    const file = `${await place()}/errand.db`;
    const [database, other] = [new Database(file), new Database(file)];
    database.exec("pragma journal_mode = wal");
    const busy = sqlStore({ connection: sqlite(database) });
    await busy.open(WRITER);
    other.exec("begin immediate");
    let isAppended = false;
    const appended = busy.append(notes(1, 2)).then(() => (isAppended = true));
    for (let turn = 0; turn < 5; turn++) await sleep(10);
    expect(isAppended).toBe(false);
    other.exec("commit");
    await appended;
    expect(await eventsOf(busy)).toEqual(notes(1, 2));
    await busy.close();
  });

  test("one connection is shared by stores and by the program that owns it", async () => {
    const database = new Database(`${await place()}/errand.db`);
    database.exec("pragma journal_mode = wal; create table mine (n)");
    const stores = [1, 2, 3].map((n) => sqlStore({ connection: sqlite(database), namespace: `n${n}` }));
    await Promise.all(stores.map((each) => each.open(WRITER)));
    await Promise.all(
      stores.map(async (each) => {
        for (let seq = 1; seq <= 20; seq++) {
          const appended = each.append([note(seq)]);
          database.prepare("insert into mine (n) values (?)").run(seq);
          await appended;
        }
      }),
    );
    for (const each of stores) expect(await eventsOf(each)).toEqual(notes(1, 20));
    expect(database.prepare("select count(*) as n from mine").get()).toMatchObject({ n: 60 });

    // While a transaction of the program is open, the writes of the stores reject.
    const [first] = stores;
    database.exec("begin");
    await expect(first?.append(notes(21, 21))).rejects.toMatchObject(UNAVAILABLE);
    database.exec("rollback");
    await first?.append(notes(21, 21));
    await Promise.all(stores.map((each) => each.close()));
  });

  test("a connection that was closed is StoreUnavailableError", async () => {
    const database = new Database(":memory:");
    const gone = sqlStore({ connection: sqlite(database) });
    await gone.open(WRITER);
    database.close();
    await expect(gone.append(notes(1, 1))).rejects.toMatchObject(UNAVAILABLE);
    await gone.close();
  });
});
