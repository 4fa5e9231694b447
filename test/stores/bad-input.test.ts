// The arguments of stores are checked where they are given: the error names the option (§12).

import { readdir } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { TaskManager, type TaskStore, viewStore } from "errand";
import { memoryStore, storeContract } from "errand/testing";
import { describe, expect, test } from "vitest";
import { fileStore, verifyJournal } from "../../lib/stores/file.js";
import { postgres, sqlite, sqlStore } from "../../lib/stores/sql.js";
import { place } from "../support/place.js";

const METHODS = ["open", "peek", "append", "read", "compact", "putOutput", "getOutput", "deleteOutputs", "close"];

/** Returns a store like `store` whose `name` is `value`. */
function withField(name: string, value: unknown): TaskStore {
  return new Proxy(memoryStore(), {
    get: (target, key) => (key === name ? value : Reflect.get(target, key)),
  });
}

async function bothRefuse(store: unknown, name: RegExp, type: typeof TypeError | typeof RangeError = TypeError) {
  for (const open of [() => TaskManager.open({ store: store as TaskStore }), () => viewStore(store as TaskStore)]) {
    const error: unknown = await open().then(
      () => undefined,
      (why: unknown) => why,
    );
    expect(error).toBeInstanceOf(type);
    expect(String(error)).toMatch(name);
  }
}

describe("§12 a store", () => {
  test.each(METHODS)("that lacks %s, or has something else in its place, is refused at once, by name", async (name) => {
    for (const value of [undefined, null, "text", {}]) {
      await bothRefuse(withField(name, value), new RegExp(`store\\.${name} must be a function`));
    }
  });

  test.each(["heartbeat", "others", "seize"])(
    "that is shared and lacks %s is refused at once, by name",
    async (name) => {
      const shared = { leaseMs: 1_000, heartbeat: () => {}, others: () => {}, seize: () => {}, [name]: undefined };
      await bothRefuse(withField("shared", shared), new RegExp(`store\\.shared\\.${name} must be a function`));
    },
  );

  test("that is shared has a lease of a length", async () => {
    const methods = { heartbeat: () => {}, others: () => {}, seize: () => {} };
    for (const leaseMs of [undefined, "1000", null])
      await bothRefuse(withField("shared", { ...methods, leaseMs }), /store\.shared\.leaseMs/);
    for (const leaseMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
      await bothRefuse(withField("shared", { ...methods, leaseMs }), /store\.shared\.leaseMs/, RangeError);
    await bothRefuse(withField("shared", null), /store\.shared must be an object/);
  });

  test("is an object", async () => {
    for (const store of [null, "./.errand", 1, () => memoryStore()]) await bothRefuse(store, /store must be an object/);
  });
});

describe("§12 a directory", () => {
  test.each(["", " ", "\t\n", "a\0b", "file:///tmp/store", "FILE:store"])(
    "is a path: %j is refused by name",
    async (name) => {
      expect(() => fileStore(name)).toThrow(RangeError);
      expect(() => fileStore(name)).toThrow(/directory/);
      await expect(verifyJournal(name)).rejects.toThrow(/directory/);
    },
  );

  test.each([[undefined], [null], [1], [{}], [pathToFileURL("/tmp/store")]])("is a text, and not %s", async (value) => {
    expect(() => fileStore(value as never)).toThrow(TypeError);
    expect(() => fileStore(value as never)).toThrow(/directory/);
    await expect(verifyJournal(value as never)).rejects.toThrow(TypeError);
  });

  test("is not made before the store is opened", async () => {
    const directory = await place();
    fileStore(`${directory}/of/store`);
    expect(await readdir(directory)).toEqual([]);
  });
});

test("§12 what a store is made of is named when it does not fit", () => {
  expect(() => sqlStore(undefined as never)).toThrow(/options of sqlStore/);
  expect(() => sqlStore({} as never)).toThrow(/connection/);
  expect(() => postgres(undefined as never)).toThrow(/pool/);
  expect(() => sqlite(undefined as never)).toThrow(/database/);
  expect(() => storeContract(undefined as never)).toThrow(/make/);
});
