// Functions settle when they like: whatever order fast-check's scheduler chooses, the model, the manager and the laws agree.

import {
  array,
  assert,
  asyncProperty,
  boolean,
  constantFrom,
  nat,
  record,
  type Scheduler,
  scheduler,
} from "fast-check";
import { expect, test } from "vitest";
import { program } from "./program.js";

/** A tree of deaf functions: who is whose child, who runs, who waits. */
const tree = array(record({ parent: nat({ max: 5 }), isDetached: boolean(), sleeps: boolean() }), {
  minLength: 2,
  maxLength: 6,
});
const ending = constantFrom("return", "throw");

test("a swept tree ends leaf first in whatever order its functions settle (H1, H2, C1)", async () => {
  await assert(
    asyncProperty(tree, array(ending, { minLength: 6, maxLength: 6 }), scheduler(), async (tasks, ends, s) => {
      const p = program({ concurrency: 2 });
      const names = tasks.map((_, at) => `t${at}`);
      for (const [at, { parent, isDetached, sleeps }] of tasks.entries()) {
        const above = at === 0 ? {} : { parent: `t${parent % at}`, ...(isDetached ? { detached: true as const } : {}) };
        await p.spawn(`t${at}`, { ...above, body: "deaf", children: "await" });
        if (sleeps && p.play.model.tasks.get(`t${at}`)?.phase === "open") await p.sleep(`w${at}`, 50, { by: `t${at}` });
      }
      await p.cancel("c", "t0");

      const isOpen = (name: string) => p.play.model.tasks.get(name)?.phase === "open";
      // Those that have not started yet are left for later: they need the slots of others.
      for (const at of [...(await orderOf(s, names.length)), ...names.keys()]) {
        const name = names[at] ?? "";
        if (isOpen(name)) await (ends[at] === "return" ? p.return(name) : p.throw(name));
      }
      expect(p.play.model.tasks.get("t0")?.isOver).toBe(true);
    }),
    { numRuns: 80, seed: 20 },
  );
});

test("answers, messages and time meet in whatever order, and each wait is decided once (A1, C6)", async () => {
  await assert(
    asyncProperty(scheduler(), nat({ max: 20 }), async (s, ms) => {
      const p = program({ concurrency: 1, graceMs: 10 });
      await p.spawn("a", { timeoutMs: 10, totalTimeoutMs: 30 });
      await p.spawn("b", { by: "a", body: "deaf" });
      await p.ask("w1", { by: "a", timeoutMs: 10 });
      await p.receive("w2", { by: "a", timeoutMs: 15 });
      await p.awaitTasks("w3", ["b"], { by: "a", timeoutMs: 20, signal: "s1" });
      const happenings = [
        () => p.answer("w1"),
        () => p.reject("w1"),
        () => p.send("a"),
        () => p.return("b"),
        () => p.abort("s1"),
        () => p.advance(ms),
        () => p.cancel("c", "a"),
        () => p.result("r", "a"),
      ];
      for (const at of await orderOf(s, happenings.length)) await happenings[at]?.();
      await p.advance(60);
      expect(p.play.model.waits.get("r")?.told).toBeDefined();
    }),
    { numRuns: 80, seed: 20 },
  );
});

/** The order in which the scheduler lets `count` independent promises resolve. */
async function orderOf(s: Scheduler, count: number): Promise<readonly number[]> {
  const order: number[] = [];
  const all = Array.from({ length: count }, async (_, at) => {
    await s.schedule(Promise.resolve(), String(at));
    order.push(at);
  });
  await s.waitFor(Promise.all(all));
  return order;
}
