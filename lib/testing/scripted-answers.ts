// Scripted answers: the people at the inbox, played by a test.

import type { InboxRequest } from "../core/task/request.js";
import { checkFields, checkText, checkType, show } from "../core/values/checks.js";
import type { TaskManager } from "../manager/manager.js";

/** What is said to a question whose text is, or contains, `to`. One of `answer` and `reject`. */
export type ScriptedAnswer = { readonly to: string | RegExp; readonly by?: string | undefined } & (
  | { readonly answer: unknown; readonly reject?: undefined }
  | { readonly reject: string; readonly answer?: undefined }
);

export interface Script {
  /** The lines nobody has asked for yet. */
  readonly unused: readonly ScriptedAnswer[];
  /** What an answer was refused with, oldest first: a line that does not fit its question is a mistake of the script. */
  readonly refusals: readonly Error[];
  /** Answers nothing more. */
  off(): void;
}

/**
 * Answers what the tasks of `manager` ask, as `lines` say, from now on: for each request the first unused line that fits, once.
 * An approval is answered with `true`. A request that no line fits stays open. `by` is `"script"` unless a line says otherwise.
 * `TypeError`: a line has a field that it does not know, or one of a wrong type.
 */
export function scriptAnswers(manager: Pick<TaskManager, "inbox">, lines: readonly ScriptedAnswer[]): Script {
  checkLines(lines);
  const unused = [...lines];
  const refusals: Error[] = [];
  const over = new AbortController();
  const say = async (request: InboxRequest): Promise<void> => {
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
    for await (const request of manager.inbox.watch({ signal: over.signal })) await say(request);
  };
  void read();
  return { unused, refusals, off: () => over.abort() };
}

function checkLines(lines: unknown): void {
  if (!Array.isArray(lines)) throw new TypeError(`answers must be a list of lines, got ${show(lines)}`);
  for (const [index, line] of (lines as readonly ScriptedAnswer[]).entries()) {
    const place = `answers[${index}]`;
    checkFields(place, line, ["to", "by", "answer", "reject"]);
    const { to, by, reject } = line;
    if (!(to instanceof RegExp)) checkType(`${place}.to`, to, "string");
    checkText(`${place}.by`, by);
    if (reject !== undefined) checkType(`${place}.reject`, reject, "string");
  }
}

function fits(question: string, to: string | RegExp): boolean {
  return typeof to === "string" ? question.includes(to) : to.test(question);
}
