// Store methods: the methods that an object must have to be used as a store (§12).
//
// Every function that takes a store checks it here first, so a store without a method is refused at once, by name, and
// not at the first use of the method. Calls none of the methods.

import { checkFinite, checkMethod, checkType, show } from "../values/checks.js";
import type { SharedJournals, TaskStore } from "./store.js";

type OptionalMethod = "readLists" | "outputPlace";
const OPTIONAL_METHODS: { readonly [method in OptionalMethod]: true } = { readLists: true, outputPlace: true };

/** The methods, as records, so that the compiler finds a method that is missing here. */
const STORE_METHODS: { readonly [method in Exclude<keyof TaskStore, "shared" | OptionalMethod>]: true } = {
  open: true,
  peek: true,
  append: true,
  read: true,
  compact: true,
  putOutput: true,
  getOutput: true,
  deleteOutputs: true,
  close: true,
};
const SHARED_METHODS: { readonly [method in Exclude<keyof SharedJournals, "leaseMs" | "own" | "ids">]: true } = {
  heartbeat: true,
  others: true,
  seize: true,
};

/** Throws a `TypeError` or `RangeError` that names the method, or the option of `shared`, that does not fit. */
export function checkStore(option: string, store: TaskStore): void {
  if (typeof store === "string") {
    const example = `fileStore(${show(store)}) of errand/stores/file`;
    throw new TypeError(`${option} must be an object, got ${show(store)}: for a directory use ${example}`);
  }
  checkType(option, store, "object");
  for (const method of Object.keys(STORE_METHODS)) checkMethod(option, store, method);
  for (const method of Object.keys(OPTIONAL_METHODS))
    if (Reflect.get(store, method) !== undefined) checkMethod(option, store, method);
  const { shared } = store;
  if (shared === undefined) return;
  checkType(`${option}.shared`, shared, "object");
  for (const method of Object.keys(SHARED_METHODS)) checkMethod(`${option}.shared`, shared, method);
  checkType(`${option}.shared.leaseMs`, shared.leaseMs, "number");
  checkFinite(`${option}.shared.leaseMs`, shared.leaseMs);
  if (shared.leaseMs <= 0)
    throw new RangeError(`${option}.shared.leaseMs must be a number of milliseconds > 0, got ${shared.leaseMs}`);
}
