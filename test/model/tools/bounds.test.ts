// Bounds of the tools: for any input and any texts of tasks, a result is JSON of at most `maxResultBytes` bytes (§9).

import type { Json, Session } from "errand";
import { manualClock } from "errand/testing";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TaskManager } from "../../../lib/index.js";
import { visible, visibleJson } from "../../../lib/model/prompt/visible.js";
import { bytesOf, kinds, type Result, textIn, toolsOf } from "../../support/agent.js";
import { settled } from "../../support/basics.js";
import { untilStopped } from "../../support/program.js";

/** Texts that are long, hostile, or both. */
const words = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.string({ unit: "grapheme", maxLength: 40 }),
  fc
    .tuple(
      fc.constantFrom("x", '"', "\\", "\u0000", "\u0085", "é", "東", "🗼", "\uD83D", "\u202E", "\u{E0041}", "\n"),
      fc.integer({ min: 1, max: 6_000 }),
    )
    .map(([unit, many]) => unit.repeat(many)),
);
const text = words.map((each) => (each === "" ? "x" : each));
const limit = fc.oneof(fc.constantFrom(512, 513, 2_048), fc.integer({ min: 512, max: 6_000 }));

/** Writes every text that a task can write, each from `say`. */
async function talkative(session: Session, say: () => string): Promise<void> {
  const shared = { title: say(), agent: say(), tags: [say()], metadata: { [say()]: say() } };
  const parent = session.spawn(
    async (ctx) => {
      ctx.progress({ current: 1e-7, total: 1e21, unit: say(), label: say() });
      ctx.summary(say());
      ctx.output(say(), say());
      ctx.reportUsage({ inputTokens: 1e15, outputTokens: 1, costUsd: 1 / 3 });
      for (let n = 0; n < 12; n++) ctx.artifact({ name: say(), type: say(), url: say() });
      for (let n = 0; n < 7; n++)
        void ctx.post([
          { type: "text", text: say() },
          { type: "data", data: [say()] },
        ]);
      for (let n = 0; n < 3; n++) ctx.spawn(untilStopped, { title: say() });
      for (let n = 0; n < 3; n++)
        void ctx.ask({ question: say(), choices: [say(), say()], details: say() }).catch(() => 1);
      await ctx.approve(say());
    },
    { ...shared, id: `long ${say()}`, name: `name ${say()}`, budget: { tokens: 1e16, costUsd: 1e9, tasks: 1e9 } },
  );
  session.spawn(() => ({ [say()]: [say()] }), shared);
  session.spawn(say, shared);
  session.spawn(() => Promise.reject(new Error(say())), shared);
  session.spawn(untilStopped, shared);
  const cancelled = session.spawn(untilStopped);
  void cancelled.cancel(say());
  void parent.send(say());
  await settled(2);
}

/** Inputs that are nearly right: known fields and tasks, with some other values. */
function inputs(ids: readonly string[]) {
  const one = fc.oneof(
    fc.constantFrom(...ids),
    fc.constantFrom("echo", "dig", "ask", "live", "succeeded", "any", "all", "request_1", "request_4"),
    fc.integer({ min: -1, max: 3_000 }),
    text,
    fc.constantFrom(null, true, undefined, [], {}, Number.NaN),
    fc.subarray([...ids]),
    fc.anything({ withBigInt: true, withMap: true, withNullPrototype: true }),
  );
  const fields = ["task_id", "task_ids", "kind", "input", "name", "title", "status", "after", "limit", "full", "mode"];
  const more = ["message", "in_reply_to", "reason", "result_after", "output_after", text];
  const names = fc.oneof(...[...fields, ...more].map((name) => (typeof name === "string" ? fc.constant(name) : name)));
  // The call must not wait, because the clock of this test does not advance.
  const atOnce = { timeout_ms: 0, wait_ms: 0 };
  return {
    known: (name: string) =>
      fc.dictionary(names, one, { maxKeys: 4 }).map((given) => {
        const waits = name === "await_tasks" ? { timeout_ms: 0 } : name === "cancel_task" ? { wait_ms: 0 } : {};
        const id = ids[Object.keys(given).length % ids.length];
        return { ...(name === "list_tasks" || name === "await_tasks" ? {} : { task_id: id }), ...given, ...waits };
      }),
    any: fc
      .anything({ withBigInt: true, withMap: true })
      .filter((given) => Object(given) !== given || !("timeout_ms" in Object(given))),
    atOnce,
  };
}

const tools = ["spawn_task", "list_tasks", "get_task", "await_tasks", "message_task", "cancel_task"] as const;

function isPlain(value: unknown): boolean {
  return JSON.stringify(JSON.parse(JSON.stringify(value))) === JSON.stringify(value);
}

/** Whether every text in a value is visible, names of fields too (§12). */
function isSeen(value: unknown): boolean {
  if (typeof value === "string")
    return !/(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u.test(value);
  if (typeof value !== "object" || value === null) return true;
  return Object.entries(value).every(([key, item]) => isSeen(key) && isSeen(item));
}

describe("§9 an answer", () => {
  test("§12 to any input, of any tasks, is plain JSON within its bytes in which all can be seen, and never an error", async () => {
    await fc.assert(
      fc.asyncProperty(fc.infiniteStream(text), limit, fc.gen(), async (said, maxResultBytes, draw) => {
        const manager = new TaskManager({ kinds, clock: manualClock() });
        const session = manager.session("chat");
        await talkative(session, () => said.next().value ?? "x");
        const ids = manager.list().map(({ id }) => id);
        const call = toolsOf(session, { maxResultBytes });
        const given = inputs(ids);
        for (const name of tools) {
          const isWaiting = name === "await_tasks" || name === "cancel_task";
          const input: unknown = isWaiting || draw(fc.boolean) ? draw(given.known, name) : draw(() => given.any);
          const result = await call(name, input);
          expect(bytesOf(result), name).toBeLessThanOrEqual(maxResultBytes);
          expect(isPlain(result), name).toBe(true);
          expect(isSeen(result), name).toBe(true);
        }
        // Each task is read in its present state.
        for (const task_id of ids) {
          const result = await call("get_task", { task_id, full: true });
          expect(bytesOf(result)).toBeLessThanOrEqual(maxResultBytes);
          expect(isSeen(result)).toBe(true);
        }
        await manager.close({ graceMs: 0 });
      }),
      { numRuns: 60, timeout: 60_000 },
    );
  }, 600_000);

  test("reads hostile objects without running into them", async () => {
    const call = toolsOf(new TaskManager({ kinds }).session("chat"));
    const trap = {
      get task_id(): string {
        throw new Error("boo");
      },
    };
    const loop: { task_id?: unknown } = {};
    loop.task_id = loop;
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    for (const input of [
      trap,
      loop,
      proxy,
      Object.create(null),
      new Date(),
      JSON.parse('{"__proto__":{"task_id":"x"}}'),
    ])
      expect(await call("get_task", input)).toMatchObject({ error: expect.stringContaining("Bad input") });
  });
});

describe("§9 what is cut", () => {
  test("is read on to the very end, and no character is cut in two", async () => {
    const whole = fc.oneof(
      fc.array(words, { maxLength: 6 }).map((each) => each.join("")),
      fc.json({ maxDepth: 6 }).map((json) => JSON.parse(json) as object),
      fc.array(words, { maxLength: 6 }),
    );
    await fc.assert(
      fc.asyncProperty(whole, limit, async (value, maxResultBytes) => {
        const manager = new TaskManager();
        const session = manager.session("chat");
        const { id } = session.spawn(() => value);
        await settled(1);
        const call = toolsOf(session, { maxResultBytes });
        const seen = visibleJson(value as Json);
        const text = typeof seen === "string" ? seen : JSON.stringify(seen);
        const pages: string[] = [];
        for (let after = 0; ; ) {
          const result = await call("get_task", { task_id: id, result_after: after });
          const { result_chars, result_more } = result;
          const page = textIn(result, "result_text");
          pages.push(page);
          expect(result_chars).toBe(text.length);
          expect(page).not.toMatch(/\p{Cs}/u);
          after += page.length;
          if (result_more === undefined) break;
          expect(result_more).toBe(`get_task with result_after ${after}`);
          expect(page).not.toBe("");
        }
        expect(pages.join("")).toBe(text);
        const first = await call("get_task", { task_id: id });
        if ("result" in first) expect(JSON.stringify(first.result)).toBe(JSON.stringify(seen));
        else expect(text.startsWith(textIn(first, "result_text"))).toBe(true);
        await manager.close();
      }),
      { numRuns: 100 },
    );
  });

  test("of output is followed by its cursor without a gap", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(words, { maxLength: 8 }), limit, async (writes, maxResultBytes) => {
        const manager = new TaskManager();
        const session = manager.session("chat");
        const { id } = session.spawn(async (ctx) => {
          for (const written of writes) ctx.output("stdout", written);
          await untilStopped(ctx);
        });
        await settled(1);
        const call = toolsOf(session, { maxResultBytes });
        const output = session.get(id)?.output().text ?? "";
        let read = "";
        let cursor = 0;
        for (let more: Result[string] | undefined = 1; more !== undefined; ) {
          const result: Result = await call("get_task", { task_id: id, output_after: cursor });
          // The visible output from one cursor to the next.
          cursor = Number(result.output_cursor ?? cursor);
          read += "output" in result ? textIn(result, "output") : "";
          more = result.output_more;
        }
        expect(read).toBe(visible(output));
        await manager.close({ graceMs: 0 });
      }),
      { numRuns: 60 },
    );
  });
});
