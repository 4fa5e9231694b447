// The laws of `storeContract`, run against every store that errand ships.
import { rm } from "node:fs/promises";
import { memoryStore, type StoreUnderTest, storeContract } from "errand/testing";
import { describe, test } from "vitest";
import { fileStore } from "../../lib/stores/file.js";
import { sqlStore } from "../../lib/stores/sql.js";
import { pictureOf, place } from "../support/place.js";
import { lapse, postgresKind, type SqlKind, sqliteKind, sqliteKindOf } from "../support/sql-place.js";
import { otherDrivers } from "../support/sqlite-drivers.js";

async function inMemory(): Promise<StoreUnderTest> {
  const store = memoryStore();
  return {
    store,
    async reopen() {
      await store.close();
      return store;
    },
    cleanup: () => store.close(),
  };
}

async function onDisk(): Promise<StoreUnderTest> {
  const directory = await place();
  const store = fileStore(directory);
  return {
    store,
    async reopen() {
      await store.close();
      return fileStore(directory);
    },
    cleanup: () => rm(directory, { recursive: true, force: true }),
  };
}

/** Simulates a kill -9: the first store is not closed. */
async function onDiskOfTheDead(): Promise<StoreUnderTest> {
  const directory = await place();
  const store = fileStore(directory);
  let last = directory;
  return {
    store,
    async reopen() {
      last = await pictureOf(last);
      return fileStore(last);
    },
    cleanup: () => store.close(),
  };
}

function inDatabase(kind: SqlKind): () => Promise<StoreUnderTest> {
  return async () => {
    const { namespace, connect } = await kind.make();
    const store = sqlStore({ connection: connect(), namespace });
    return {
      store,
      async reopen() {
        await store.close();
        return sqlStore({ connection: connect(), namespace });
      },
      cleanup: () => store.close(),
    };
  };
}

/** Simulates a kill -9 after which the lease has lapsed. */
function inDatabaseOfTheDead(kind: SqlKind): () => Promise<StoreUnderTest> {
  return async () => {
    const made = await kind.make();
    const { namespace, connect } = made;
    const store = sqlStore({ connection: connect(), namespace });
    return {
      store,
      async reopen() {
        await lapse(made);
        return sqlStore({ connection: connect(), namespace });
      },
      cleanup: () => store.close(),
    };
  };
}

const postgresql = await postgresKind((words) => void process.stderr.write(`${words}\n`));
if (postgresql === undefined) test.skip("the SQL store on PostgreSQL: there is none to be reached");
const onPostgres: [name: string, make: () => Promise<StoreUnderTest>][] =
  postgresql === undefined
    ? []
    : [["the SQL store on PostgreSQL whose first writer was killed", inDatabaseOfTheDead(postgresql)]];

const drivers = await otherDrivers();
for (const words of drivers.lacking) {
  process.stderr.write(`skipped: ${words}\n`);
  test.skip(`the SQL store on SQLite: ${words}`);
}
const onOtherDrivers = drivers.found.map((driver): [name: string, make: () => Promise<StoreUnderTest>] => [
  `the SQL store on SQLite by ${driver.name} whose first writer was killed`,
  inDatabaseOfTheDead(sqliteKindOf(driver)),
]);

describe.each<[name: string, make: () => Promise<StoreUnderTest>]>([
  ["the memory store", inMemory],
  ["the file store", onDisk],
  ["the file store whose first writer was killed", onDiskOfTheDead],
  ["the SQL store on SQLite", inDatabase(sqliteKind)],
  ["the SQL store on SQLite whose first writer was killed", inDatabaseOfTheDead(sqliteKind)],
  ...onOtherDrivers,
  ...onPostgres,
])("%s", (_name, make) => {
  for (const law of storeContract(make)) test(law.title, () => law.run());
});
