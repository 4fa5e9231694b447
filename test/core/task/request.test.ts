// A request closes once, and two questions with one key are the same only when they say the same (A1, A3).

import { describe, expect, test } from "vitest";
import { closeRequest, isSameQuestion, type Question } from "../../../lib/core/task/request.js";
import { openRequest } from "../../support/rules.js";

test("A1 the first closing of a request is kept: a closed one cannot be closed again", () => {
  const closed = closeRequest(openRequest, { status: "answered", answer: "left", by: "ada" }, 2_000);
  expect(closed).toStrictEqual({ ...openRequest, status: "answered", answer: "left", by: "ada", closedAt: 2_000 });
  if (closed === undefined) throw new Error("it did not close");
  expect(closeRequest(closed, { status: "rejected", reason: "no", by: "bob" }, 3_000)).toBeUndefined();
});

describe("the same question", () => {
  const asked: Question = {
    kind: "json",
    question: "Which?",
    details: { repo: "errand", paths: ["a", { deep: [1, null, true], last: "z" }] },
    jsonSchema: { type: "object", properties: { a: { type: "string" }, b: { type: "number" } } },
  };

  test("A3 is the same however its objects order their keys", () => {
    const again: Question = {
      kind: "json",
      question: "Which?",
      details: { paths: ["a", { last: "z", deep: [1, null, true] }], repo: "errand" },
      jsonSchema: { properties: { b: { type: "number" }, a: { type: "string" } }, type: "object" },
    };
    expect(isSameQuestion(asked, again)).toBe(true);
    expect(isSameQuestion(again, asked)).toBe(true);
  });

  const choice: Question = { kind: "choice", question: "Which?", choices: ["a", "b"] };
  test.each<[what: string, one: Question, other: Question]>([
    ["its kind", asked, { ...asked, kind: "text" }],
    ["its words", asked, { ...asked, question: "What?" }],
    ["its details", asked, { kind: "json", question: "Which?" }],
    ["a value deep in its details", asked, { ...asked, details: { repo: "errand", paths: ["a", { deep: [1] }] } }],
    ["a key of its details", { ...asked, details: { a: 1 } }, { ...asked, details: { b: 1 } }],
    ["the order of a list", { ...asked, details: [1, 2] }, { ...asked, details: [2, 1] }],
    ["its choices", choice, { ...choice, choices: ["a", "c"] }],
    ["its JSON Schema", asked, { ...asked, jsonSchema: { type: "string" } }],
  ])("A3 is another one when it differs in %s", (_what, one, other) => {
    expect(isSameQuestion(one, other)).toBe(false);
    expect(isSameQuestion(other, one)).toBe(false);
  });
});
