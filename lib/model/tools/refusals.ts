// Refusals: turns an error of a tool call into a result for the model: what happened, and what to do next (§9).
//
// A stop of the calling task, a closed manager, and a store that is locked or damaged are rethrown: they are no
// results.

import { type AnyErrandError, isErrandError, issuesInWords } from "../../core/task/errors.js";
import { thrownInWords } from "../../core/task/failure.js";
import { idInWords } from "../../core/values/safe-read.js";
import { quoted } from "../prompt/escape.js";
import { advice, type ToolSet } from "../prompt/tool-names.js";
import { cut, fitToBytes, type Result } from "./fit-to-bytes.js";

/** A refusal that a tool makes itself, with texts for a model. */
export class ToolRefusal extends Error {
  /** The next step for the model. */
  readonly hint: string;

  constructor(error: string, hint: string) {
    super(error);
    this.hint = hint;
  }
}

/** The result `{ error, hint }` for a model. Rethrows an error that is no result. */
export function refusalFor(error: unknown, tools: ToolSet, maxBytes: number): Result {
  const { text, hint } = describeRefusal(error, tools);
  return fitToBytes(maxBytes, (bytes) => ({
    error: cut(text, bytes * ERRORS_SHARE) ?? "",
    hint: cut(hint, bytes * (1 - ERRORS_SHARE)) ?? "",
  }));
}
const ERRORS_SHARE = 0.6;

function describeRefusal(error: unknown, tools: ToolSet): { readonly text: string; readonly hint: string } {
  if (error instanceof ToolRefusal) return { text: error.message, hint: error.hint };
  if (!isErrandError(error)) {
    // A schema of a kind, or a check of an option, threw it: the input was the reason.
    const text = thrownInWords(error);
    return { text, hint: "Nothing was done. Correct the input and call again" };
  }
  const hints = hintsFor(error);
  if (hints === undefined) throw error;
  return { text: describeError(error), hint: advice(tools, ...hints) };
}

const MOST_OF_NAME = 60;

/** The message of the error, or a text for a model where the message is for the author of the program. */
function describeError(error: AnyErrandError): string {
  if (error.code === "QUEUE_FULL") return `${error.maxQueued} tasks are in line already`;
  if (error.code === "ID_CONFLICT") return "Another task has this id";
  // The text does not name the other task, which may be unknown to the model.
  if (error.code === "NAME_TAKEN") return `A living task has the name ${quoted(error.taskName, MOST_OF_NAME)} already`;
  // The steps of these messages are for the author of the program; the hint has those for the model.
  if (error.code === "TASK_NOT_FOUND") return `There is no task ${idInWords(error.taskId)}`;
  if (error.code === "TASK_TERMINATED") return `Task ${idInWords(error.taskId)} is over`;
  if (error.code === "SCOPE_CANCELLED") return `${idInWords(error.scopeId)} has been stopped`;
  if (error.code !== "INVALID_INPUT") return error.message;
  return `It does not fit: ${issuesInWords(error.issues)}`;
}

/** Advice on the next step, best first; the last text names no tool. `undefined`: the error is rethrown. */
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
    // The caller is stopped, or the manager cannot continue.
    case "TASK_CANCELLED":
    case "MANAGER_CLOSED":
    case "STORE_LOCKED":
    case "JOURNAL_CORRUPT":
      return undefined;
    default:
      return error satisfies never;
  }
}
