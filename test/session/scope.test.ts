// Scope: the messages of bad input to `spawn` and `get` name the mistake and the right form (§12).

import { defineKind, TaskManager } from "errand";
import { describe, expect, test } from "vitest";

describe("§12 a scope", () => {
  test("says to pass a function where a promise is spawned", () => {
    // @ts-expect-error a promise is no work
    expect(() => new TaskManager().spawn(Promise.resolve(1))).toThrow(
      new TypeError("spawn got a promise: pass the function that makes it, as in spawn(() => load())"),
    );
  });

  test("names the forms of work where anything else is spawned", () => {
    // @ts-expect-error an object is no work
    expect(() => new TaskManager().spawn({ run: () => 1 })).toThrow(
      new TypeError("spawn needs a function, a kind, or the name of a kind, got an object"),
    );
  });

  test("says how to get a task that is of another kind", () => {
    const manager = new TaskManager();
    manager.spawn(() => 1, { id: "plain" });
    const crawl = defineKind({ name: "crawl", run: () => 1 });
    expect(() => manager.get("plain", crawl)).toThrow(
      new TypeError('Task plain is a plain function, not of kind "crawl": pass its own kind, or none'),
    );
  });
});
