// The small texts: escaping, widths, durations, waits and events.
import type { InboxRequest, TaskEvent, Wait } from "errand";
import { describe, expect, test } from "vitest";
import { clockTime, describeDuration, relative } from "../../lib/cli/duration.js";
import { describeEvent } from "../../lib/cli/event-text.js";
import { aligned, renderLine } from "../../lib/cli/line.js";
import { idWord, jsonText, printable, shortened, singleSpaced } from "../../lib/cli/printable.js";
import { shellWord } from "../../lib/cli/shell-word.js";
import { describeProgress, describeRequest, describeUsage, describeWaits, phrase } from "../../lib/cli/task-text.js";
import { cutTo, widthOf } from "../../lib/cli/width.js";

process.env.TZ = "UTC";

describe("printable", () => {
  test.each([
    ["\u001B[2Jclear", "[2Jclear"],
    ["a\r\n\tb\u2028c", "a b c"],
    ["\u009B31m", "31m"],
    ["\u202Egpj.exe", "gpj.exe"],
    ["half \uD83D", "half \uFFFD"],
    ["日本 🗼 é ✓", "日本 🗼 é ✓"],
    ["a\u200Bb\u{E0041}c\uFE0Fd\u3164e\u00ADf", "abcdef"],
    ["halves \uD83D\u200B\uDD11", "halves \uFFFD\uFFFD"],
    ["a\u00A0b\u3000c\u2800d", "a b c d"],
  ])("makes %j harmless", (text, harmless) => {
    expect(printable(text)).toBe(harmless);
  });

  test("§12 words have no run of blanks, and are cut between characters", () => {
    expect(singleSpaced(`  a ${" ".repeat(90)}\u00A0\u2003 ✓ succeeded  `)).toBe("a ✓ succeeded");
    expect(shortened("abc🗼def", 5)).toBe("abc…");
    expect(phrase(`${"x".repeat(199)}🗼`)).toBe(`${"x".repeat(199)}…`);
    expect(phrase("\u200B".repeat(5_000))).toBe("…");
  });

  test("§12 an id that is not plain is quoted", () => {
    expect(["task_1", "npm:@scope/name@1.2.3", "a b", `say "yes"`, "", "a\u202E  b"].map(idWord)).toEqual([
      "task_1",
      "npm:@scope/name@1.2.3",
      '"a b"',
      String.raw`"say \"yes\""`,
      '""',
      '"a b"',
    ]);
  });

  test("JSON means the same after it was made harmless", () => {
    const value = {
      "\u009B": "\u001B[2J\u007F\u202E\u{E0041}\uFE0F\u3164\u200D\u2028 日本 \uD83D",
      list: [1, null, "\n"],
    };
    for (const indent of [0, 2]) {
      expect(jsonText(value, indent)).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Default_Ignorable_Code_Point}]/u);
      expect(JSON.parse(jsonText(value, indent))).toEqual(value);
    }
  });
});

describe("width", () => {
  test.each([
    ["abc", 3],
    ["日本", 4],
    ["👩‍💻", 2],
    ["e\u0301", 1],
    ["", 0],
  ])("of %j is %i", (text, width) => {
    expect(widthOf(text)).toBe(width);
  });

  test("a text is cut between letters, and says that it was", () => {
    expect(cutTo("日本語", 6)).toBe("日本語");
    expect(cutTo("日本語", 5)).toBe("日本…");
    expect(cutTo("日本語", 4)).toBe("日…");
  });

  test("a line that ends where the terminal does is not cut, and one that is cut says so", () => {
    const line = ["abc", { text: "def", style: "bad" as const }, "   "];
    expect(renderLine(line, { columns: 6, isColored: false })).toBe("abcdef");
    expect(renderLine(line, { columns: 5, isColored: false })).toBe("abcd…");
    expect(renderLine([...line, "x"], { columns: 6, isColored: false })).toBe("abcde…");
    expect(renderLine(line, { columns: undefined, isColored: true })).toBe("abc\u001B[31mdef\u001B[39m");
  });

  test("columns are as wide as their widest cell", () => {
    const lines = aligned(
      [
        ["a", "1", "x"],
        ["日本", "22", "y"],
      ],
      [1],
    );
    expect(lines.map((line) => renderLine(line, { columns: undefined, isColored: false }))).toEqual([
      "a      1  x",
      "日本  22  y",
    ]);
  });
});

test.each([
  [-5, "0 ms"],
  [999, "999 ms"],
  [1_250, "1.2 s"],
  [59_999, "59 s"],
  [60_000, "1 min"],
  [192_000, "3 min 12 s"],
  [7_500_000, "2 h 5 min"],
  [187_200_000, "2 d 4 h"],
])("%i ms are shown as %s", (ms, words) => {
  expect(describeDuration(ms)).toBe(words);
});

test("a path in a suggested command is one word for the shell", () => {
  expect(shellWord("./data/journal-1")).toBe("./data/journal-1");
  expect(shellWord("it's here; rm -r")).toBe("'it'\\''s here; rm -r'");
  expect(shellWord("-x")).toBe("'-x'");
});

test("a sentence is never cut", () => {
  const look = { columns: 10, isColored: true };
  expect(renderLine({ prose: "longer than the terminal", style: "bad" }, look)).toBe(
    "\u001B[31mlonger than the terminal\u001B[39m",
  );
});

test("an instant is shown from now on, and by the clock", () => {
  expect(relative(1_000, 5_000)).toBe("4 s ago");
  expect(relative(9_000, 5_000)).toBe("in 4 s");
  expect(clockTime(Date.parse("2026-01-02T03:04:05.006Z"))).toBe("2026-01-02 03:04:05.006");
});

const setting = { now: 1_000, question: (id: string) => (id === "r" ? "Publish?" : undefined) };

test.each<[Wait[], string]>([
  [[], ""],
  [[{ on: "input", requestId: "r" }], "waits for an answer: Publish?"],
  [[{ on: "input", requestId: "other" }], "waits for an answer: other"],
  [[{ on: "tasks", taskIds: ["a"] }, { on: "message" }], "waits for a, for a message"],
  [[{ on: "tasks", taskIds: ["a", "b"] }], "waits for 2 tasks"],
  [[{ on: "children", taskIds: ["a", "b"] }], "waits for 2 children"],
  [[{ on: "children", taskIds: ["a"] }], "waits for 1 child"],
  [[{ on: "time", untilAt: 6_000 }], "waits for 5 s more"],
  [[{ on: "time", untilAt: 900 }], "waits for a time that is over"],
  [[{ on: "time", untilAt: Number.MAX_SAFE_INTEGER }], "waits until it is stopped"],
  [[{ on: "slot" }], "waits for a slot"],
])("the waits %j are shown", (waits, words) => {
  expect(describeWaits(waits, setting)).toBe(words);
});

test("progress and usage are shown as far as they are known", () => {
  expect(describeProgress({ current: 3, total: 10, unit: "pages", label: "reading" })).toBe("3 of 10 pages: reading");
  expect(describeProgress({ label: "reading" })).toBe("reading");
  expect(describeProgress({ current: 3 })).toBe("3");
  expect(describeUsage({ inputTokens: 1_234_567, costUsd: 12 })).toBe("1.2m tokens in, 0 out, $12");
  expect(describeUsage({})).toBe("");
});

const request: InboxRequest = {
  id: "r",
  taskId: "t",
  kind: "choice",
  status: "open",
  question: "Which?",
  choices: ["a", "b"],
  createdAt: 0,
};

test("a request is shown by its possible answers, or by its answer", () => {
  expect(describeRequest(request, 1_000)).toBe("a | b");
  expect(describeRequest({ ...request, kind: "approval", expiresAt: 3_000 }, 1_000)).toBe("yes or no, expires in 2 s");
  const closed = { ...request, closedAt: 500 };
  expect(describeRequest({ ...closed, status: "rejected", by: "ada", reason: "no" }, 1_000)).toBe(
    "rejected by ada 500 ms ago: no",
  );
  expect(describeRequest({ ...closed, status: "withdrawn" }, 1_000)).toBe("withdrawn 500 ms ago");
});

const stamp = { seq: 1, at: 1_000, taskId: "t", attempt: 2 } as const;
const runtime = { instanceId: "i", pid: 7, startedAt: 0 };

test.each<[TaskEvent, string]>([
  [{ ...stamp, type: "task.started", runtime }, "started in process 7, attempt 2"],
  [{ ...stamp, type: "task.reattached", runtime }, "taken up by process 7, attempt 2"],
  [{ ...stamp, type: "task.blocked", blockedOn: [{ on: "time", untilAt: 3_000 }] }, "waits for 2 s more"],
  [{ ...stamp, type: "task.resumed" }, "goes on"],
  [
    { ...stamp, type: "task.updated", patch: { summary: "half", tags: ["a", "b"], detached: true } },
    "summary: half, was detached, tags: a, b",
  ],
  [
    { ...stamp, type: "task.updated", patch: { checkpoint: null, heartbeatAt: 1 } },
    "checkpoint: null, gives a sign of life",
  ],
  [{ ...stamp, type: "task.cancelRequested", stopReason: "cancel", reason: "enough" }, "was asked to stop: enough"],
  [{ ...stamp, type: "task.returned", outcome: { id: "t", status: "succeeded", value: 1 } }, "returned"],
  [{ ...stamp, type: "task.succeeded", output: { a: 1 } }, 'succeeded: {"a":1}'],
  [{ ...stamp, type: "task.succeeded", outputApart: true }, "succeeded, with a long output"],
  [{ ...stamp, type: "task.failed", error: { code: "timeout", message: "too\nlong" } }, "failed: timeout: too long"],
  [{ ...stamp, type: "task.interrupted", reason: "process_lost", pid: 7 }, "interrupted: process_lost, process 7"],
  [{ ...stamp, type: "task.abandoned" }, "did not stop in time, and is left to itself"],
  [{ ...stamp, type: "task.lateSettled", settled: "threw", message: "oh" }, "its abandoned function threw: oh"],
  [{ ...stamp, type: "request.opened", request }, "asks (r): Which?"],
  [
    { ...stamp, type: "request.rejected", request: { ...request, status: "rejected", by: "ada", reason: "no" } },
    "r was rejected by ada: no",
  ],
  [{ ...stamp, type: "request.expired", request: { ...request, status: "expired" } }, "r expired"],
  [{ ...stamp, type: "request.withdrawn", request: { ...request, status: "withdrawn" } }, "r was withdrawn"],
  [
    {
      ...stamp,
      type: "message.sent",
      message: {
        id: "m",
        taskId: "t",
        direction: "inbound",
        content: [
          { type: "text", text: "go" },
          { type: "data", data: [1] },
        ],
        createdAt: 0,
      },
    },
    "receives: go [1]",
  ],
  [
    { ...stamp, type: "artifact.added", artifact: { name: "plan", type: "text/plain", path: "plan.txt" } },
    "made plan (text/plain)",
  ],
  [{ ...stamp, type: "usage.reported", usage: { inputTokens: 5 } }, "used 5 tokens in, 0 out"],
  [{ ...stamp, type: "custom", name: "page", payload: 3 }, "emitted page: 3"],
])("the event %j is shown", (event, words) => {
  expect(describeEvent(event, setting.question)).toBe(words);
});

test("a value in the middle of a line is at most 200 characters long", () => {
  const event: TaskEvent = { ...stamp, type: "task.succeeded", output: "x".repeat(100_000) };
  expect(describeEvent(event, setting.question)).toHaveLength("succeeded: ".length + 200);
});
