// Steering: a message to the task of a loop reaches the loop, whether it sleeps, works or receives (§8, §9).

import { expect, test } from "vitest";
import { TaskManager } from "../../lib/index.js";
import { memoryStore } from "../../lib/testing/index.js";
import { deferred, settled } from "../support/basics.js";
import { quietWorld, told } from "../support/loops.js";

const textOf = (batch: { readonly text: string } | undefined) => batch?.text.split("\n").slice(1, -1);

test("a message wakes the loop that sleeps, is delivered once, and is not received again", async () => {
  const { manager } = quietWorld();
  const gate = deferred();
  const loop = manager.spawn(async (ctx) => {
    ctx.spawn(() => gate.promise, { title: "work" });
    const woken = await ctx.nextNotices();
    const again = await ctx.nextNotices({ timeoutMs: 0 });
    await woken?.ack();
    const received = await ctx.receive({ timeoutMs: 0 });
    const rest = ctx.nextNotices();
    gate.resolve();
    return { woken, again, received, rest: told(await rest)?.length };
  });
  await settled();
  expect(loop.record.blockedOn).toEqual([{ on: "notice" }]);
  const message = await loop.send("also <Åland>\nplease");
  const seen = await loop.result();
  expect(seen.woken?.notices).toEqual([
    { id: message.id, taskId: loop.id, at: 0, type: "message.sent", message, text: expect.any(String) },
  ]);
  expect(textOf(seen.woken)).toEqual(['- you received: "also ‹Åland› please"']);
  // The batch was not acknowledged, so it came again (N1).
  expect(seen.again?.notices).toEqual(seen.woken?.notices);
  expect([seen.received, seen.rest]).toEqual([undefined, 1]);
});

test("a message that is received is not delivered, though a batch that was not acknowledged had it", async () => {
  const { manager, pass } = quietWorld();
  const loop = manager.spawn(
    async (ctx) => {
      ctx.spawn((child) => child.sleep(1e6));
      await ctx.sleep(1);
      const first = await ctx.nextNotices({ timeoutMs: 0 });
      const received = await ctx.receive({ timeoutMs: 0 });
      const second = await ctx.nextNotices({ timeoutMs: 0 });
      await first?.ack();
      const third = await ctx.nextNotices({ timeoutMs: 0 });
      return [first, second, third].map((batch) => batch?.notices.map(({ id }) => id)).concat([[received?.id ?? ""]]);
    },
    { children: "cancel" },
  );
  await settled();
  const one = await loop.send("one");
  const two = await loop.send("two");
  await pass(1);
  expect(await loop.result()).toEqual([[one.id, two.id], [two.id], [], [one.id]]);
});

test("an answer to a question is the asker's, and no notice", async () => {
  const { manager } = quietWorld();
  const loop = manager.spawn(
    async (ctx) => {
      ctx.spawn((child) => child.sleep(1e6));
      const answer = await ctx.ask({ question: "Which?" });
      return [answer, told(await ctx.nextNotices({ timeoutMs: 0 }))];
    },
    { children: "cancel" },
  );
  await settled();
  const [request] = manager.inbox.list();
  await loop.send("this", { inReplyTo: request?.id });
  expect(await loop.result()).toEqual(["this", []]);
});

test("D1 a message is delivered once it is stored", async () => {
  const manager = await TaskManager.open({ store: memoryStore() });
  const loop = manager.spawn(
    async (ctx) => {
      ctx.spawn((child) => child.sleep(1e6));
      return told(await ctx.nextNotices());
    },
    { children: "cancel" },
  );
  await loop.stored();
  await settled();
  const sent = loop.send("look");
  const seen = await loop.result();
  expect(seen).toEqual([`${loop.id} message`]);
  await sent;
  await manager.close();
});

test("a loop that is given the same batch again and again is warned of, once", async () => {
  const warned: string[] = [];
  const logger = { debug() {}, info() {}, error() {}, warn: (what: string) => void warned.push(what) };
  const { manager } = quietWorld({ logger });
  const chat = manager.session("chat");
  chat.spawn(() => 1);
  await settled();
  for (let n = 0; n < 40; n++) expect(told(await chat.nextNotices())).toHaveLength(1);
  expect(warned).toEqual([expect.stringMatching(/session chat .* call ack\(\)/)]);
});
