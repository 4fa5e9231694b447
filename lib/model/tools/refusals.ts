// Refusals: what a model is told when a tool does not do what it asked for: what happened, and what to do next (§9).
//
// The one place where errors become words for a model. What is no answer to it, its own stop and the end of the manager, stays an error.

import { type AnyErrandError, isErrandError, issuesInWords } from "../../core/task/errors.js";
import { thrownInWords } from "../../core/task/failure.js";
import { quoted } from "../prompt/escape.js";
import { advice, type ToolSet } from "../prompt/tool-names.js";
import { cut, fitted, type Result } from "./fit-to-bytes.js";

/** Said by a tool of ours, in a model's words already. */
export class Refused extends Error {
  readonly hint: string;

  constructor(error: string, hint: string) {
    super(error);
    this.hint = hint;
  }
}

/** `{ error, hint }`. Throws what is to be thrown. */
export function refusalFor(error: unknown, tools: ToolSet, maxBytes: number): Result {
  const { said, hint } = wordsFor(error, tools);
  return fitted(maxBytes, (room) => ({
    error: cut(said, room * ERRORS_SHARE) ?? "",
    hint: cut(hint, room * (1 - ERRORS_SHARE)) ?? "",
  }));
}
const ERRORS_SHARE = 0.6;

function wordsFor(error: unknown, tools: ToolSet): { readonly said: string; readonly hint: string } {
  if (error instanceof Refused) return { said: error.message, hint: error.hint };
  if (!isErrandError(error)) {
    // Of a kind's schema, of an option: whatever it is, it was the input that led there.
    const said = thrownInWords(error);
    return { said, hint: "Nothing was done. Correct the input and call again" };
  }
  const hints = hintsFor(error);
  if (hints === undefined) throw error;
  return { said: saidBy(error), hint: advice(tools, ...hints) };
}

const MOST_OF_NAME = 60;

/** Its message, unless that is for who wrote the program. */
function saidBy(error: AnyErrandError): string {
  if (error.code === "QUEUE_FULL") return `${error.maxQueued} tasks are in line already`;
  if (error.code === "ID_CONFLICT") return "Another task has this id";
  // The task that has it may be unknown to the model.
  if (error.code === "NAME_TAKEN") return `A living task has the name ${quoted(error.taskName, MOST_OF_NAME)} already`;
  if (error.code !== "INVALID_INPUT") return error.message;
  return `It does not fit: ${issuesInWords(error.issues)}`;
}

/** Advice on what to do next, the best first: the last names no tool. `undefined`: the error is no answer to a model. */
function hintsFor(error: AnyErrandError): readonly string[] | undefined {
  switch (error.code) {
    case "LIMIT_EXCEEDED":
      if (error.limit === "maxDepth") return ["Do this work yourself"];
      if (error.limit.startsWith("budget.")) return ["Start nothing more: finish with what there is"];
      return [
        "await_tasks with mode any, then try again; or do this work yourself",
        "Try again once one has ended; or do this work yourself",
      ];
    case "QUEUE_FULL":
      return ["await_tasks until some have ended, then try again", "Try again once some have ended"];
    case "INVALID_INPUT":
      return ["Nothing was done. Correct it and call again"];
    case "AWAIT_CYCLE":
      return ["Do not wait for it: end your own turn first"];
    case "SCOPE_CANCELLED":
      return ["You are being stopped: start nothing more, and finish"];
    case "TASK_TERMINATED":
      return [
        "get_task gives its result; spawn_task starts other work",
        "get_task gives its result",
        "spawn_task starts other work",
        "Do without it",
      ];
    case "TASK_ELSEWHERE":
      return ["await_tasks gives its result; get_task shows how it stands", "Do without it"];
    case "NAME_TAKEN":
    case "RESERVED_NAME":
      return ["Use another name, or none"];
    case "ID_CONFLICT":
      return ["Nothing was started. Make a new call"];
    case "ALREADY_ANSWERED":
    case "REQUEST_NOT_FOUND":
      return ["get_task shows what is open", "Leave it at that"];
    case "STORE_UNAVAILABLE":
      return ["Nothing new can start now: try again later. What runs goes on"];
    case "TASK_NOT_FOUND":
      return ["list_tasks shows what there is", "Use the task_id that you were given"];
    case "UNKNOWN_KIND":
    case "UNKNOWN_LANE":
      return ["This cannot be started here: use another kind, or do it yourself"];
    case "TASK_OUTCOME":
    case "REQUEST_REJECTED":
    case "REQUEST_EXPIRED":
    case "EVENTS_COMPACTED":
    case "OUTPUT_LOST":
      return ["get_task shows how it stands", "Do without it"];
    // One's own stop, and the end of everything.
    case "TASK_CANCELLED":
    case "MANAGER_CLOSED":
    case "STORE_LOCKED":
    case "JOURNAL_CORRUPT":
      return undefined;
    default:
      return error satisfies never;
  }
}
