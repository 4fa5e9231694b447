// Scripted answers: a test's answers to the requests at a manager's inbox, given as a list.

import type { InboxRequest } from "../core/task/request.js";
import { checkFields, checkText, checkType, show } from "../core/values/checks.js";
import type { TaskManager } from "../manager/manager.js";

/** One line of a script: an answer or a rejection for a question. Exactly one of `answer` and `reject` is set. */
export type ScriptedAnswer = {
  /** A text that the question contains, or a pattern that the question matches. */
  readonly to: string | RegExp;
  /** The name that is recorded as the author of the answer; default `"script"`. */
  readonly by?: string | undefined;
} & (
  | {
      /** The answer; `true` approves an approval. */
      readonly answer: unknown;
      /** Absent when there is an `answer`. */
      readonly reject?: undefined;
    }
  | {
      /** The reason with which the request is refused. */
      readonly reject: string;
      /** Absent when there is a `reject`. */
      readonly answer?: undefined;
    }
);

/** A script that is answering requests. */
export interface Script {
  /** The lines that no request has used yet, in their order. */
  readonly unused: readonly ScriptedAnswer[];
  /**
   * The errors of answers that the inbox refused, oldest first. A refusal means that a line does not fit its question.
   */
  readonly refusals: readonly Error[];
  /** Stops answering. Open requests stay open, and calling it twice has no further effect. */
  off(): void;
}

/**
 * Answers each request of `manager` from now on, with the first unused line that matches its question. A line is used
 * once. `answer: true` approves an approval request; `reject` refuses it. A request without a matching line stays open.
 * `TypeError` if a line has an unknown field, a field of a wrong type, or not exactly one of `answer` and `reject`.
 *
 * @example
 * ```ts
 * import { TaskManager } from "errand";
 * import { scriptAnswers } from "errand/testing";
 *
 * const manager = new TaskManager();
 * const script = scriptAnswers(manager, [{ to: "Publish", answer: true, by: "ada" }]);
 * await manager.spawn((ctx) => ctx.approve("Publish it?")).result();
 * console.log(script.unused.length); // 0
 * script.off();
 * ```
 */
export function scriptAnswers(manager: Pick<TaskManager, "inbox">, lines: readonly ScriptedAnswer[]): Script {
  checkLines(lines);
  const unused = [...lines];
  const refusals: Error[] = [];
  const over = new AbortController();
  const respond = async (request: InboxRequest): Promise<void> => {
    const index = unused.findIndex(({ to }) => fits(request.question, to));
    const [line] = index < 0 ? [] : unused.splice(index, 1);
    if (line === undefined) return;
    const answered = { by: line.by ?? "script" };
    try {
      if (line.reject === undefined) await manager.inbox.answer(request.id, line.answer, answered);
      else await manager.inbox.reject(request.id, line.reject, answered);
    } catch (error) {
      refusals.push(error instanceof Error ? error : new Error(String(error)));
    }
  };
  const read = async (): Promise<void> => {
    for await (const request of manager.inbox.watch({ signal: over.signal })) await respond(request);
  };
  void read();
  return { unused, refusals, off: () => over.abort() };
}

function checkLines(lines: unknown): void {
  if (!Array.isArray(lines)) throw new TypeError(`answers must be a list of lines, got ${show(lines)}`);
  for (const [index, line] of (lines as readonly ScriptedAnswer[]).entries()) {
    const place = `answers[${index}]`;
    checkFields(place, line, ["to", "by", "answer", "reject"]);
    const { to, by, answer, reject } = line;
    if (!(to instanceof RegExp)) checkType(`${place}.to`, to, "string");
    checkText(`${place}.by`, by);
    if (reject !== undefined) checkType(`${place}.reject`, reject, "string");
    if ((answer === undefined) === (reject === undefined))
      throw new TypeError(`${place} must have either answer or reject, got ${answer === undefined ? "none" : "both"}`);
  }
}

function fits(question: string, to: string | RegExp): boolean {
  return typeof to === "string" ? question.includes(to) : to.test(question);
}
