// Question: which questions may be asked, which answers fit them, and what a refusal says (A2, §12).

import { describe, expect, test } from "vitest";
import { z } from "zod";
import { answerTo, checkAnswer, takeQuestion } from "../../../lib/core/inbox/question.js";
import type { InboxRequest } from "../../../lib/core/task/request.js";
import { errandError } from "../../support/program.js";

/** The text of what `call` throws. */
function refusal(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return String(error);
  }
  throw new Error("expected a refusal");
}

function asked(more: object): string {
  return refusal(() => takeQuestion({ question: "Which?", ...more }, false));
}

function approved(more: object): string {
  return refusal(() => takeQuestion({ question: "Really?", ...more }, true));
}

describe("the options of a question", () => {
  test("§12 are named when there is no such option, for `ask` and for `approve`", () => {
    expect(asked({ choises: ["a"] })).toMatch(/^TypeError: ask has no option "choises" \(did you mean choices\?\)/);
    expect(approved({ questoin: "?" })).toMatch(
      /^TypeError: approve has no option "questoin" \(did you mean question\?\)/,
    );
  });

  test.each(["choices", "schema", "onTimeout"])(
    "§7 of an approval have no %s: it takes a yes, and no default",
    (option) => {
      expect(approved({ [option]: undefined })).toMatch(new RegExp(`^TypeError: approve has no option "${option}"`));
    },
  );

  test("§7 have choices or a schema, and not both", () => {
    expect(asked({ choices: ["a"], schema: z.string() })).toBe(
      "TypeError: choices and schema exclude each other: give one",
    );
  });

  test.each([
    [null, 'TypeError: onTimeout must be one of "fail", got null'],
    ["never", 'TypeError: onTimeout must be one of "fail", got "never"'],
    [{}, 'TypeError: onTimeout must be "fail" or { default }, got an object'],
  ])("§12 have an onTimeout that is `fail` or a default, and not %j", (onTimeout, message) => {
    expect(asked({ onTimeout })).toBe(message);
  });

  test("§12 have no field but the default in onTimeout", () => {
    expect(asked({ onTimeout: { defualt: 1 } })).toMatch(
      /^TypeError: onTimeout has no field "defualt" \(did you mean default\?\)/,
    );
  });

  test.each([undefined, "fail", { default: undefined }, { default: 1 }] as const)(
    "§7 take the onTimeout %j",
    (onTimeout) => {
      expect(takeQuestion({ question: "Which?", onTimeout }, false)).toStrictEqual({
        kind: "text",
        question: "Which?",
      });
    },
  );

  test("§7 make an approval, a choice, a schema's value or a text", () => {
    const kindOf = (more: object, isApproval = false) => takeQuestion({ question: "Which?", ...more }, isApproval).kind;
    expect([kindOf({}, true), kindOf({ choices: ["a"] }), kindOf({ schema: z.string() }), kindOf({})]).toEqual([
      "approval",
      "choice",
      "json",
      "text",
    ]);
  });

  test("§12 are copied: what the caller changes later changes no question", () => {
    const choices = ["a", "b"];
    const details = { pages: [1] };
    const question = takeQuestion({ question: "Which?", choices, details, key: "k" }, false);
    choices.push("c");
    details.pages.push(2);
    expect(question).toStrictEqual({
      kind: "choice",
      question: "Which?",
      details: { pages: [1] },
      choices: ["a", "b"],
      key: "k",
    });
  });

  test.each([[["a", 1]], [[1, "a"]], [[]], ["ab"], [{ length: 1 }]])(
    "§12 have a list of texts as choices, and not %j",
    (choices) => {
      expect(asked({ choices })).toMatch(/^TypeError: choices must be a list of at least one string, got /);
    },
  );
});

describe("an answer", () => {
  const request = (more: Partial<InboxRequest>): InboxRequest => ({
    id: "request_1",
    taskId: "task_1",
    kind: "text",
    status: "open",
    question: "Which?",
    createdAt: 0,
    ...more,
  });
  const issueOf = (more: Partial<InboxRequest>, value: unknown): string | undefined => {
    try {
      checkAnswer(request(more), value);
    } catch (error) {
      const { message, issues } = errandError(error, "INVALID_INPUT");
      expect(message).toContain(`${answerTo(request({}))} does not fit`);
      return issues[0]?.message;
    }
    throw new Error("expected a refusal");
  };
  const choice = { kind: "choice", choices: ["red", "green"] } as const;

  test("A2 is one of the choices, and one that is near to a choice names it", () => {
    expect(checkAnswer(request(choice), "red")).toBe("red");
    expect(issueOf(choice, "gren")).toBe('one of "red", "green" is needed, got "gren" (did you mean green?)');
    expect(issueOf(choice, ["red"])).toBe('one of "red", "green" is needed, got a list');
    expect(issueOf(choice, "blue, of all")).toBe('one of "red", "green" is needed, got "blue, of all"');
  });

  test("A2 is the text, the yes or the JSON of its question", () => {
    expect(checkAnswer(request({}), "this")).toBe("this");
    expect(checkAnswer(request({ kind: "approval" }), true)).toBe(true);
    const value = { pages: [1] };
    const taken = checkAnswer(request({ kind: "json" }), value);
    expect(taken).toEqual(value);
    expect(taken).not.toBe(value);
    expect(issueOf({}, 7)).toBe("a string is needed, got 7");
    expect(issueOf({ kind: "approval" }, "yes")).toBe('an approval takes true alone, got "yes"; "no" is reject');
    expect(issueOf({ kind: "json" }, { pages: 1n })).toMatch(/^a value that JSON can carry is needed; at .*pages/);
  });
});
