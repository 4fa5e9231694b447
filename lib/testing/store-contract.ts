// Store contract: the laws of `TaskStore`, which any test runner can run against a store.
//
// Owns how one law runs: each law uses a new store, and makes the calls that the manager makes. The laws are in
// lib/testing/store-contract/. They assume nothing about where or how a store keeps its data. Each title names the rule
// that the law protects (D1, D2, D3, D5, D6, D7).

import type { TaskStore } from "../core/durable/store.js";
import { checkType } from "../core/values/checks.js";
import { APPENDING } from "./store-contract/appending.js";
import { DAMAGE } from "./store-contract/damage.js";
import type { Law } from "./store-contract/law.js";
import { LISTS } from "./store-contract/lists.js";
import { OUTPUTS } from "./store-contract/outputs.js";
import { SNAPSHOTS } from "./store-contract/snapshots.js";
import { WRITER_PLACE } from "./store-contract/writer-place.js";

/** A new, empty store to test. */
export interface StoreUnderTest {
  /** The store, not open yet. */
  readonly store: TaskStore;
  /**
   * Returns another store on the same data, not open yet. The function closes or abandons the store that is open; the
   * law does not use that store again.
   */
  reopen(): Promise<TaskStore>;
  /** Removes the data of the store. `storeContract` calls this function after each law, also when the law failed. */
  cleanup(): Promise<void>;
}

/** One law that every store must keep. */
export interface StoreLaw {
  /** The law as a sentence, for the title of a test. */
  readonly title: string;
  /** Runs the law against a new store. Rejects when the store breaks the law. */
  run(): Promise<void>;
}

/**
 * Returns every law of a store, for a test runner to run one by one. `make` returns an empty store and is called once
 * for each law that runs. `TypeError` if `make` is not a function.
 */
export function storeContract(make: () => Promise<StoreUnderTest>): readonly StoreLaw[] {
  checkType("make", make, "function");
  return LAWS.map(([title, law]) => ({
    title,
    async run() {
      const made = await make();
      try {
        await law({ store: made.store, reopen: () => made.reopen() });
      } finally {
        await made.cleanup();
      }
    },
  }));
}

const LAWS: readonly Law[] = [...APPENDING, ...LISTS, ...SNAPSHOTS, ...DAMAGE, ...OUTPUTS, ...WRITER_PLACE];
