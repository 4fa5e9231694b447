// Store methods: what an object must have before it is used as a store (§12).
//
// Everything that takes a store asks here first, so a store that lacks a method is refused at once, by name, and not when the method is
// missed. Calls none of them.

import { checkFinite, checkMethod, checkType } from "../values/checks.js";
import type { SharedJournals, TaskStore } from "./store.js";

/** Written as records, so that the compiler names a method that is missing here. */
const STORE_METHODS: { readonly [method in Exclude<keyof TaskStore, "shared" | "outputPlace">]: true } = {
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

/** `TypeError` or `RangeError` that names the method, or the option of `shared`, that does not fit. */
export function checkStore(option: string, store: TaskStore): void {
  checkType(option, store, "object");
  for (const method of Object.keys(STORE_METHODS)) checkMethod(option, store, method);
  if (store.outputPlace !== undefined) checkMethod(option, store, "outputPlace");
  const { shared } = store;
  if (shared === undefined) return;
  checkType(`${option}.shared`, shared, "object");
  for (const method of Object.keys(SHARED_METHODS)) checkMethod(`${option}.shared`, shared, method);
  checkType(`${option}.shared.leaseMs`, shared.leaseMs, "number");
  checkFinite(`${option}.shared.leaseMs`, shared.leaseMs);
  if (shared.leaseMs <= 0)
    throw new RangeError(`${option}.shared.leaseMs must be a number of milliseconds > 0, got ${shared.leaseMs}`);
}
