// Programs that once disagreed with the model, as they were printed; each under the law it broke.

import { test } from "vitest";
import { program } from "./program.js";

test("a wait that was rejected cancels no rest, not even while its tasks' end is being delivered (C6, W4)", async () => {
  const p = program();
  await p.spawn("x");
  await p.spawn("q");
  await p.spawn("p", { by: "q", body: "deaf" });
  await p.spawn("d", { by: "p", detached: true });
  await p.awaitTasks("w1", ["x", "p"], { by: "q", until: "any", cancelRest: true });
  await p.awaitTasks("w2", ["x", "d"], { by: "p", until: "any", cancelRest: true });
  await p.return("x");
});

test("through the context of a task that was stopped nothing is asked or received, and its cancel is no other task's (C4)", async () => {
  const p = program();
  await p.spawn("b", { body: "deaf" });
  await p.spawn("a");
  await p.cancel("c", "b");
  await p.ask("w1", { by: "a", ctx: "b" });
  await p.receive("w2", { by: "a", ctx: "b" });
});

test("through the context of a task that was given up no wait lasts for ever (§3, C3)", async () => {
  const p = program({ concurrency: 2, graceMs: 10 });
  await p.spawn("b", { body: "deaf" });
  await p.spawn("a");
  await p.cancel("c", "b");
  await p.advance(10);
  await p.ask("w1", { by: "a", ctx: "b" });
  await p.receive("w2", { by: "a", ctx: "b", timeoutMs: 5 });
  await p.advance(5);
});

test("pause takes back the slot of a task that has not started, and its place is kept (L4)", async () => {
  const p = program();
  await p.together((q) => [q.spawn("a"), q.pause("default")]);
  await p.spawn("b", { priority: 1 });
  await p.resume("default");
});
