// The kind `process` on execa 10, by the laws of the kind on execa 9. In version 10 a subprocess is a plain promise.

import { expect, test, vi } from "vitest";

vi.mock("execa", () => {
  // execa 10 is for Node 22: Node 20 lacks this one feature of the language.
  if (!("union" in Set.prototype)) {
    const union = function (this: Set<unknown>, other: Iterable<unknown>) {
      return new Set([...this, ...other]);
    };
    // oxlint-disable-next-line no-extend-native -- filled in, as a user of Node 20 would
    Object.defineProperty(Set.prototype, "union", { configurable: true, value: union });
  }
  return import("execa-10");
});

await import("../process.test.js");
await import("./end.test.js");

test("execa is version 10 here", async () => {
  const [{ execa }, ten] = await Promise.all([import("execa"), import("execa-10")]);
  expect(execa).toBe(ten.execa);
});
