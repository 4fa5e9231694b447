// One batch of many notices (N1): its text, the notices that `ack` acknowledges, and where a model reads the others.

import type { Notice, NoticeBatch, Session, TaskContext } from "errand";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PendingNotice } from "../../lib/core/live/notice-queue.js";
import { NoticeQueues } from "../../lib/core/notices/notice-queues.js";
import { ReadyNotices } from "../../lib/core/notices/ready-notices.js";
import { chooseNotices } from "../../lib/model/prompt/notice-choice.js";
import { TOOL_NAMES } from "../../lib/model/prompt/tool-names.js";
import { agent, type Call, echo, type Result, textIn } from "../support/agent.js";
import { settled } from "../support/basics.js";
import { quietWorld } from "../support/loops.js";
import { given, hold, untilStopped } from "../support/program.js";
import { started } from "../support/restarts.js";

const MOST = 8_000;
const LONG = "r".repeat(600);

/** All batches that are ready, each acknowledged before the next call. */
async function drained(session: Pick<Session, "nextNotices">): Promise<readonly NoticeBatch[]> {
  const batches: NoticeBatch[] = [];
  for (;;) {
    const batch = await session.nextNotices({ timeoutMs: 0 });
    if (batch === undefined || batch.notices.length === 0) return batches;
    batches.push(batch);
    await batch.ack();
  }
}

const linesOf = ({ text }: NoticeBatch): string[] => text.split("\n").slice(1, -1);

/** The numbers of the lines that say how a task ended. */
function endsIn({ text }: NoticeBatch): number {
  return text.split("\n").filter((line) => / (succeeded|failed|was cancelled)/.test(line)).length;
}

describe("N1 ack acknowledges exactly what the text shows:", () => {
  test("of twenty long results each is in some text", async () => {
    const { manager } = quietWorld();
    const chat = manager.session("chat");
    for (let n = 0; n < 20; n++) chat.spawn(() => `answer ${n}: ${LONG}`);
    await settled();
    const texts = (await drained(chat)).map(({ text }) => text).join("\n");
    for (let n = 0; n < 20; n++) expect(texts).toContain(`answer ${n}: r`);
  });

  test.each<[string, (ctx: TaskContext, n: number) => void]>([
    ["custom events", (ctx, n) => ctx.emit("row", { n, words: "x".repeat(200) })],
    ["messages", (ctx, n) => void ctx.post(`row ${n} ${"x".repeat(200)}`)],
  ])("no end is hidden behind a thousand %s of one task, and each of these is in a text once", async (_what, say) => {
    const { manager } = quietWorld();
    const chat = manager.session("chat");
    const works = Array.from({ length: 6 }, () => hold(chat));
    chat.spawn(
      (ctx) => {
        for (let n = 0; n < 1_000; n++) say(ctx, n);
        return untilStopped(ctx);
      },
      { wake: "onActivity" },
    );
    await settled();
    for (const work of works.slice(0, 4)) work.finish();
    for (const work of works.slice(4)) work.fail(new Error("no luck"));
    await settled();
    const batches = await drained(chat);
    expect(endsIn(given(batches[0]))).toBe(6);
    const said = batches.flatMap(({ text }) => [...text.matchAll(/(?:row |'n':)(\d+)/g)].map(([, n]) => Number(n)));
    expect(said).toEqual(Array.from({ length: 1_000 }, (_, n) => n));
    expect(batches.flatMap(({ notices }) => notices)).toHaveLength(1_006);
  });

  test("questions and failures come first and in full, then messages, then results, and custom events last", async () => {
    const { manager } = quietWorld();
    const chat = manager.session("chat");
    chat.spawn(
      async (ctx) => {
        for (let n = 0; n < 40; n++) ctx.emit("row", LONG);
        await ctx.post("half of it");
        await ctx.ask({ question: "Which year?" });
      },
      { wake: "onActivity" },
    );
    chat.spawn(() => `answer: ${LONG}`);
    chat.spawn(() => Promise.reject(new Error(`no luck ${LONG}`)));
    await settled();
    const [first] = await drained(chat);
    const told = linesOf(given(first)).map((line) => /asks|failed|says|succeeded|emitted|more/.exec(line)?.[0]);
    expect(new Set(told.slice(0, 2))).toEqual(new Set(["asks", "failed"]));
    expect(told.slice(2, 5)).toEqual(["says", "succeeded", "emitted"]);
    expect(told.at(-1)).toBe("more");
    // The order of `notices` is oldest first in each case.
    const ats = given(first).notices.map(({ at }) => at);
    expect(ats).toEqual(ats.toSorted((a, b) => a - b));
    expect(given(first).notices[0]?.type).toBe("custom");
  });

  test("failures that do not fit are the next batch, and none is shortened", async () => {
    const { manager } = quietWorld();
    const chat = manager.session("chat");
    const why = `bad ${"x".repeat(500)} end`;
    for (let n = 0; n < 40; n++) chat.spawn(() => Promise.reject(new Error(`${n}: ${why}`)));
    for (let n = 0; n < 5; n++) chat.spawn(() => n);
    await settled();
    const batches = await drained(chat);
    const texts = batches.map(({ text }) => text);
    for (let n = 0; n < 40; n++) expect(texts.filter((text) => text.includes(`"${n}: ${why}"`))).toHaveLength(1);
    expect(batches.slice(0, -1).every((batch) => linesOf(batch).at(-1)?.includes("the next batch has them"))).toBe(
      true,
    );
    const before = batches.slice(0, -1).flatMap(({ notices }) => notices);
    expect(before.every(({ type }) => type === "task.failed")).toBe(true);
  });

  test("whatever there is, each notice is in one acknowledged batch, shown in its text or counted", async () => {
    const doing = fc.record({
      what: fc.constantFrom("result", "failure", "message", "event", "question"),
      times: fc.nat(60),
      length: fc.constantFrom(1, 80, 700),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(doing, { minLength: 1, maxLength: 8 }), fc.boolean(), async (doings, isLong) => {
        const { manager } = quietWorld();
        const chat = manager.session("chat");
        let made = 0;
        for (const { what, times, length } of doings) {
          const words = "w".repeat(length);
          const many = isLong ? times * 10 : times;
          if (what === "result") for (let n = 0; n < many; n++) chat.spawn(() => words);
          if (what === "failure") for (let n = 0; n < many; n++) chat.spawn(() => Promise.reject(new Error(words)));
          const say = (ctx: TaskContext) => {
            for (let n = 0; n < many; n++) {
              if (what === "message") void ctx.post(words);
              if (what === "event") ctx.emit("row", words);
              if (what === "question") void ctx.ask({ question: words, key: `${n}` }).catch(() => undefined);
            }
            return untilStopped(ctx);
          };
          if (["message", "event", "question"].includes(what)) chat.spawn(say, { wake: "onActivity" });
          made += many;
        }
        // A living task may still add a notice, so the last batch is empty and not undefined.
        hold(chat);
        await settled();
        const seen = new Set<string>();
        for (;;) {
          const batch = given(await chat.nextNotices({ timeoutMs: 0 }));
          if (batch.notices.length === 0) break;
          expect(batch.text.length).toBeLessThanOrEqual(MOST);
          const again = given(await chat.nextNotices({ timeoutMs: 0 }));
          expect(again.text).toBe(batch.text);
          const shown = linesOf(batch).filter((line) => line.startsWith("- "));
          const counted = Number(/^… (\d+) more succeeded/m.exec(batch.text)?.[1] ?? 0);
          expect(batch.notices).toHaveLength(shown.length + counted);
          for (const { id } of batch.notices) {
            expect(seen.has(id)).toBe(false);
            seen.add(id);
          }
          await batch.ack();
        }
        expect(seen.size).toBe(made);
        await manager.close();
      }),
      { numRuns: 40 },
    );
  });

  test("the other notices are delivered after a restart, and the acknowledged ones are not", async () => {
    const first = await started({ retention: { ttlMs: Number.POSITIVE_INFINITY } });
    const chat = first.manager.session("chat");
    for (let n = 0; n < 60; n++) chat.spawn(() => Promise.reject(new Error(`${n}: ${LONG}`)));
    await settled();
    const batch = given(await chat.nextNotices());
    await batch.ack();
    const next = await first.restart();
    const others = (await drained(next.manager.session("chat"))).flatMap(({ notices }) => notices);
    const ids = [...batch.notices, ...others].map(({ id }) => id);
    expect(new Set(ids).size).toBe(60);
    expect(ids).toHaveLength(60);
  });
});

describe("N1 successes that do not fit", () => {
  /** Every task that the call of `list_tasks` in the text lists, page by page. */
  async function listed(text: string, call: Call): Promise<string[]> {
    const batch = Number(/list_tasks with batch (\d+)/.exec(text)?.[1]);
    const found: string[] = [];
    for (let after: string | undefined; ; ) {
      const page = await call("list_tasks", { batch, limit: 100, ...(after === undefined ? {} : { after }) });
      for (const { task_id } of page.tasks as readonly { task_id: string }[]) found.push(task_id);
      if (page.more_after === undefined) return found;
      after = textIn(page, "more_after");
    }
  }
  const idsOf = (notices: readonly Notice[]): string[] => notices.map(({ taskId }) => taskId);

  test("are counted by kind, and the call in the text lists exactly these, evicted or not, until the loop is woken again", async () => {
    const { session, manager, call } = agent({ retention: { maxFinished: 3 } });
    for (let n = 0; n < 300; n++) session.spawn(echo, { input: { text: `${n} ${LONG}` } });
    session.spawn(() => LONG);
    await settled();
    const batch = given(await session.nextNotices());
    expect(batch.notices).toHaveLength(301);
    expect(batch.text).toMatch(/… \d+ more succeeded \(\d+ echo, 1 without a kind\): list_tasks with batch \d+/);
    await batch.ack();
    expect(manager.list()).toHaveLength(3);
    const shown = new Set(linesOf(batch).flatMap((line) => /^- (\S+)/.exec(line)?.[1] ?? []));
    const counted = idsOf(batch.notices).filter((id) => !shown.has(id));
    expect(await listed(batch.text, call)).toEqual(counted);
    // Each result can be read in full as the text says.
    const [some = ""] = counted;
    expect(await call("get_task", { task_id: some })).toMatchObject({ status: "succeeded" });
    const [first = ""] = shown;
    expect(linesOf(batch)).toContain("… results above are cut short: get_task returns each in full");
    expect(await call("get_task", { task_id: first })).toMatchObject({ task_id: first });

    expect(await session.nextNotices({ timeoutMs: 0 })).toBeUndefined();
    expect(await listed(batch.text, call)).toHaveLength(counted.length);
    session.spawn(() => 1);
    await settled();
    await session.nextNotices();
    const batchId = Number(/with batch (\d+)/.exec(batch.text)?.[1]);
    expect(await call("list_tasks", { batch: batchId })).toEqual({
      error: `There is no batch ${batchId}: you have had other notices since`,
      hint: 'list_tasks with status "succeeded"',
    } satisfies Result);
  });

  test("are left for the next batch where the model has no list_tasks, and texts name no tool that it lacks", async () => {
    const { manager } = quietWorld({ kinds: [echo] });
    const chat = manager.session("chat");
    chat.tools({ only: ["spawn_task", "await_tasks"] });
    for (let n = 0; n < 300; n++) chat.spawn(() => `answer ${n}: ${LONG}`);
    await settled();
    const texts = (await drained(chat)).map(({ text }) => text).join("\n");
    for (let n = 0; n < 300; n++) expect(texts).toContain(`answer ${n}: r`);
    expect(texts).not.toMatch(/list_tasks|get_task/);
  });
});

describe("N1 everything that a text refers to can be read where it says:", () => {
  /** Reads all pages of `field`, from the place that `get_task` names, or from the first item on. */
  async function read(call: Call, id: string, field: "messages" | "events") {
    const found = new Map<number, string>();
    for (let from = "1"; ; ) {
      const page = await call("get_task", { task_id: id, [`${field}_from`]: from });
      for (const { n, text = "" } of page[field] as readonly { n: number; text?: string }[])
        found.set(n, (found.get(n) ?? "") + text);
      if (page.more === undefined) return [...found];
      const more = given(/_from "(\S+)"/.exec(textIn(page, "more"))?.[1]);
      expect(more).not.toBe(from);
      from = more;
    }
  }

  test("get_task pages through all messages, and through each to its end", async () => {
    const { session, call } = agent();
    const said = Array.from({ length: 40 }, (_, n) => `${n} ${"😀 word".repeat(n === 7 ? 900 : 3)}`);
    const { id } = session.spawn(
      async (ctx) => {
        for (const words of said) void ctx.post(words);
        await untilStopped(ctx);
      },
      { wake: "onActivity" },
    );
    await settled();
    expect(await call("get_task", { task_id: id })).toMatchObject({
      messages_more: 'get_task with messages_from "26"',
    });
    expect(await read(call, id, "messages")).toEqual(said.map((words, n) => [n + 1, words]));
  });

  test("get_task pages through the custom events of a task, after they were acknowledged too", async () => {
    const { session, call } = agent();
    const payloads = Array.from({ length: 30 }, (_, n) => ({ n, words: "w".repeat(n === 9 ? 5_000 : 20) }));
    const { id } = session.spawn(
      (ctx) => {
        for (const payload of payloads) ctx.emit("row", payload);
        return untilStopped(ctx);
      },
      { wake: "onActivity" },
    );
    await settled();
    await drained(session);
    expect(await call("get_task", { task_id: id })).toMatchObject({ events_more: 'get_task with events_from "21"' });
    expect(await read(call, id, "events")).toEqual(payloads.map((payload, n) => [n + 1, JSON.stringify(payload)]));
  });

  test("get_task says which custom events it no longer has, and refuses a place that is none", async () => {
    const { session, call } = agent();
    const { id } = session.spawn(
      (ctx) => {
        for (let n = 1; n <= 250; n++) ctx.emit("row", n);
        return untilStopped(ctx);
      },
      { wake: "onActivity" },
    );
    await settled();
    const page = await call("get_task", { task_id: id, events_from: "1" });
    expect(page).toMatchObject({ missing: 150, newest: 250 });
    expect((page.events as readonly Result[])[0]).toEqual({ n: 151, event: "row", text: "151" });
    expect(await call("get_task", { task_id: id, events_from: "last" })).toHaveProperty("error");
    expect(await call("get_task", { task_id: id, messages_from: "1" })).toHaveProperty("error");
  });
});

describe("N1 (2) the work of a batch", () => {
  test("is that of what fits: of ten thousand custom events no more are put in words than of two hundred", () => {
    const said = (count: number): number => {
      const queue = new NoticeQueues().of("chat");
      const task = {} as PendingNotice<never>["task"];
      for (let n = 1; n <= count; n++) {
        const what = { type: "custom", name: "row", payload: n } as const;
        queue.add(new PendingNotice({ id: `${n}`, task, at: n, seq: 0, what }, n));
      }
      let words = 0;
      const ready = new ReadyNotices(queue, () => true);
      const say = () => {
        words++;
        return "w".repeat(100);
      };
      const { covered } = chooseNotices(ready, say, new Set(TOOL_NAMES));
      expect(covered.length).toBeGreaterThan(50);
      return words;
    };
    expect(said(10_000)).toBeLessThanOrEqual(said(200));
  });
});
