// One contract for every store.
import { rm } from "node:fs/promises";
import { memoryStore, type StoreUnderTest, storeContract } from "errand/testing";
import { describe, test } from "vitest";
import { fileStore } from "../../lib/stores/file.js";
import { pictureOf, place } from "../stores/place.js";

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

/** As after kill -9: the first store is not closed. */
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

describe.each([
  ["the memory store", inMemory],
  ["the file store", onDisk],
  ["the file store whose first writer was killed", onDiskOfTheDead],
])("%s", (_name, make) => {
  for (const law of storeContract(make)) test(law.title, () => law.run());
});
