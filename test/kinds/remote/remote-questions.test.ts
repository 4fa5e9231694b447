// A remote that asks (§16): its report opens one request of the task, and the closed request goes back to it.
//
// Time is a manual clock; the remote is a list of reports in the test.

import type { AskingReport, InboxRequest, KindDefinition, Logger, ReconcileReport, TaskManager } from "errand";
import { defineKind } from "errand";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { allFree, deferred, facts, peek, settled, slots, unhandled } from "../../support/basics.js";
import { given, refusalOf, typesOf, world } from "../../support/program.js";

const running = { status: "running" } as const;
const which: AskingReport = { status: "asking", key: "which", question: "Which one?", choices: ["a", "b"] };
const ada = { by: "ada" };

type Report = ReconcileReport<unknown>;

/** A remote that reports what the test has set last, and receives the answers. */
function remote(first: Report, more: Partial<KindDefinition<undefined, undefined, unknown, unknown, unknown>> = {}) {
  let says: Report = first;
  let polls = 0;
  const closed: InboxRequest[] = [];
  const kind = defineKind<unknown>({
    name: "far",
    run: () => undefined,
    reconcile: () => {
      polls += 1;
      return says;
    },
    answer: (_record, request) => {
      closed.push(request);
      says = { status: "succeeded", value: request.answer };
    },
    ...more,
  });
  return {
    kind,
    closed,
    get polls() {
      return polls;
    },
    says(next: Report) {
      says = next;
    },
  };
}

/** A logger, and what it was warned of. */
function listening() {
  const warnings: { readonly message: string; readonly fields: object | undefined }[] = [];
  const ignore = (): void => undefined;
  const warn: Logger["warn"] = (message, fields) => void warnings.push({ message, fields });
  return { logger: { debug: ignore, info: ignore, warn, error: ignore }, warnings };
}

function only(manager: TaskManager): InboxRequest {
  const open = manager.inbox.list();
  expect(open).toHaveLength(1);
  return given(open[0]);
}

describe("§16 a report that asks", () => {
  test("opens one request, however often the remote is polled, and its answer goes back to the remote", async () => {
    const far = remote(which);
    const { manager, pass } = world({ concurrency: 1 });
    const handle = manager.spawn(far.kind);
    for (let second = 0; second < 40; second += 1) await pass(1_000);
    expect(far.polls).toBeGreaterThan(5);
    const request = only(manager);
    expect(request).toMatchObject({ kind: "choice", question: "Which one?", choices: ["a", "b"], key: "which" });
    expect(handle.record).toMatchObject({ status: "blocked" });
    expect(handle.record.blockedOn).toContainEqual({ on: "input", requestId: request.id });
    expect(await refusalOf(() => manager.inbox.answer(request.id, "c", ada))).toMatchObject({ code: "INVALID_INPUT" });
    await manager.inbox.answer(request.id, "b", ada);
    await settled();
    expect(far.closed).toMatchObject([{ id: request.id, status: "answered", answer: "b", by: "ada" }]);
    expect(await peek(handle.result())).toEqual({ is: "fulfilled", value: "b" });
    allFree(manager);
  });

  test("A5 holds no slot, not even while the remote is polled", async () => {
    const poll = deferred<Report>();
    let isSlow = false;
    const far = remote(which, { reconcile: () => (isSlow ? poll.promise : which) });
    const { manager, pass } = world({ concurrency: 1 });
    manager.spawn(far.kind);
    await pass(0);
    isSlow = true;
    await pass(1_000);
    expect(slots(manager)).toMatchObject({ held: 0 });
    expect(await peek(manager.spawn(() => "beside").result())).toEqual({ is: "fulfilled", value: "beside" });
  });

  test("W4 wakes an owner that waits for questions", async () => {
    const far = remote(which);
    const { manager, pass } = world();
    const handle = manager.spawn(far.kind);
    const woken = manager.awaitTasks([handle], { stopOnRequest: true });
    await pass(0);
    expect(await peek(woken)).toMatchObject({ is: "fulfilled", value: { reason: "request" } });
  });

  test("may be an approval: yes is true, and no is a rejected request", async () => {
    const approval: AskingReport = { status: "asking", key: "pay", kind: "approval", question: "Pay?" };
    const yes = remote(approval);
    const no = remote(approval);
    const { manager, pass } = world();
    const paid = manager.spawn(yes.kind);
    await pass(0);
    await manager.inbox.answer(only(manager).id, true, ada);
    await settled();
    expect(await peek(paid.result())).toEqual({ is: "fulfilled", value: true });
    manager.spawn(no.kind);
    await pass(0);
    expect(only(manager)).toMatchObject({ kind: "approval" });
    await manager.inbox.reject(only(manager).id, "too much", ada);
    await settled();
    expect(no.closed).toMatchObject([{ status: "rejected", reason: "too much", by: "ada" }]);
  });

  test("A2 checks the answer by its schema", async () => {
    const far = remote({ status: "asking", key: "n", question: "How many?", schema: z.object({ n: z.number() }) });
    const { manager, pass } = world();
    const handle = manager.spawn(far.kind);
    await pass(0);
    const { id } = only(manager);
    expect(await refusalOf(() => manager.inbox.answer(id, { n: "1" }, ada))).toMatchObject({ code: "INVALID_INPUT" });
    await manager.inbox.answer(id, { n: 1 }, ada);
    await settled();
    expect(await peek(handle.result())).toEqual({ is: "fulfilled", value: { n: 1 } });
  });

  test("with another key withdraws the question before it and opens another", async () => {
    const far = remote(which);
    const { manager, pass } = world();
    const told = facts(manager);
    const handle = manager.spawn(far.kind);
    await pass(0);
    const before = only(manager);
    far.says({ ...which, key: "then", question: "And then?" });
    await pass(1_000);
    expect(only(manager)).toMatchObject({ question: "And then?" });
    expect(manager.inbox.get(before.id)).toMatchObject({ status: "withdrawn" });
    expect(typesOf(told, handle.id).filter((type) => type.startsWith("request."))).toEqual([
      "request.opened",
      "request.withdrawn",
      "request.opened",
    ]);
  });

  test("no more withdraws its request; asked once more, it is a new one", async () => {
    const far = remote(which);
    const { manager, pass } = world();
    const handle = manager.spawn(far.kind);
    await pass(0);
    const before = only(manager);
    far.says(running);
    await pass(1_000);
    expect([manager.inbox.list(), manager.inbox.get(before.id)?.status]).toEqual([[], "withdrawn"]);
    expect(handle.status).toBe("blocked");
    far.says(which);
    await pass(30_000);
    expect(only(manager).id).not.toBe(before.id);
  });

  test("S4 whose remote ends meanwhile leaves no open request", async () => {
    const far = remote(which);
    const { manager, pass } = world();
    const handle = manager.spawn(far.kind);
    await pass(0);
    const { id } = only(manager);
    far.says({ status: "succeeded", value: "by itself" });
    await pass(1_000);
    expect(await peek(handle.result())).toEqual({ is: "fulfilled", value: "by itself" });
    expect(manager.inbox.get(id)).toMatchObject({ status: "withdrawn" });
    allFree(manager);
  });

  test("C3 is stopped with its task, at once", async () => {
    const far = remote(which);
    const { manager, pass } = world();
    const handle = manager.spawn(far.kind);
    await pass(0);
    const { id } = only(manager);
    const rejections = await unhandled(async () => {
      expect(await handle.cancel("enough")).toMatchObject({ status: "cancelled", reason: "enough" });
      await settled();
    });
    expect([rejections, manager.inbox.get(id)?.status, far.closed]).toEqual([[], "withdrawn", []]);
  });

  test.each<[string, unknown, string]>([
    ["without a key", { status: "asking", question: "Which?" }, "key"],
    ["without a question", { status: "asking", key: "k" }, "question"],
    ["with an empty key", { status: "asking", key: "", question: "Which?" }, "key"],
    ["with choices that are none", { ...which, choices: [] }, "choices"],
    ["with a kind that is none", { ...which, kind: "aproval" }, "kind"],
    ["with a misspelt field", { ...which, choises: ["a"] }, "choises"],
  ])("§12 %s is logged by name, and the remote is polled again", async (_how, wrong, named) => {
    const { logger, warnings } = listening();
    const far = remote(wrong as Report);
    const { manager, pass } = world({ logger });
    manager.spawn(far.kind);
    await pass(0);
    expect(warnings).toMatchObject([{ fields: { error: { message: expect.stringContaining(named) } } }]);
    expect(manager.inbox.list()).toEqual([]);
    far.says(which);
    await pass(1_000);
    expect(only(manager)).toMatchObject({ question: "Which one?" });
  });

  test("A3 another question under the key of one that was answered is logged, and the remote is polled again", async () => {
    const { logger, warnings } = listening();
    const far = remote(which, { answer: () => undefined });
    const { manager, pass } = world({ logger });
    const handle = manager.spawn(far.kind);
    await pass(0);
    await manager.inbox.answer(only(manager).id, "a", ada);
    far.says(running);
    await pass(1_000);
    far.says({ ...which, question: "Another?" });
    await pass(30_000);
    expect(warnings[0]).toMatchObject({ fields: { error: { code: "ID_CONFLICT" } } });
    far.says({ status: "succeeded", value: "ended" });
    await pass(30_000);
    expect(await peek(handle.result())).toEqual({ is: "fulfilled", value: "ended" });
  });
});

describe("§16 the answer that goes back to the remote", () => {
  test("is called once, and the remote is polled at once when it has its answer", async () => {
    const far = remote(which);
    const { manager, pass } = world();
    const handle = manager.spawn(far.kind);
    for (let second = 0; second < 20; second += 1) await pass(1_000);
    await manager.inbox.answer(only(manager).id, "a", ada);
    await settled();
    // No time has passed since.
    expect(handle.status).toBe("succeeded");
    expect(far.closed).toHaveLength(1);
  });

  test("is not called again by a remote that still asks, once it was taken", async () => {
    const taken: InboxRequest[] = [];
    const far = remote(which, { answer: (_record, request) => void taken.push(request) });
    const { manager, pass } = world();
    manager.spawn(far.kind);
    await pass(0);
    await manager.inbox.answer(only(manager).id, "a", ada);
    await pass(100_000);
    expect([taken.length, manager.inbox.list()]).toEqual([1, []]);
  });

  test("that throws is logged and called again by the next report that asks", async () => {
    const { logger, warnings } = listening();
    const tried: InboxRequest[] = [];
    const far = remote(which, {
      answer: (_record, request) => {
        tried.push(request);
        if (tried.length === 1) throw new Error("no line");
      },
    });
    const { manager, pass } = world({ logger });
    const handle = manager.spawn(far.kind);
    await pass(0);
    await manager.inbox.answer(only(manager).id, "a", ada);
    await settled();
    expect(tried).toHaveLength(1);
    await pass(1_000);
    await pass(2_000);
    expect(tried).toHaveLength(2);
    expect(tried[1]).toBe(tried[0]);
    expect(warnings).toMatchObject([
      { message: expect.stringContaining(handle.id), fields: { error: { message: "no line" } } },
    ]);
  });

  test("that never settles keeps the remote from nothing: polls go on, and its end is the end", async () => {
    const far = remote(which, { answer: () => new Promise(() => undefined) });
    const { manager, pass } = world();
    const handle = manager.spawn(far.kind);
    await pass(0);
    await manager.inbox.answer(only(manager).id, "a", ada);
    far.says({ status: "succeeded", value: "all the same" });
    await pass(30_000);
    expect(await peek(handle.result())).toEqual({ is: "fulfilled", value: "all the same" });
  });

  test("A4 that no `answer` carries: the remote learns it by the event, and a no ends the task `rejected` after its `cancel`", async () => {
    const wound: string[] = [];
    const far = remote(which, { answer: undefined, cancel: (_record, reason) => void wound.push(reason) });
    const { manager, pass } = world();
    manager.on("request.answered", ({ request }) => far.says({ status: "succeeded", value: request.answer }));
    const answered = manager.spawn(far.kind);
    await pass(0);
    await manager.inbox.answer(only(manager).id, "b", ada);
    await pass(1_000);
    expect(await peek(answered.result())).toEqual({ is: "fulfilled", value: "b" });
    far.says(which);
    const rejected = manager.spawn(far.kind);
    await pass(0);
    await manager.inbox.reject(only(manager).id, "neither", ada);
    await settled();
    expect(rejected.record).toMatchObject({ status: "failed", error: { code: "rejected" } });
    expect(wound).toHaveLength(1);
  });

  test("A4 is an expired request when no person answers in time", async () => {
    const far = remote({ ...which, timeoutMs: 5_000 });
    const { manager, pass } = world();
    manager.spawn(far.kind);
    await pass(0);
    await pass(5_000);
    expect(far.closed).toMatchObject([{ status: "expired" }]);
  });

  test("needs a remote", () => {
    expect(() => defineKind({ name: "k", run: () => 1, answer: () => undefined })).toThrow(/answer needs reconcile/);
  });
});

describe("§12 reports", () => {
  test("artifacts of a report are the task's; one by path or url that it has is not added again", async () => {
    const file = { name: "a.txt", type: "text/plain", path: "/a.txt" };
    const far = remote({ ...running, artifacts: [file] });
    const { manager, pass } = world();
    const handle = manager.spawn(far.kind);
    for (let second = 0; second < 5; second += 1) await pass(1_000);
    far.says({ ...running, artifacts: [file, { name: "b", type: "text/uri-list", url: "https://b" }] });
    await pass(8_000);
    far.says({ status: "succeeded", value: 1 });
    await pass(30_000);
    expect(handle.record.artifacts).toEqual([file, { name: "b", type: "text/uri-list", url: "https://b" }]);
  });

  test.each<[string, object, string]>([
    ["a misspelt value", { status: "succeeded", vaule: 1 }, "vaule"],
    ["a misspelt field", { status: "running", progres: { current: 1 } }, "progres"],
    ["a field of another status", { status: "running", value: 1 }, "value"],
    ["artifacts that are no list", { status: "running", artifacts: { name: "a" } }, "artifacts"],
    ["an artifact that is none", { status: "running", artifacts: [{ name: "a", type: "t" }] }, "artifact"],
  ])("%s is logged by its name, and the remote is polled again", async (_what, wrong, named) => {
    const { logger, warnings } = listening();
    const far = remote(wrong as Report);
    const { manager, pass } = world({ logger });
    const handle = manager.spawn(far.kind);
    await pass(0);
    far.says({ status: "succeeded", value: "right" });
    await pass(1_000);
    expect(warnings).toMatchObject([{ fields: { error: { message: expect.stringContaining(named) } } }]);
    expect(await peek(handle.result())).toEqual({ is: "fulfilled", value: "right" });
  });

  test("a poll that never answers is given up after a minute, logged, and the remote is polled again", async () => {
    const { logger, warnings } = listening();
    let polls = 0;
    const far = remote(running, {
      reconcile: () => (++polls === 1 ? new Promise<never>(() => undefined) : { status: "succeeded", value: polls }),
    });
    const { manager, pass } = world({ logger });
    const handle = manager.spawn(far.kind);
    await pass(60_000);
    await pass(1_000);
    expect(await peek(handle.result())).toEqual({ is: "fulfilled", value: 2 });
    expect(warnings).toMatchObject([{ fields: { error: { message: expect.stringContaining("60 s") } } }]);
  });
});
